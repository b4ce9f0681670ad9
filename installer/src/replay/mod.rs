//! Replay: from the archive back to a primary.
//!
//! In the order in which a record meets them: [`crate::archive`] lists and reads objects,
//! [`backstop_archive`] finds their records and chooses, `batch` groups and names requests, `target` is
//! where they go, `send` gets them there, `named` is what was named and met nowhere, `summary` counts.
//!
//! Invariants: a record is sent as it was archived, but for the reason it was, and once in a run; what is
//! broken costs nothing but itself; every record that was read is in exactly one count of the
//! [`Summary`]; what is held does not grow with an object.
//! Must not: print, exit, or change the archive.

mod batch;
mod named;
mod send;
mod summary;
mod target;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backstop_archive::{Filter, Line};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::archive::{Archive, InGlacier, Listed, ObjectReader};
use batch::{Batcher, Occurrence, Record, Seen};
use named::Named;
use send::Sender;
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

/// Receives progress.
pub trait Observer: Send + Sync {
    /// This many more stored bytes were found.
    fn listed(&self, _bytes: u64) {}
    /// An object of this many bytes is done; `total` counts all results so far.
    fn object_done(&self, _bytes: u64, _total: &Summary) {}
}

/// For a caller that does not want to know.
impl Observer for () {}

/// Replays what is in `archive` to `target`.
///
/// When `stop` becomes true, no further object starts, and records not sent count as failed.
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
        named: Mutex::new(Named::of(&options.filter)),
        options,
        seen: Mutex::default(),
    });
    let mut total = Summary {
        dry_run: job.options.dry_run,
        ..Summary::default()
    };
    let mut tasks = JoinSet::new();
    let mut listing = job.archive.list(&job.options.filter);
    'listing: loop {
        let page = match listing.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            // Only the first page can fail the run: later, the records sent must be reported.
            Err(error) if total.is_empty() => return Err(error),
            Err(error) => {
                total.halted = Some(format!("{error:#}"));
                break;
            }
        };
        total.outside(&page.outside);
        total.partitions_skipped += page.skipped.len() as u64;
        for folder in &page.skipped {
            job.named().object(folder);
            job.named().unread(folder);
        }
        for (folder, problem) in page.unreadable {
            job.named().unread(&folder);
            total.objects_broken += 1;
            total.problem(Problem::object(&folder, problem));
        }
        observer.listed(page.objects.iter().map(|object| object.bytes).sum());
        for object in page.objects {
            job.named().object(&object.key);
            if !job
                .options
                .filter
                .admits_object(&object.key, object.written)
            {
                total.objects_filtered += 1;
                job.named().unread(&object.key);
                observer.object_done(object.bytes, &total);
                continue;
            }
            while tasks.len() >= concurrency {
                finish_one(&mut tasks, &mut total, observer).await?;
            }
            if *stop.borrow() || job.sender.halted().is_some() {
                break 'listing;
            }
            let job = Arc::clone(&job);
            tasks.spawn(async move { (object.bytes, job.object(&object).await) });
        }
    }
    while !tasks.is_empty() {
        finish_one(&mut tasks, &mut total, observer).await?;
    }
    total.halted = job.sender.halted().or(total.halted);
    total.interrupted = *stop.borrow();
    if total.is_empty() {
        total.nearest = job.archive.nearest().await;
    } else if total.is_at_end() {
        total.unmatched = job.named().missing();
    }
    total.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(total)
}

async fn finish_one(
    tasks: &mut JoinSet<(u64, Summary)>,
    total: &mut Summary,
    observer: &dyn Observer,
) -> anyhow::Result<()> {
    if let Some(part) = tasks.join_next().await {
        let (bytes, part) = part?;
        total.add(part);
        observer.object_done(bytes, total);
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
    named: Mutex<Named>,
}

impl Job {
    /// Replays one object.
    async fn object(&self, object: &Listed) -> Summary {
        let mut summary = Summary::default();
        let mut reader = match self.archive.open(object).await {
            Ok(reader) => reader,
            Err(error) => {
                self.named().unread(&object.key);
                if error.is::<InGlacier>() {
                    summary.objects_to_restore += 1;
                    summary.problem(Problem::object(&object.key, error.to_string()));
                } else {
                    summary.objects_broken += 1;
                    summary.problem(Problem::object(&object.key, format!("{error:#}")));
                }
                return summary;
            }
        };
        summary.objects += 1;
        let mut batcher = Batcher::new(self.options.batch_records);
        loop {
            let is_more = tokio::select! {
                is_more = reader.advance() => is_more,
                // What is left of it is not read: it would not be sent any more.
                () = self.sender.ended() => break,
            };
            self.records(object, &mut reader, &mut batcher, &mut summary)
                .await;
            if !is_more {
                break;
            }
        }
        if let Some(problem) = reader.problem() {
            self.named().unread(&object.key);
            summary.objects_broken += 1;
            summary.problem(Problem::object(&object.key, problem.to_owned()));
        }
        if let Some(batch) = batcher.take() {
            summary.add(self.sender.deliver(&object.key, &batch).await);
        }
        summary
    }

    /// Takes the records that are there, and sends each batch that they fill.
    async fn records(
        &self,
        object: &Listed,
        reader: &mut ObjectReader<'_>,
        batcher: &mut Batcher,
        summary: &mut Summary,
    ) {
        let key = &object.key;
        while let Some((number, line)) = reader.next_line() {
            let full = match line {
                Ok(line) => self.line((key, number), &line, summary, batcher),
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
    }

    /// Counts a record, and gives the batch that it has filled.
    fn line(
        &self,
        (key, number): (&str, u64),
        line: &Line<'_>,
        summary: &mut Summary,
        batcher: &mut Batcher,
    ) -> Option<Vec<Record>> {
        summary.records += 1;
        let record = &line.record;
        self.named().record(key, record);
        let verdict = self.options.filter.judge(key, record);
        if !verdict.is_wanted {
            summary.filtered += 1;
            return None;
        }
        summary.without_time += u64::from(verdict.has_no_time);
        summary.without_function += u64::from(verdict.has_no_function);
        let id = record.id();
        let sent = record.without_reason();
        let meeting = (self.seen.lock())
            .unwrap_or_else(PoisonError::into_inner)
            .meet(id, &sent);
        match meeting {
            Occurrence::First => {}
            Occurrence::Again => {
                summary.duplicates += 1;
                return None;
            }
            Occurrence::Conflict => {
                summary.id_conflicts += 1;
                summary.problem(Problem::conflict(key, number, id));
            }
        }
        if self.options.dry_run {
            summary.would_send += 1;
            let function = record.function_name();
            let reason = record.diverted.as_ref();
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
            line: sent,
        })
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
