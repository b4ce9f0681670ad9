//! Replay: from the archive back to a primary.
//!
//! In the order in which a record meets them: [`crate::archive`] lists and reads objects, `job` reads those
//! that are small together, [`backstop_archive`] finds their records and chooses, `batch` groups and names
//! requests, `target` is where they go, `pace` says when, `send` gets them there, `checkpoint` has what is
//! done and `dead_letters` what was refused, `named` is what was named and met nowhere, `summary` counts.
//!
//! Invariants: a record is sent as it was archived, but for the reason it was, and once in a run; what was
//! acknowledged is not sent again by a run that is resumed; what is broken costs nothing but itself; every
//! record that was read is in exactly one count of the [`Summary`]; an object is marked only when all of
//! its records are at the primary; what is held grows neither with an object nor with the archive.
//! Must not: print or exit.

mod advice;
mod ask;
mod batch;
mod checkpoint;
mod dead_letters;
mod given;
mod job;
mod named;
mod pace;
mod send;
mod summary;
mod tally;
mod target;

use std::path::PathBuf;
use std::sync::Arc;

use backstop_archive::Filter;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::archive::{After, Archive, Listed};
pub use checkpoint::{Begin, Checkpoint, CheckpointPlace, CheckpointStore, Subject};
use dead_letters::DeadLetters;
pub use given::{Left, Outcome, Replayer};
use job::Job;
use pace::Pace;
pub use pace::Rate;
pub use summary::{Problem, Summary};
pub use target::{Target, TargetOptions};

/// The most bytes of an object that is read together with others, and of all of them.
const SMALL: u64 = 128 * 1024;
const SMALL_TOGETHER: u64 = 512 * 1024;
/// The most objects that are read together.
const MOST_TOGETHER: usize = 256;

/// What to replay.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Where it is.
    pub archive: Archive,
    /// What of it is wanted.
    pub filter: Filter,
}

impl Selection {
    /// Everything in an archive.
    pub fn all(archive: Archive) -> Self {
        Self {
            archive,
            filter: Filter::default(),
        }
    }
}

/// How to replay.
#[derive(Debug)]
pub struct Options {
    /// Read and count, send nothing.
    pub dry_run: bool,
    /// Groups of objects that are read and sent side by side.
    pub concurrency: usize,
    /// The most records in one request.
    pub batch_records: usize,
    /// How fast, in records and in bytes.
    pub rates: Vec<Rate>,
    /// What is done with an object once all of its records are at the primary.
    pub after: After,
    /// Also what is marked as replayed to this target.
    pub include_replayed: bool,
    /// Also what was archived beside the primary: it was delivered, or the primary was not to get it. Then objects
    /// that are marked are read as well.
    pub include_mirrored: bool,
    /// What is done, and to be written down.
    pub checkpoint: Option<Checkpoint>,
    /// The file for records that the primary refuses.
    pub dead_letters: Option<PathBuf>,
    /// When it becomes true, no further object starts, and records not sent count as failed.
    pub stop: Option<watch::Receiver<bool>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dry_run: false,
            concurrency: 4,
            batch_records: 1000,
            rates: Vec::new(),
            after: After::Keep,
            include_replayed: true,
            include_mirrored: false,
            checkpoint: None,
            dead_letters: None,
            stop: None,
        }
    }
}

pub trait Progress: Send + Sync {
    /// This many more stored bytes were found.
    fn listed(&self, _bytes: u64) {}
    /// Objects of this many bytes are done; `total` counts all results so far.
    fn object_done(&self, _bytes: u64, _total: &Summary) {}
}

/// For a caller that does not want to know.
impl Progress for () {}

/// Replays what is selected to `target`.
///
/// It fails only if the archive cannot be listed at all. What became of every record is in the [`Summary`]:
/// [`Summary::is_complete`] says whether all of it is at the primary. `&()` is a progress that nobody
/// watches.
pub async fn replay(
    mut selection: Selection,
    target: Target,
    mut options: Options,
    progress: &dyn Progress,
) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let concurrency = options.concurrency.max(1);
    let mut total = Summary {
        dry_run: options.dry_run,
        ..Summary::default()
    };
    selection.filter.without_mirrored = !options.include_mirrored;
    // A mark says nothing of copies.
    options.include_replayed |= options.include_mirrored;
    // Without one nobody interrupts: the sender is gone, and the value stays.
    let stop = (options.stop.take()).unwrap_or_else(|| watch::channel(false).1);
    let job = Arc::new(Job::new(selection, target, options, stop.clone())?);
    let mut tasks = JoinSet::new();
    let mut listing = job.archive.list(&job.filter);
    let mut together = Vec::new();
    'listing: loop {
        let page = match listing.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            // Only the first page can fail the run: later, the records sent must be reported.
            Err(error) if total.is_empty() => {
                Box::pin(job.end(false)).await;
                return Err(error);
            }
            Err(error) => {
                total.halted = Some(format!("{error:#}"));
                break;
            }
        };
        job.page(&page, &mut total);
        progress.listed(page.objects.iter().map(|object| object.bytes).sum());
        for object in page.objects {
            if !job.is_wanted(&object, &mut total) {
                progress.object_done(object.bytes, &total);
                continue;
            }
            let is_alone = object.bytes > SMALL;
            together.push(object);
            if !is_alone && !is_full(&together) {
                continue;
            }
            while tasks.len() >= concurrency {
                finish_one(&mut tasks, &mut total, progress).await?;
            }
            if job.sender.is_over() {
                break 'listing;
            }
            start(&job, &mut tasks, &mut together);
        }
    }
    if !together.is_empty() && !job.sender.is_over() {
        start(&job, &mut tasks, &mut together);
    }
    while !tasks.is_empty() {
        finish_one(&mut tasks, &mut total, progress).await?;
    }
    total.halted = job.sender.halted().or(total.halted);
    total.interrupted = *stop.borrow();
    if total.is_empty() {
        total.nearest = job.archive.nearest().await;
    } else if total.is_at_end() {
        total.unmatched = job.named().missing();
    }
    total.dead_letters = job.sender.state().dead_letters.shown();
    let is_done = total.is_at_end() && total.failed + total.objects_left == 0;
    total.checkpoint = (job.sender.state().checkpoint.as_ref())
        .filter(|_| !is_done && !total.dry_run)
        .map(Checkpoint::shown);
    Box::pin(job.end(is_done)).await;
    total.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(total)
}

/// Whether no other object is to be read with these.
fn is_full(together: &[Listed]) -> bool {
    let bytes: u64 = together.iter().map(|object| object.bytes).sum();
    together.len() >= MOST_TOGETHER || bytes >= SMALL_TOGETHER
}

fn start(job: &Arc<Job>, tasks: &mut JoinSet<(u64, Summary)>, together: &mut Vec<Listed>) {
    let objects = std::mem::take(together);
    let bytes = objects.iter().map(|object| object.bytes).sum();
    let job = Arc::clone(job);
    tasks.spawn(async move { (bytes, job.objects(objects).await) });
}

async fn finish_one(
    tasks: &mut JoinSet<(u64, Summary)>,
    total: &mut Summary,
    progress: &dyn Progress,
) -> anyhow::Result<()> {
    if let Some(part) = tasks.join_next().await {
        let (bytes, part) = part?;
        total.add(part);
        progress.object_done(bytes, total);
    }
    Ok(())
}
