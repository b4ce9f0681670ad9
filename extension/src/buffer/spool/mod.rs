//! The spool: a copy in `/tmp` of what waits while Lambda may freeze or kill us.
//!
//! `/tmp` outlives the process: after a time-out or a crash Lambda starts the extension again in the
//! same environment, which finds here what the last run had not delivered. Written only while
//! something waits and a freeze may come; empty otherwise.
//!
//! Invariants: what waits is in the file before `/next` is called; what a sink took is removed once
//! the flush is over; a failure here never costs a record that memory holds, nor a copy that exists. The
//! function may empty `/tmp` at any moment, so each write and each claim looks first whether the file is still
//! where the next run will open it, and writes all that waits again where it is not. Must not decide
//! when any of that is the case: the pipeline does.

mod directory;
mod file;
mod frame;
mod index;
mod ledger_file;
mod read;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use backstop_delivery::Wall;

use super::Buffer;
use super::id_ranges::IdRanges;
use directory::SpoolDirectory;
use file::{LogFile, Written, full};
use frame::{Frames, MOST_FRAMES, MOST_RANGES, MOST_RECORD_FRAME};
pub(crate) use ledger_file::LedgerFile;
pub use read::{Contents, Group, Work, read};

const FILE: &str = "spool";
/// The file while it is rewritten.
const NEW: &str = "spool.new";
/// Below this, a file is not rewritten for what in it is no longer needed.
const LEAST_REWRITE: u64 = 1024 * 1024;
/// Of the bound, records leave this share to frames that remove and close, up to the next constant.
const RESERVED_SHARE: u64 = 16;
const MOST_RESERVED: u64 = 64 * 1024;

/// The spool of one environment.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: SpoolDirectory,
    max_bytes: u64,
    file: Option<LogFile>,
    /// No longer held by the buffer, and not yet removed in the file.
    due: IdRanges,
    is_cut_short: bool,
    was_lost: bool,
    received: u64,
}

impl Spool {
    /// A spool in this directory of at most `max_bytes`; of none it keeps nothing.
    pub(crate) fn new(directory: PathBuf, max_bytes: usize) -> Self {
        Self {
            directory: SpoolDirectory::new(directory),
            max_bytes: max_bytes as u64,
            file: None,
            due: IdRanges::default(),
            is_cut_short: false,
            was_lost: false,
            received: 0,
        }
    }

    /// How many records the environment has received: frames that are written from now on say so.
    pub(crate) fn note_received(&mut self, records: u64) {
        self.received = records;
    }

    /// Where it is, for log lines.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What the last run of this environment left, at most `most_bytes` of it. It stays in the file
    /// until it is settled.
    pub(crate) fn recover(&mut self, most_bytes: usize, now: Wall) -> io::Result<Contents> {
        if self.max_bytes == 0 {
            return Ok(Contents::default());
        }
        let held = self.directory.open(FILE).inspect_err(|error| {
            if error.kind() == io::ErrorKind::ResourceBusy {
                // Another process keeps its records there.
                self.max_bytes = 0;
            }
        });
        let Some(mut held) = held? else {
            return Ok(Contents::default());
        };
        let length = held.file.metadata()?.len().min(self.max_bytes);
        let contents = read(&mut held.file, length, most_bytes, &now.rfc3339())?;
        // What cannot be read now never will be, and must not hide what is written after it.
        held.file.set_len(contents.end)?;
        let work = contents.work;
        let file = LogFile::at(
            held,
            contents.end,
            work.frames,
            work.ranges,
            contents.generation,
        );
        self.file = Some(file);
        self.is_cut_short = contents.is_cut_short;
        Ok(contents)
    }

    /// Gives up a file that cannot be used, so that the next one can be.
    pub(crate) fn discard(&mut self) -> io::Result<()> {
        self.file = None;
        self.due = IdRanges::default();
        if self.max_bytes == 0 {
            return Ok(());
        }
        self.directory.remove(FILE)
    }

    /// Whether the file was found to be gone since the last call, and all that waits was written again or
    /// could not be.
    pub(crate) fn was_lost(&mut self) -> bool {
        std::mem::take(&mut self.was_lost)
    }

    /// Returns when all that waits in `buffer` is in the file. What fits is in it also where this fails.
    pub(crate) fn keep(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        if self.max_bytes == 0 || buffer.waiting_bytes() == 0 {
            return Ok(());
        }
        self.look(buffer);
        let mut unkept = buffer.unkept().peekable();
        let (mut kept, mut done) = (0, Ok(()));
        while unkept.peek().is_some() {
            match self.append_records(&mut unkept) {
                Ok(count) => kept += count,
                Err(error) => {
                    done = Err(error);
                    break;
                }
            }
        }
        drop(unkept);
        buffer.set_kept(kept);
        done
    }

