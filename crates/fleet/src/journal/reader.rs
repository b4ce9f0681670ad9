//! Reads the lines of a journal.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

use super::{Entry, Header, Progress, Run};
use crate::parsing;

/// Of the form that is written, and the only one that is read.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// The run, and how many bytes are whole lines; none where not even the header is.
pub(super) fn parse<P: DeserializeOwned>(
    id: &str,
    mut reader: impl BufRead,
) -> anyhow::Result<Option<(Run<P>, u64)>> {
    let broken = |number: usize| {
        format!(
            "line {number} of the journal of run {id} is broken: fix it, or move the journal away; \
             Backstop then ignores the run"
        )
    };
    let mut first = Line::of(&mut reader);
    let header =
        serde_json::from_reader::<_, Header<P>>(BufReader::new(&mut first)).map_err(parsing::json);
    std::io::copy(&mut first, &mut std::io::sink()).with_context(|| broken(1))?;
    if !first.is_whole {
        return Ok(None);
    }
    let mut whole = first.length;
    let header = header.with_context(|| broken(1))?;
    if header.schema_version != SCHEMA_VERSION {
        bail!(
            "release {} wrote run {id}: use that release or a newer one",
            header.release
        );
    }
    let mut progress = Progress::default();
    let mut line = Vec::new();
    for number in 2.. {
        line.clear();
        let read = (reader.read_until(b'\n', &mut line)).with_context(|| broken(number))?;
        if line.last() != Some(&b'\n') {
            break;
        }
        whole += read as u64;
        let entry: Entry = serde_json::from_slice(&line)
            .map_err(parsing::json)
            .with_context(|| broken(number))?;
        progress.add(entry);
    }
    Ok(Some((Run { header, progress }, whole)))
}

/// The next line of a reader and its end, to be read piece by piece: that of a plan may have 100 MB.
struct Line<R> {
    reader: R,
    /// Bytes so far.
    length: u64,
    /// Whether its end was read.
    is_whole: bool,
}

impl<R: BufRead> Line<R> {
    fn of(reader: R) -> Self {
        Self {
            reader,
            length: 0,
            is_whole: false,
        }
    }
}

impl<R: BufRead> Read for Line<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.is_whole {
            return Ok(0);
        }
        let available = self.reader.fill_buf()?;
        let available = &available[..available.len().min(buffer.len())];
        let end = available.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(available.len(), |at| at + 1);
        buffer[..read].copy_from_slice(&available[..read]);
        self.reader.consume(read);
        self.length += read as u64;
        self.is_whole = end.is_some();
        Ok(read)
    }
}
