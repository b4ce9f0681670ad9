//! What `Code.Location` and `Content.Location` lead to: bytes behind signed URLs, whole or in ranges.
//!
//! A function's code is a zip of which the headers and the directory are real and the data is nothing
//! but zeros: its entries' sizes add up to what the function is said to unzip to, and no memory is taken
//! for what nobody asks for. A layer's is what was published.

use std::ops::Range;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::form::decoded;
use crate::spec::PackageType;
use crate::{Call, Place, State};

const ENTRIES: [&str; 3] = [
    "index.js",
    "node_modules/parser/index.js",
    "node_modules/client/index.js",
];
/// How much smaller code is in a zip.
const RATIO: u64 = 3;
const LOCAL_HEADER: u64 = 30;
const CENTRAL_HEADER: u64 = 46;
const END: u64 = 22;

/// A path of the signed URLs.
pub(crate) fn is_content(request: &Request<Bytes>) -> bool {
    request.uri().path().starts_with("/content/")
}

/// How large the zip of that much code is.
pub(crate) fn zipped_size(unzipped: u64) -> u64 {
    (unzipped / RATIO).max(headers())
}

fn headers() -> u64 {
    let names = ENTRIES.iter().map(|name| name.len() as u64);
    END + names
        .map(|name| LOCAL_HEADER + CENTRAL_HEADER + 2 * name)
        .sum::<u64>()
}

/// Bytes that are zeros but for some pieces.
#[derive(Debug, Default)]
struct Sparse {
    length: u64,
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Sparse {
    fn push(&mut self, piece: Vec<u8>) {
        let at = self.length;
        self.length += piece.len() as u64;
        self.pieces.push((at, piece));
    }

    fn slice(&self, wanted: &Range<u64>) -> Vec<u8> {
        let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        let mut slice = vec![0; index(wanted.end - wanted.start)];
        for (at, piece) in &self.pieces {
            let (from, to) = (
                wanted.start.max(*at),
                wanted.end.min(at + piece.len() as u64),
            );
            if from < to {
                slice[index(from - wanted.start)..index(to - wanted.start)]
                    .copy_from_slice(&piece[index(from - at)..index(to - at)]);
            }
        }
        slice
    }
}

/// The zip of code that unzips to this much.
fn code(unzipped: u64) -> Sparse {
    let data = zipped_size(unzipped) - headers();
    let count = ENTRIES.len() as u64;
    // The first has what cannot be shared evenly.
    let share =
        |whole: u64, index: usize| whole / count + if index == 0 { whole % count } else { 0 };
    let (mut zip, mut directory) = (Sparse::default(), Vec::new());
    for (index, name) in ENTRIES.iter().enumerate() {
        let (packed, size) = (share(data, index), share(unzipped, index));
        // Version 2.0, no flags, deflated, no time, CRC unknown.
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0, 0, 0, 0, 0];
        common.extend(four(packed));
        common.extend(four(size));
        common.extend(two(name.len()));
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend([0, 0, 0xa4, 0x81]);
        directory.extend(four(zip.length));
        directory.extend(name.as_bytes());
        let mut local = b"PK\x03\x04".to_vec();
        local.extend(common);
        local.extend(name.as_bytes());
        zip.push(local);
        zip.length += packed;
    }
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend(two(ENTRIES.len()));
    end.extend(two(ENTRIES.len()));
    end.extend(four(directory.len() as u64));
    end.extend(four(zip.length));
    end.extend([0, 0]);
    directory.extend(end);
    zip.push(directory);
    zip
}

fn four(number: u64) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

fn two(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

/// What a header asks for of so many bytes: everything where it is none, nothing where it is beyond.
fn range(header: Option<&str>, length: u64) -> Option<Range<u64>> {
    let Some((from, to)) = header
        .and_then(|header| header.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Some(0..length);
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => from..length.min(to.saturating_add(1)),
        (Ok(from), Err(_)) => from..length,
        (Err(_), Ok(last)) => length.saturating_sub(last)..length,
        (Err(_), Err(_)) => 0..length,
    };
    (range.start < range.end).then_some(range)
}

impl State {
    /// Answers a request that is not signed but in its URL.
    pub(crate) fn content(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = decoded(request.uri().path());
        let parts: Vec<&str> = path.split('/').skip(2).collect();
        let [kind, account, region, name, version] = parts[..] else {
            return refused(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let place = Place::new(account, region);
        let response = self.bytes_of(&place, (kind, name, version), request);
        self.calls.push(Call {
            place,
            operation: "GetContent",
            subject: name.to_owned(),
            status: response.status().as_u16(),
        });
        response
    }

    fn bytes_of(
        &self,
        place: &Place,
        (kind, name, version): (&str, &str, &str),
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        // A URL is signed for one method.
        if self.is_content_expired || request.method() != Method::GET {
            return refused(StatusCode::FORBIDDEN, "AccessDenied");
        }
        let function = self.functions.named(place, name);
        let function = function.filter(|function| function.spec.package_type == PackageType::Zip);
        let content = match (kind, function) {
            ("functions", Some(function)) => {
                let spec = match version.parse::<u64>() {
                    Ok(number) => function.versions.get(&number).map(|found| &found.spec),
                    Err(_) => Some(&function.spec),
                };
                spec.map(|spec| code(spec.unzipped_bytes))
            }
            ("layers", _) => version
                .parse()
                .ok()
                .and_then(|number| self.layers.content(place, name, number))
                .map(|bytes| Sparse {
                    length: bytes.len() as u64,
                    pieces: vec![(0, bytes.to_vec())],
                }),
            _ => None,
        };
        let Some(content) = content else {
            return refused(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let header = request.headers().get(RANGE);
        let header = header.and_then(|value| value.to_str().ok());
        let Some(wanted) = range(header, content.length) else {
            return refused(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        };
        let mut response = Response::new(content.slice(&wanted).into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if header.is_some() {
            let (last, length) = (wanted.end - 1, content.length);
            let shown = format!("bytes {}-{last}/{length}", wanted.start);
            if let Ok(shown) = HeaderValue::try_from(shown) {
                headers.insert(CONTENT_RANGE, shown);
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        response
    }
}

fn refused(status: StatusCode, code: &str) -> Response<Bytes> {
    let body = format!(
        "<Error><Code>{code}</Code><Message>Request has expired or is for nothing</Message></Error>"
    );
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        for (header, expected) in [
            (None, Some(0..100)),
            (Some("bytes=0-9"), Some(0..10)),
            (Some("bytes=90-"), Some(90..100)),
            (Some("bytes=90-1000"), Some(90..100)),
            (Some("bytes=-10"), Some(90..100)),
            (Some("bytes=-1000"), Some(0..100)),
            (Some("bytes=100-"), None),
            (Some("bytes=-0"), None),
        ] {
            assert_eq!(range(header, 100), expected, "{header:?}");
        }
    }

    #[test]
    fn code_is_as_large_as_it_says() {
        for unzipped in [0, 1, 1000, 262_144_000] {
            let zip = code(unzipped);
            assert_eq!(zip.length, zipped_size(unzipped));
        }
    }
}
