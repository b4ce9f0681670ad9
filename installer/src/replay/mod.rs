//! Replay: from the archive back to a primary.
//!
//! In the order in which a record meets them: `source` lists and gets objects, `object` reads their
//! lines, `filter` chooses, `batch` groups and names requests, `target` is where they go, `send`
//! gets them there, `summary` counts.
//!
//! Invariants: a record is sent with the id it had at first, and once in a run; what is broken costs
//! nothing but itself; every record that was read is in exactly one count of the [`Summary`].
//! Must not: print, exit, or change the archive.

mod batch;
mod filter;
mod object;
mod send;
mod source;
mod summary;
mod target;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use batch::{Batcher, Record, Seen};
pub use filter::{Filter, Moment};
use object::{LARGEST_OBJECT, Line, Plain};
use send::Sender;
use source::Listed;
pub use source::{Archive, Location};
pub use summary::{Problem, Summary};
pub use target::{Target, TargetOptions};

/// How to replay.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is wanted.
    pub filter: Filter,
    /// Read and count, send nothing.
    pub dry_run: bool,
    /// Objects that are read and sent side by side.
    pub concurrency: usize,
    /// The most records in one request.
    pub batch_records: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            dry_run: false,
            concurrency: 4,
            batch_records: 1000,
        }
    }
}

/// Is told how far a run has come.
pub trait Observer: Send + Sync {
    /// So many more objects are known of.
    fn listed(&self, _objects: u64) {}
    /// An object is done; `total` counts what became of all so far.
    fn object_done(&self, _total: &Summary) {}
}

/// Whoever does not want to know.
impl Observer for () {}

/// Replays what is in `archive` to `target`.
///
/// When `stop` becomes true no further object is begun, and what was not sent counts as failed.
pub async fn run(
    archive: Archive,
    target: Target,
    options: Options,
    observer: &dyn Observer,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let concurrency = options.concurrency.max(1);
    let job = Arc::new(Job {
        sender: Sender::new(target, stop.clone())?,
        archive,
        options,
        seen: Mutex::default(),
    });
    let mut total = Summary {
        dry_run: job.options.dry_run,
        ..Summary::default()
    };
    let mut tasks = JoinSet::new();
    let mut pages = Pages::default();
    'listing: while let Some(objects) = pages.next(&job.archive, &mut total).await? {
        observer.listed(objects.len() as u64);
        for object in objects {
            if !job.options.filter.admits_key(&object.key) {
                total.objects_filtered += 1;
                observer.object_done(&total);
                continue;
            }
            while tasks.len() >= concurrency {
                finish_one(&mut tasks, &mut total, observer).await?;
            }
            if *stop.borrow() || job.sender.halted().is_some() {
                break 'listing;
            }
            let job = Arc::clone(&job);
            tasks.spawn(async move { job.object(&object.key).await });
        }
    }
    while !tasks.is_empty() {
        finish_one(&mut tasks, &mut total, observer).await?;
    }
    total.halted = job.sender.halted().or(total.halted);
    total.interrupted = *stop.borrow();
    total.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(total)
}

/// Where the listing stands.
#[derive(Debug, Default)]
struct Pages {
    begun: bool,
    token: Option<String>,
}

impl Pages {
    /// The next page. Only the first one can fail the run: later, what was sent is to be told.
    async fn next(
        &mut self,
        archive: &Archive,
        total: &mut Summary,
    ) -> anyhow::Result<Option<Vec<Listed>>> {
        if self.begun && self.token.is_none() {
            return Ok(None);
        }
        match archive.page(self.token.take()).await {
            Ok((objects, token)) => {
                self.begun = true;
                self.token = token;
                Ok(Some(objects))
            }
            Err(error) if self.begun => {
                total.halted = Some(format!("{error:#}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

async fn finish_one(
    tasks: &mut JoinSet<Summary>,
    total: &mut Summary,
    observer: &dyn Observer,
) -> anyhow::Result<()> {
    if let Some(part) = tasks.join_next().await {
        total.add(part?);
        observer.object_done(total);
    }
    Ok(())
}

/// What the tasks of one run share.
#[derive(Debug)]
struct Job {
    sender: Sender,
    archive: Archive,
    options: Options,
    seen: Mutex<Seen>,
}

impl Job {
    /// Replays one object.
    async fn object(&self, key: &str) -> Summary {
        let mut summary = Summary::default();
        let bytes = match self.archive.get(key).await {
            Ok(bytes) => bytes,
            Err(error) => {
                summary.objects_broken += 1;
                summary.problem(Problem::object(key, format!("{error:#}")));
                return summary;
            }
        };
        summary.objects += 1;
        let plain = Plain::unpack(bytes, LARGEST_OBJECT);
        if let Some(problem) = &plain.problem {
            summary.objects_broken += 1;
            summary.problem(Problem::object(key, problem.clone()));
        }
        let mut batcher = Batcher::new(self.options.batch_records);
        for (number, line) in plain.lines() {
            let full = match line {
                Ok(line) => self.line(&line, &mut summary, &mut batcher),
                Err(problem) => {
                    summary.broken_lines += 1;
                    summary.problem(Problem::line(key, number, problem));
                    None
                }
            };
            if let Some(batch) = full {
                summary.add(self.sender.deliver(key, &batch).await);
            }
        }
        if let Some(batch) = batcher.take() {
            summary.add(self.sender.deliver(key, &batch).await);
        }
        summary
    }

    /// Counts a record, and gives the batch that it has filled.
    fn line(
        &self,
        line: &Line<'_>,
        summary: &mut Summary,
        batcher: &mut Batcher,
    ) -> Option<Vec<Record>> {
        summary.records += 1;
        let id = line.record.id();
        if !self.options.filter.admits(line.text, &line.record) {
            summary.filtered += 1;
            return None;
        }
        let is_new = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_new(id);
        if !is_new {
            summary.duplicates += 1;
            return None;
        }
        if self.options.dry_run {
            summary.would_send += 1;
            let function = line.record.function_name();
            let reason = line.record.diverted.as_ref();
            let reason = reason.map_or("not diverted", |diverted| diverted.reason.as_str());
            *summary
                .functions
                .entry(function.unwrap_or_else(|| "unknown".to_owned()))
                .or_default() += 1;
            *summary.reasons.entry(reason.to_owned()).or_default() += 1;
            return None;
        }
        batcher.push(Record {
            id: id.to_owned(),
            line: line.record.without_reason(),
        })
    }
}
