//! An object that is being read: from its bytes to its lines.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::Context as _;
use backstop_archive::{LONGEST_RECORD, Line, PIECE, Unpacker};
use bytes::{Buf as _, Bytes};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::transfer::Transfer;

/// What is read of a file at once.
const CHUNK: usize = 64 * 1024;

/// Where its bytes come from.
#[derive(Debug)]
pub(super) enum Source<'a> {
    Bucket(Box<Transfer<'a>>),
    File(File),
    /// All of it is here.
    Loaded(VecDeque<anyhow::Result<Bytes>>),
}

/// All of an object as it is stored, as far as it could be read.
#[derive(Debug)]
pub struct Loaded {
    chunks: VecDeque<anyhow::Result<Bytes>>,
    tags: u64,
}

impl Loaded {
    /// To be read.
    pub fn reader(self) -> ObjectReader<'static> {
        let mut reader = ObjectReader::new(Source::Loaded(self.chunks));
        reader.tags = self.tags;
        reader
    }
}

impl Source<'_> {
    pub(super) async fn file(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).await.context("it cannot be read")?;
        Ok(Self::File(file))
    }

    async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        match self {
            Self::Bucket(transfer) => transfer.next().await,
            Self::Loaded(chunks) => chunks.pop_front().transpose(),
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
    tags: u64,
    is_cut_off: bool,
}

impl<'a> ObjectReader<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        let tags = match &source {
            Source::Bucket(transfer) => transfer.tags(),
            Source::File(_) | Source::Loaded(_) => 0,
        };
        Self {
            tags,
            source,
            unpacker: Unpacker::new(LONGEST_RECORD),
            chunk: Bytes::new(),
            is_cut_off: false,
        }
    }

    /// The number of its tags, where S3 says it.
    pub fn tags(&self) -> u64 {
        self.tags
    }

    pub(super) async fn load(mut self) -> Loaded {
        let mut chunks = VecDeque::new();
        loop {
            match self.source.next().await {
                Ok(Some(chunk)) => chunks.push_back(Ok(chunk)),
                Ok(None) => break,
                Err(error) => {
                    chunks.push_back(Err(error));
                    break;
                }
            }
        }
        Loaded {
            chunks,
            tags: self.tags,
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
                    self.is_cut_off = true;
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

    /// Whether that is because the transfer was cut off: another attempt may give more.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Why this is not all of the object.
    pub fn problem(&self) -> Option<&str> {
        self.unpacker.problem()
    }
}
