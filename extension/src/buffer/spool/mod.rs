//! The spool: a copy in `/tmp` of what waits while Lambda may freeze or kill us.
//!
//! `/tmp` outlives the process: after a time-out or a crash Lambda starts the extension anew in the
//! same environment, and what the last run had not delivered is found here. Written only while
//! something waits and a freeze may come; empty otherwise.
//!
//! Invariants: what waits is in the file before `/next` is called; what a sink took is struck off once
//! the flush is over; a failure here never costs a record that memory holds. Must not decide
//! when any of that is the case: the pipeline does.

mod books;
mod frame;
mod place;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use backstop_delivery::Wall;

use super::Buffer;
use super::runs::Runs;
pub(crate) use books::Books;
pub use frame::{Contents, Group, read};
use place::Place;

const FILE: &str = "spool";
/// The file while it is written anew.
const NEW: &str = "spool.new";
/// Below this, a file is not written anew for what in it is no longer needed.
const LEAST_REWRITE: u64 = 1024 * 1024;

/// The spool of one environment.
#[derive(Debug)]
pub(crate) struct Spool {
    place: Place,
    max_bytes: u64,
    file: Option<File>,
    length: u64,
}

impl Spool {
    /// A spool in this directory of at most `max_bytes`; of none it keeps nothing.
    pub(crate) fn new(directory: PathBuf, max_bytes: usize) -> Self {
        Self {
            place: Place::new(directory),
            max_bytes: max_bytes as u64,
            file: None,
            length: 0,
        }
    }

    /// Where it is, for log lines.
    pub(crate) fn directory(&self) -> &Path {
        self.place.directory()
    }

    /// What the last run of this environment left, at most `most_bytes` of it. It stays in the file
    /// until it is settled.
    pub(crate) fn recover(&mut self, most_bytes: usize, now: Wall) -> io::Result<Contents> {
        if self.max_bytes == 0 {
            return Ok(Contents::default());
        }
        let file = self.place.open(FILE).inspect_err(|error| {
            if error.kind() == io::ErrorKind::ResourceBusy {
                // Another process keeps its records there.
                self.max_bytes = 0;
            }
        });
        let Some(mut file) = file? else {
            return Ok(Contents::default());
        };
        let length = file.metadata()?.len().min(self.max_bytes);
        let contents = frame::read(&mut file, length, most_bytes, &now.rfc3339())?;
        // What cannot be read now never will be, and must not hide what is written after it.
        self.file = Some(file);
        self.cut(length - contents.torn)?;
        Ok(contents)
    }

    /// Gives up a file that cannot be used, so that the next one can be.
    pub(crate) fn discard(&mut self) -> io::Result<()> {
        self.file = None;
        self.length = 0;
        if self.max_bytes == 0 {
            return Ok(());
        }
        self.place.remove(FILE)
    }

    /// Returns when all that waits in `buffer` is in the file.
    pub(crate) fn keep(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        if self.max_bytes == 0 {
            return Ok(());
        }
        let before = self.length;
        let mut unkept = buffer.unkept().peekable();
        while unkept.peek().is_some() {
            if let Err(error) = self.append(&frame::records(&mut unkept)) {
                // All or none: what is not known to be kept would be appended again.
                self.cut(before)?;
                return Err(error);
            }
        }
        drop(unkept);
        buffer.set_kept();
        Ok(())
    }

    /// Strikes off what the buffer let go: another run must not find it.
    pub(crate) fn strike(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        let gone = buffer.take_gone();
        let (waiting, held) = (buffer.pending_bytes(), buffer.held_bytes());
        if self.length == 0 {
            Ok(())
        } else if held == 0 {
            self.cut(0)
        } else if held == waiting && self.length > 2 * waiting as u64 + LEAST_REWRITE {
            self.rewrite(buffer)
        } else if gone.is_empty() {
            Ok(())
        } else {
            self.append(&frame::struck(&gone))
        }
    }

    /// A spool that was closed is this run's from now on.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        if self.length == 0 {
            return Ok(());
        }
        self.append(&frame::struck(&Runs::default()))
    }

    /// The environment ends: keeps what waits as it stands, batches as batches.
    pub(crate) fn close(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        if self.max_bytes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "there is no spool",
            ));
        }
        let from = self.length.max(frame::MAGIC.len() as u64);
        self.put_all(buffer)?;
        self.append(&frame::closed(from, buffer.held_records() as u64))
    }

    fn put_all(&mut self, buffer: &Buffer) -> io::Result<()> {
        for batch in buffer.returned() {
            self.append(&frame::batch(batch))?;
        }
        let mut records = buffer.unsent().peekable();
        while records.peek().is_some() {
            self.append(&frame::records(&mut records))?;
        }
        Ok(())
    }

    /// Leaves out what is no longer needed.
    fn rewrite(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        self.place.remove(NEW)?;
        let new = self.place.create(NEW)?;
        let old = (self.file.replace(new), std::mem::take(&mut self.length));
        let done = self
            .put_all(buffer)
            .and_then(|()| self.place.rename(NEW, FILE));
        if done.is_ok() {
            buffer.set_kept();
        } else {
            (self.file, self.length) = old;
        }
        done
    }

    fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            let file = self.place.create(FILE)?;
            file.set_len(0)?;
            self.file.insert(file)
        };
        let magic = if self.length == 0 {
            frame::MAGIC.as_slice()
        } else {
            &[]
        };
        let added = (magic.len() + frame.len()) as u64;
        if self.length + added > self.max_bytes {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "BACKSTOP_SPOOL_MAX_BYTES is reached",
            ));
        }
        let written = file.write_all(magic).and_then(|()| file.write_all(frame));
        if let Err(error) = written {
            // Half a frame would hide all that follows it.
            self.cut(self.length)?;
            return Err(error);
        }
        self.length += added;
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.length = length;
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.set_len(length)?;
        io::Seek::seek(file, io::SeekFrom::Start(length)).map(drop)
    }
}
