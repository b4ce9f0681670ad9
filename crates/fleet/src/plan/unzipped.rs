//! Finds the unpacked size of a zip without downloading it.
//!
//! Lambda's API tells the size of archives only. A ZIP's last bytes say where its central directory
//! is, and that says how large each file is (APPNOTE.TXT 4.3.12 to 4.3.16,
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>): one or two requests for ranges. The
//! `zip` crate wants the local headers too, which are all over the archive.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use backstop_delivery::{Failure as NoAnswer, SystemClock};
use backstop_sinks::SharedHttp;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, RANGE};

use crate::change::MOST_UNZIPPED_BYTES;
use crate::files::{self, Readers};
use crate::fleet::in_flight;

/// The end record, a comment as long as can be, and most directories.
const TAIL: u64 = 128 * 1024;
/// A directory larger than this is not read: that is half a million files.
const LARGEST_DIRECTORY: u64 = 64 * 1024 * 1024;

const END: u32 = 0x0605_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;
const END_64: u32 = 0x0606_4b50;
const ENTRY: u32 = 0x0201_4b50;

/// The sum of the sizes of everything in the archive at the address; it is a signed one and does not
/// get into the error.
async fn measured(http: &SharedHttp, url: &str) -> Result<u64, String> {
    let (tail, length) = range(http, url, &format!("bytes=-{TAIL}")).await?;
    let directory = find_directory(&tail, length).ok_or("it is not a ZIP archive")?;
    let start = length.saturating_sub(tail.len() as u64);
    let end = directory
        .start
        .checked_add(directory.length)
        .filter(|end| *end <= length && directory.length <= LARGEST_DIRECTORY)
        .ok_or("its directory lies outside the archive")?;
    if directory.start >= start {
        let from = usize::try_from(directory.start - start).unwrap_or(usize::MAX);
        let to = usize::try_from(end - start).unwrap_or(usize::MAX);
        let bytes = tail
            .get(from..to)
            .ok_or("its directory lies outside the archive")?;
        return sum(bytes).ok_or_else(|| "its directory is broken".to_owned());
    }
    let wanted = format!("bytes={}-{}", directory.start, end - 1);
    let (bytes, _) = range(http, url, &wanted).await?;
    sum(&bytes).ok_or_else(|| "its directory is broken".to_owned())
}

/// Why no answer came, in words.
fn unanswered(failure: NoAnswer) -> &'static str {
    match failure {
        NoAnswer::Refused => "the connection was refused",
        NoAnswer::Dns => "its name cannot be resolved",
        NoAnswer::Tls => "the TLS handshake failed",
        NoAnswer::Reset => "the connection broke",
        NoAnswer::TimedOut => "it timed out",
        _ => "nothing was sent",
    }
}

/// The bytes, and how long all of it is.
async fn range(http: &SharedHttp, url: &str, wanted: &str) -> Result<(Vec<u8>, u64), String> {
    // The parser's own words would hold the address, which is signed.
    let request = http::Request::get(url)
        .header(RANGE, wanted)
        .body(Bytes::new())
        .map_err(|_| "its address is not valid")?;
    // Without ranges the whole archive comes, which is smaller than its content.
    let most = usize::try_from(MOST_UNZIPPED_BYTES).unwrap_or(usize::MAX);
    let _permit = in_flight::permit().await;
    let response = http
        .fetch(request, most)
        .await
        .map_err(|failure| format!("no answer: {}", unanswered(failure)))?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("the answer was {}", status.as_u16()));
    }
    let length = (response.headers().get(CONTENT_RANGE))
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.rsplit_once('/'))
        .and_then(|(_, length)| length.parse().ok());
    let bytes = response.into_body();
    // Without ranges all of it came.
    let length = length.unwrap_or(bytes.len() as u64);
    Ok((bytes, length))
}

/// Unpacked sizes by what never changes: a code's hash, a layer version's ARN. Kept from run to run.
pub struct Sizes {
    http: SharedHttp,
    known: Mutex<HashMap<String, u64>>,
    file: Option<PathBuf>,
}

impl std::fmt::Debug for Sizes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sizes")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Sizes {
    /// With what is known from earlier runs.
    pub fn open(file: Option<PathBuf>) -> Self {
        let known = (file.as_ref())
            .and_then(|file| files::bytes(file, files::LARGE).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            http: shared_http(),
            known: Mutex::new(known.unwrap_or_default()),
            file,
        }
    }

    /// Keeps what is known; a cache that cannot be written costs nothing but time.
    pub fn save(&self) {
        let Some(file) = &self.file else {
            return;
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(text) = serde_json::to_vec(&*known) {
            // The runs are below the same directory: nobody else may change what is in it.
            files::private_directory(files::parent(file))
                .and_then(|()| files::put(file, &text, Readers::Owner))
                .ok();
        }
    }

    /// What is not known and has no address, or cannot be measured, has no size.
    pub(super) async fn of(&self, key: &str, url: Option<&str>) -> Option<u64> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(key).filter(|_| !key.is_empty()) {
            return Some(*known);
        }
        let size = measured(&self.http, url?).await.ok()?;
        lock().insert(key.to_owned(), size);
        Some(size)
    }
}

