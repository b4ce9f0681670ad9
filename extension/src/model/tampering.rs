//! What happens to the files in `/tmp`, which are the function's as well.

use std::fs;
use std::path::Path;

use super::steps::Tampering;

/// What the function does. What is not there needs nothing.
pub(super) fn perform(tampering: Tampering, directory: &Path) {
    let spool = directory.join("spool");
    drop(match tampering {
        Tampering::Empty => fs::remove_dir_all(directory),
        Tampering::Move => {
            let aside = directory.with_extension("moved");
            drop(fs::remove_dir_all(&aside));
            fs::rename(directory, aside)
        }
        Tampering::RemoveSpool => fs::remove_file(spool),
        Tampering::RemoveLedger => fs::remove_file(directory.join("ledger")),
        Tampering::CutSpool => fs::File::options()
            .write(true)
            .open(spool)
            .and_then(|file| file.set_len(file.metadata()?.len() / 2)),
    });
}

/// The kill came while records were appended: of the last frame, this much never reached the file. Its
/// first bytes did: with less it is the moment before, and nothing was looked at.
pub(super) fn tear(path: &Path, bytes: u64) {
    const HEADER: usize = 8;
    const FIRST: u64 = HEADER as u64 + 13;
    let spool = fs::read(path).unwrap_or_default();
    let (mut at, mut last) = (20, None);
    while let Some((header, _)) = spool.get(at..).and_then(|rest| rest.split_first_chunk()) {
        let length = u32::from_le_bytes(*header) as usize;
        let Some(kind) = spool.get(at + HEADER).filter(|_| length > 0) else {
            break;
        };
        last = Some((*kind, at as u64, (HEADER + length) as u64));
        at += HEADER + length;
    }
    if let Some((b'R', start, length)) = last {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(start + (length - bytes.min(length)).max(FIRST))
            .unwrap();
    }
}
