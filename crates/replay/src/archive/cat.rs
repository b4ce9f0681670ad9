//! The records as they are stored, one a line.
//!
//! Objects are read side by side and written one after the other. Invariants: records come in the order of
//! keys and lines; of each object that is read ahead, no more is held than [`AHEAD`] pieces.

use std::collections::VecDeque;
use std::sync::Arc;

use backstop_archive::{Filter, Line};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use super::reading::{Objects, Room, Take, read};
use super::{Archive, Listed, Sums, Watch};

/// Pieces of an object that may wait until they are written.
const AHEAD: usize = 4;
/// The bytes of a piece.
const PIECE: usize = 256 * 1024;

enum Part {
    Text(Vec<u8>),
    Read(Sums),
}

/// Gives the text of all wanted records to `write`, until that returns false.
pub async fn cat(
    archive: Archive,
    filter: Filter,
    concurrency: usize,
    watch: Arc<dyn Watch>,
    mut write: impl FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<Sums> {
    let mut sums = Sums::default();
    let shared = Arc::new((archive, filter));
    let mut wanted = Objects::new(&shared.0, &shared.1, None);
    let mut reading: VecDeque<(usize, Receiver<Part>)> = VecDeque::new();
    let mut tasks = JoinSet::new();
    let mut room = Room::new(concurrency);
    let mut next = wanted.next(&mut sums, &*watch).await?;
    loop {
        while let Some(object) = next.take_if(|object| room.has(Room::of(object))) {
            let part = Room::of(&object);
            room.take(part);
            let (sender, receiver) = mpsc::channel(AHEAD);
            reading.push_back((part, receiver));
            let (shared, watching) = (Arc::clone(&shared), Arc::clone(&watch));
            tasks.spawn(async move { one(&shared, &object, &*watching, &sender).await });
            while tasks.try_join_next().is_some() {}
            next = wanted.next(&mut sums, &*watch).await?;
        }
        let Some((part, mut first)) = reading.pop_front() else {
            sums.end(&*watch);
            return Ok(sums);
        };
        while let Some(part) = first.recv().await {
            match part {
                Part::Text(text) if !write(&text)? => {
                    sums.is_cut_short = true;
                    return Ok(sums);
                }
                Part::Text(_) => {}
                Part::Read(part) => sums.add(&part),
            }
        }
        room.give_back(part);
    }
}

async fn one(
    shared: &(Archive, Filter),
    object: &Listed,
    watch: &dyn Watch,
    parts: &mpsc::Sender<Part>,
) {
    let (archive, filter) = shared;
    let mut texts = Texts {
        text: Vec::new(),
        parts,
    };
    let sums = read(archive, filter, object, watch, &mut texts).await;
    if !texts.text.is_empty() {
        parts.send(Part::Text(texts.text)).await.ok();
    }
    // Nobody asks any more.
    parts.send(Part::Read(sums)).await.ok();
}

/// The text that is read, in pieces.
struct Texts<'a> {
    text: Vec<u8>,
    parts: &'a mpsc::Sender<Part>,
}

impl Take for Texts<'_> {
    fn line(&mut self, line: &Line<'_>) {
        self.text.extend_from_slice(line.text.as_bytes());
        self.text.push(b'\n');
    }

    async fn piece(&mut self) -> bool {
        if self.text.len() < PIECE {
            return !self.parts.is_closed();
        }
        let text = std::mem::take(&mut self.text);
        self.parts.send(Part::Text(text)).await.is_ok()
    }
}