/// With the proxies and the authorities of this process. A mistake in them is no reason to do without: the
/// size of a layer is then not known.
fn shared_http() -> SharedHttp {
    let (settings, _) = backstop_config::Settings::resolve(&backstop_config::ProcessEnvironment);
    SharedHttp::new(
        settings.ca_files,
        settings.proxies,
        Arc::new(SystemClock),
        |_| {},
    )
}

struct Directory {
    start: u64,
    length: u64,
}

/// Where the central directory is, by the archive's last bytes.
fn find_directory(tail: &[u8], length: u64) -> Option<Directory> {
    let latest = tail.len().checked_sub(22)?;
    let at = (0..=latest).rev().find(|at| {
        let comment = number::<2>(tail, at + 20);
        let is_last = comment == u64::try_from(latest - at).ok();
        number::<4>(tail, *at) == Some(u64::from(END)) && is_last
    })?;
    let size = number::<4>(tail, at + 12)?;
    let offset = number::<4>(tail, at + 16)?;
    let is_64 = size == u64::from(u32::MAX) || offset == u64::from(u32::MAX);
    let locator = at.checked_sub(20);
    let Some(locator) =
        locator.filter(|at| is_64 && number::<4>(tail, *at) == Some(u64::from(END_64_LOCATOR)))
    else {
        return Some(Directory {
            start: offset,
            length: size,
        });
    };
    let start = length.checked_sub(tail.len() as u64)?;
    let record = number::<8>(tail, locator + 8)?.checked_sub(start)?;
    let record = usize::try_from(record).ok()?;
    (number::<4>(tail, record)? == u64::from(END_64)).then_some(())?;
    Some(Directory {
        length: number::<8>(tail, record + 40)?,
        start: number::<8>(tail, record + 48)?,
    })
}

/// The sizes in a central directory.
fn sum(directory: &[u8]) -> Option<u64> {
    let mut total: u64 = 0;
    let mut at = 0;
    while at < directory.len() {
        if number::<4>(directory, at)? != u64::from(ENTRY) {
            // A digital signature may follow.
            break;
        }
        let length = |offset: usize| usize::try_from(number::<2>(directory, at + offset)?).ok();
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let mut size = number::<4>(directory, at + 24)?;
        if size == u64::from(u32::MAX) {
            let extra = directory.get(at + 46 + name..at + 46 + name + extra)?;
            size = size_64(extra)?;
        }
        total = total.checked_add(size)?;
        at += 46 + name + extra + comment;
    }
    Some(total)
}

/// The size in the extra field of a ZIP64 entry, where it comes first.
fn size_64(extra: &[u8]) -> Option<u64> {
    let mut at = 0;
    loop {
        let (id, length) = (number::<2>(extra, at)?, number::<2>(extra, at + 2)?);
        if id == 1 {
            return number::<8>(extra, at + 4);
        }
        at += 4 + usize::try_from(length).ok()?;
    }
}

fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let slice = bytes.get(at..at.checked_add(BYTES)?)?;
    Some((slice.iter().rev()).fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(sizes: &[usize], options: SimpleFileOptions, comment: &str) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (index, size) in sizes.iter().enumerate() {
            writer
                .start_file(format!("file-{index}"), options)
                .expect("it starts");
            writer.write_all(&vec![0; *size]).expect("it is written");
        }
        writer.set_comment(comment).expect("it is short");
        writer.finish().expect("it is finished").into_inner()
    }

    fn sized(archive: &[u8], tail: usize) -> Option<u64> {
        let from = archive.len().saturating_sub(tail);
        let length = archive.len() as u64;
        let directory = find_directory(&archive[from..], length)?;
        let start = usize::try_from(directory.start).ok()?;
        let end = start + usize::try_from(directory.length).ok()?;
        sum(archive.get(start..end)?)
    }

    #[test]
    fn sizes_are_those_of_the_files() {
        let plain = SimpleFileOptions::default();
        for (options, comment) in [
            (plain, ""),
            (plain, "a comment, PK\u{5}\u{6} and all"),
            (plain.large_file(true), ""),
        ] {
            let archive = archive(&[0, 1, 70_000, 12], options, comment);
            assert_eq!(sized(&archive, 1 << 20), Some(70_013));
            assert_eq!(sized(&archive, 400), Some(70_013));
        }
    }

    #[test]
    fn what_is_no_archive_has_no_size() {
        for bytes in [&b""[..], b"PK", &[0; 500]] {
            assert_eq!(sized(bytes, 1 << 20), None);
        }
        let whole = archive(&[5, 6], SimpleFileOptions::default(), "");
        for cut in 1..whole.len() {
            // Whatever is missing, nothing panics.
            sized(&whole[..cut], 1 << 20);
        }
    }
}
