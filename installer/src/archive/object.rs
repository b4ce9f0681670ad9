//! An object that is being read: from its bytes to its lines.

use std::path::Path;

use anyhow::Context as _;
use backstop_archive::{LONGEST_RECORD, Line, PIECE, Unpacker};
use bytes::{Buf as _, Bytes};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::bucket::Transfer;

/// What is read of a file at once.
const CHUNK: usize = 64 * 1024;

/// Where its bytes come from.
#[derive(Debug)]
pub(super) enum Source<'a> {
    Bucket(Box<Transfer<'a>>),
    File(File),
}

impl Source<'_> {
    pub(super) async fn file(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).await.context("it cannot be read")?;
        Ok(Self::File(file))
    }

    async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        match self {
            Self::Bucket(transfer) => transfer.next().await,
            Self::File(file) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                let read = file.take(CHUNK as u64).read_to_end(&mut chunk).await;
                read.context("it cannot be read")?;
                Ok((!chunk.is_empty()).then(|| chunk.into()))
            }
        }
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct ObjectReader<'a> {
    source: Source<'a>,
    unpacker: Unpacker,
    chunk: Bytes,
}

impl<'a> ObjectReader<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            unpacker: Unpacker::new(LONGEST_RECORD),
            chunk: Bytes::new(),
        }
    }

    /// Reads on; false at the end, when a last few lines may be there. All lines are to be taken before
    /// the next call.
    pub async fn advance(&mut self) -> bool {
        if self.chunk.is_empty() {
            match self.source.next().await {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => {
                    self.unpacker.finish();
                    return false;
                }
                Err(error) => {
                    self.unpacker.break_off(format!("{error:#}"));
                    return false;
                }
            }
        }
        let piece = self.chunk.len().min(PIECE);
        self.unpacker.push(&self.chunk[..piece]);
        self.chunk.advance(piece);
        self.unpacker.problem().is_none()
    }

    /// The next line that was read, with its number; an error says what is wrong with it.
    pub fn next_line(&mut self) -> Option<(u64, Result<Line<'_>, String>)> {
        self.unpacker.next_line()
    }

    /// Why this is not all of the object.
    pub fn problem(&self) -> Option<&str> {
        self.unpacker.problem()
    }
}
