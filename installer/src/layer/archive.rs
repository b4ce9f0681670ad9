//! Archives that are the same bytes for the same contents: no owner, no time, no order but ours.

use std::io::{Cursor, Read as _};

use anyhow::{Context as _, bail};
use flate2::{Compression, GzBuilder, read::GzDecoder};
use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{BOOTSTRAP, DIRECTORY, EXECUTABLE};
use crate::change::MOST_UNZIPPED_BYTES;

/// Lambda's user is not root: everything is to be read by everybody, and executed.
pub(super) const MODE: u32 = 0o755;
/// Zopfli's rounds, above the nine levels of ordinary deflate. More make it no smaller.
const ROUNDS: i64 = 9 + 15;

/// How it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Zip,
    /// What `ADD` in a Dockerfile unpacks.
    TarGz,
}

impl std::fmt::Display for Form {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Zip => "zip",
            Self::TarGz => "tar.gz",
        })
    }
}

/// What is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its path below `/opt`.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Its permissions, as `chmod` takes them.
    pub mode: String,
    /// Its size, unpacked.
    pub bytes: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Directory,
    File,
}

impl Entry {
    fn new(path: &str, is_directory: bool, mode: u32, bytes: u64) -> Self {
        let kind = if is_directory {
            Kind::Directory
        } else {
            Kind::File
        };
        Self {
            path: path.to_owned(),
            kind,
            mode: format!("{:04o}", mode & 0o7777),
            bytes,
        }
    }
}

impl Form {
    /// An archive of the extension's binary.
    pub(super) fn write(self, binary: &[u8]) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Zip => zip(binary).context("cannot write the zip"),
            Self::TarGz => tar_gz(binary).context("cannot write the tar.gz"),
        }
    }

    /// What is in such an archive.
    pub(super) fn list(self, archive: &[u8]) -> anyhow::Result<Vec<Entry>> {
        match self {
            Self::Zip => listed_zip(archive).context("cannot read the zip back"),
            Self::TarGz => listed_tar_gz(archive).context("cannot read the tar.gz back"),
        }
    }
}

fn zip(binary: &[u8]) -> anyhow::Result<Vec<u8>> {
    // The least that the format knows: 1980-01-01.
    let options = SimpleFileOptions::default()
        .unix_permissions(MODE)
        .last_modified_time(DateTime::DEFAULT);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_directory(DIRECTORY, options)?;
    let deflated = options
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(ROUNDS));
    zip.start_file(format!("{DIRECTORY}/{EXECUTABLE}"), deflated)?;
    std::io::Write::write_all(&mut zip, binary)?;
    Ok(zip.finish()?.into_inner())
}

/// The code of a function whose runtime is its own: one file, at the top.
pub(super) fn function(binary: &[u8]) -> anyhow::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .unix_permissions(MODE)
        .last_modified_time(DateTime::DEFAULT)
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(ROUNDS));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(BOOTSTRAP, options)?;
    std::io::Write::write_all(&mut zip, binary)?;
    Ok(zip.finish()?.into_inner())
}

fn tar_gz(binary: &[u8]) -> anyhow::Result<Vec<u8>> {
    let header = |kind, bytes| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(MODE);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes);
        header
    };
    let gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    let mut directory = header(tar::EntryType::Directory, 0);
    tar.append_data(&mut directory, format!("{DIRECTORY}/"), std::io::empty())?;
    let mut file = header(tar::EntryType::Regular, binary.len() as u64);
    tar.append_data(&mut file, format!("{DIRECTORY}/{EXECUTABLE}"), binary)?;
    Ok(tar.into_inner()?.finish()?)
}

fn listed_zip(archive: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut zip = ZipArchive::new(Cursor::new(archive))?;
    let mut entries = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index)?;
        // Reads to the end to verify the checksum.
        let bytes = std::io::copy(&mut file, &mut std::io::sink())?;
        let mode = file.unix_mode().unwrap_or_default();
        let path = file.name()?.into_owned();
        entries.push(Entry::new(&path, file.is_dir(), mode, bytes));
    }
    Ok(entries)
}

/// The extension in a layer, with its permissions; none where it is not in it.
pub(super) fn executable(layer: &[u8]) -> anyhow::Result<Option<(u32, Vec<u8>)>> {
    let mut zip = ZipArchive::new(Cursor::new(layer)).context("the file is not a zip")?;
    let (mut unpacked, mut found) = (0, None);
    for index in 0..zip.len() {
        let file = zip.by_index(index).context("the zip is broken")?;
        let is_extension = file.is_file() && file.name()? == format!("{DIRECTORY}/{EXECUTABLE}");
        let mode = file.unix_mode().unwrap_or_default() & 0o7777;
        // Reads to the end to verify the checksum, but never more than fits.
        let mut contents = Vec::new();
        (file
            .take(MOST_UNZIPPED_BYTES - unpacked + 1)
            .read_to_end(&mut contents))
        .context("the zip is broken")?;
        unpacked += contents.len() as u64;
        if unpacked > MOST_UNZIPPED_BYTES {
            bail!("unpacked, it is larger than the 250 MB that Lambda allows");
        }
        if is_extension {
            found = Some((mode, contents));
        }
    }
    Ok(found)
}

fn listed_tar_gz(archive: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut contents = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut contents)?;
    let mut tar = tar::Archive::new(contents.as_slice());
    let mut entries = Vec::new();
    for entry in tar.entries()? {
        let entry = entry?;
        let header = entry.header();
        let is_directory = header.entry_type().is_dir();
        let path = entry.path()?.display().to_string();
        entries.push(Entry::new(
            &path,
            is_directory,
            header.mode()?,
            header.size()?,
        ));
    }
    Ok(entries)
}
