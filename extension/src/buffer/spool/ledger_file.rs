//! The ledger's counts in `/tmp`, for a run that ends without having written its ledger line.
//!
//! A process that is killed says nothing. Its successor in the same environment takes over its
//! counts, and what is neither settled nor in the spool becomes a counted loss.

use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use backstop_delivery::Ledger;

use super::directory::{LockedFile, SpoolDirectory};

pub(super) const FILE: &str = "ledger";
pub(super) const MAGIC: &[u8; 8] = b"BKLEDGR2";
/// That of a version that did not count mirrored records, the last of the counts.
const MAGIC_1: &[u8; 8] = b"BKLEDGR1";
const BYTES_1: usize = BYTES - 8;
/// No run counts this far: such counts are forged, and sums with them would be too large for a number.
const FORGED: u64 = 1 << 48;
const BYTES: usize = 8 + 8 * Ledger::COUNTS + 4;

/// The counts on disk.
#[derive(Debug)]
pub(crate) struct LedgerFile {
    directory: SpoolDirectory,
    enabled: bool,
    file: Option<LockedFile>,
    /// The counts that were last written.
    written: Option<[u64; Ledger::COUNTS]>,
}

impl LedgerFile {
    /// The file in this directory, or none.
    pub(crate) fn new(directory: PathBuf, enabled: bool) -> Self {
        Self {
            directory: SpoolDirectory::new(directory),
            enabled,
            file: None,
            written: None,
        }
    }

    /// The counts of a run that could not write its ledger line.
    pub(crate) fn recover(&mut self) -> io::Result<Option<Ledger>> {
        if !self.enabled {
            return Ok(None);
        }
        let held = self.directory.open(FILE).inspect_err(|error| {
            if error.kind() == io::ErrorKind::ResourceBusy {
                // Another process counts there.
                self.enabled = false;
            }
        });
        let Some(mut held) = held? else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(BYTES);
        (&mut held.file)
            .take(BYTES as u64)
            .read_to_end(&mut bytes)?;
        let ledger = decode(&bytes).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "not a ledger, or a broken one")
        })?;
        self.file = Some(held);
        self.written = Some(ledger.counts());
        Ok(Some(ledger))
    }

    /// Writes the counts as they are. Looks first whether the file still is at its place.
    pub(crate) fn write(&mut self, ledger: &Ledger) -> io::Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let file = self.file.take();
        let there = file.filter(|held| self.directory.leads_to(FILE, held).is_some());
        self.written = None;
        let held = match there {
            Some(held) => self.file.insert(held),
            None => self.file.insert(self.directory.create(FILE)?),
        };
        held.file.write_all_at(&encode(ledger), 0)?;
        self.written = Some(ledger.counts());
        Ok(())
    }

    /// Whether the next run would find these counts, but for what came in since and waits.
    pub(crate) fn has(&self, ledger: &Ledger) -> bool {
        let is_written = self
            .written
            .is_some_and(|written| settled(&written) == settled(&ledger.counts()));
        let mut held = self.file.iter();
        !self.enabled
            || is_written && held.any(|held| self.directory.leads_to(FILE, held).is_some())
    }

    /// The ledger line is written, or the file is of no use.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        self.file = None;
        self.written = None;
        if !self.enabled {
            return Ok(());
        }
        self.directory.remove(FILE)
    }
}

/// All but what came in since and waits: the first three, which are received, pending and derived; and the last,
/// which is mirrored.
fn settled(counts: &[u64; Ledger::COUNTS]) -> &[u64] {
    &counts[3..Ledger::COUNTS - 1]
}

fn encode(ledger: &Ledger) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(ledger.counts().iter().flat_map(|count| count.to_le_bytes()));
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Ledger> {
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    let (counts, is_old) = match bytes.len() {
        BYTES => (body.strip_prefix(MAGIC)?, false),
        BYTES_1 => (body.strip_prefix(MAGIC_1)?, true),
        _ => return None,
    };
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (counts, _) = counts.as_chunks::<8>();
    let counts = counts.iter().map(|count| u64::from_le_bytes(*count));
    let counts: Vec<u64> = counts.chain(is_old.then_some(0)).collect();
    if counts.iter().any(|count| *count >= FORGED) {
        return None;
    }
    Ledger::from_counts(counts.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_version_that_had_no_mirrored_records_are_read() {
        let mut ledger = Ledger::default();
        ledger.receive(5);
        let new = encode(&ledger);
        let mut old = new[..new.len() - 12].to_vec();
        old[..8].copy_from_slice(MAGIC_1);
        let checksum = crc32fast::hash(&old);
        old.extend(checksum.to_le_bytes());
        for bytes in [&new, &old] {
            let read = decode(bytes).map(|ledger| ledger.counts());
            assert_eq!(read, Some(ledger.counts()));
        }
        for broken in [&new[..new.len() - 1], &old[..8], &[]] {
            assert_eq!(decode(broken), None);
        }
    }
}