    /// Writes which records the buffer no longer holds: a later run must not restore them.
    pub(crate) fn write_removals(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        self.due.extend(buffer.take_gone().iter().copied());
        let (waiting, held) = (buffer.waiting_bytes(), buffer.held_bytes());
        let Some(file) = &mut self.file else {
            self.due = IdRanges::default();
            return Ok(());
        };
        if held == 0 {
            file.empty()?;
            self.due = IdRanges::default();
            return Ok(());
        }
        let is_much = file.end > 2 * waiting as u64 + LEAST_REWRITE
            || file.frames > MOST_FRAMES / 4
            || file.ranges + self.due.count() > MOST_RANGES / 2;
        if held == waiting && is_much {
            return self.rewrite(buffer);
        }
        if self.due.is_empty() && waiting == 0 {
            return Ok(());
        }
        // Records that came back from a flush are believed to have a copy; this verifies it.
        self.look(buffer);
        if self.file.is_none() {
            // Had copies, and is to have them again.
            return self.keep(buffer);
        }
        if self.due.is_empty() {
            return Ok(());
        }
        self.append_due(|_| Written::default())
    }

    /// A spool that was closed is this run's from now on.
    pub(crate) fn reopen(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        if std::mem::take(&mut self.is_cut_short) {
            // What is not in memory now is counted as lost: it must not turn up after all.
            return self.rewrite(buffer);
        }
        match &mut self.file {
            Some(file) if file.end > 0 => {
                let mark = |frames: &mut Frames<'_>| {
                    frames.removed(&IdRanges::default());
                    Written {
                        frames: 1,
                        ..Written::default()
                    }
                };
                file.append(mark, self.max_bytes).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The environment ends: keeps what waits as it stands, batches as batches. Copies that exist are not
    /// made again, so that this needs no more room than what has none. Where it fails, copies stay.
    pub(crate) fn close(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        if self.max_bytes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "there is no spool",
            ));
        }
        self.look(buffer);
        let kept = self.keep(buffer);
        let records = buffer.kept_records();
        let Some(file) = self.file.as_ref().filter(|_| records > 0) else {
            return kept;
        };
        let from = file.end;
        let closed = self.append_due(|frames| {
            let ranges = frames.batches(buffer.returned(), buffer.in_flight());
            frames.closed(from, records as u64);
            Written {
                frames: 2,
                ranges,
                records: 0,
            }
        });
        if closed.is_err() {
            // Then it is as after a kill: what waits is known, and not which of it a sink may have taken.
            self.append_due(|_| Written::default())?;
        }
        kept.and(closed)
    }

    /// Nothing has a copy any more where the file is not found at its place.
    fn look(&mut self, buffer: &mut Buffer) {
        let is_there = self.file.as_ref().is_some_and(|file| {
            let length = self.directory.finds(FILE, &file.held);
            length.is_some_and(|length| length >= file.end)
        });
        if !is_there {
            self.was_lost |= self.file.take().is_some();
            self.due = IdRanges::default();
            buffer.forget_copies();
        }
    }

    fn append_records<'a>(
        &mut self,
        records: &mut std::iter::Peekable<impl Iterator<Item = &'a backstop_delivery::Record>>,
    ) -> io::Result<usize> {
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            self.file
                .insert(LogFile::new(self.directory.create(FILE)?)?)
        };
        let reserved = (self.max_bytes / RESERVED_SHARE).min(MOST_RESERVED);
        let most_bytes = self.max_bytes - reserved;
        let taken = file.end.max(frame::START_BYTES as u64) + frame::END.len() as u64;
        let room = most_bytes.saturating_sub(taken).min(MOST_RECORD_FRAME);
        if file.frames >= MOST_FRAMES / 2 {
            return Err(full("the spool has too many parts"));
        }
        let received = self.received;
        let frame = |frames: &mut Frames<'_>| {
            let records = frames.records(records, room, received);
            Written {
                frames: u32::from(records > 0),
                ranges: 0,
                records,
            }
        };
        match file.append(frame, most_bytes)?.records {
            0 => Err(full("BACKSTOP_SPOOL_MAX_BYTES is reached")),
            count => Ok(count),
        }
    }

    /// Writes the removals that are due, and appends in the same write what `more` makes; it says how many frames.
    fn append_due(&mut self, more: impl FnOnce(&mut Frames<'_>) -> Written) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let due = &self.due;
        let write = |frames: &mut Frames<'_>| {
            let mut written = Written::default();
            if !due.is_empty() {
                frames.removed(due);
                written.frames += 1;
                written.ranges += due.count();
            }
            let more = more(frames);
            Written {
                frames: written.frames + more.frames,
                ranges: written.ranges + more.ranges,
                records: more.records,
            }
        };
        file.append(write, self.max_bytes)?;
        self.due = IdRanges::default();
        Ok(())
    }

    /// Leaves out what is no longer needed.
    fn rewrite(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        self.directory.remove(NEW)?;
        let new = LogFile::new(self.directory.create(NEW)?)?;
        let old = self.file.replace(new);
        let mut done = Ok(());
        let mut records = buffer.waiting().peekable();
        while done.is_ok() && records.peek().is_some() {
            done = self.append_records(&mut records).map(drop);
        }
        drop(records);
        let done = done.and_then(|()| self.directory.rename(NEW, FILE));
        if done.is_ok() {
            self.due = IdRanges::default();
            buffer.set_kept(usize::MAX);
        } else {
            self.file = old;
            self.directory.remove(NEW)?;
        }
        done
    }
}
