//! Replays objects that are given, one after the other, and says what became of each.
//!
//! For a caller that gets its objects from a queue: it lists nothing. Each object has requests of its own, so
//! that an object that is given again makes the same requests under the same keys. Invariants: an object is
//! [`Outcome::Done`] only if nothing of it must be sent again and nothing of it was refused; every record
//! that was read is in the counts. Must not: list, or remember an object longer than a [`Replayer`] lives.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::job::{Job, name};
use super::summary::{Problem, Summary};
use super::{Options, Selection, Target};
use crate::archive::Listed;

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All that is wanted of it is at the primary, now or since an earlier replay.
    Done,
    /// It is not there any more.
    Missing,
    /// No further attempt will do more for it, and why.
    Poison(String),
    /// Something of it must be sent again.
    Left(Left),
}

/// Why something is left of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// The primary does not take requests: no object can be replayed.
    Halted(String),
    /// There was no time for all of it.
    Interrupted,
    /// AWS denies what every object needs, or this one only. Its records were all sent where only the mark is
    /// denied.
    Denied {
        /// What to grant.
        reason: String,
        /// Whether only the mark is missing.
        is_sent: bool,
    },
    /// This object only, as far as is known.
    Failed(String),
}

/// Replays objects to one target.
#[derive(Debug)]
pub struct Replayer {
    job: Arc<Job>,
    stop: watch::Receiver<bool>,
    given: Mutex<HashSet<String>>,
}

impl Replayer {
    /// One for some objects of an archive. `options` is as for [`super::replay`]; what is marked is skipped
    /// only where `include_replayed` is false.
    pub fn new(
        mut selection: Selection,
        target: Target,
        mut options: Options,
    ) -> anyhow::Result<Self> {
        selection.filter.without_mirrored = !options.include_mirrored;
        options.include_replayed |= options.include_mirrored;
        let stop = (options.stop.take()).unwrap_or_else(|| watch::channel(false).1);
        let job = Arc::new(Job::new(selection, target, options, stop.clone())?);
        Ok(Self {
            job,
            stop,
            given: Mutex::default(),
        })
    }

    /// Replays an object. One that was given before is not read again: its records would all count as
    /// duplicates of themselves.
    pub async fn object(&self, object: Listed) -> (Outcome, Summary) {
        let key = object.key.clone();
        let is_new = self
            .given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name(&object));
        if !is_new {
            let again = Left::Failed("it was given twice at once: it is tried again".to_owned());
            return (Outcome::Left(again), Summary::default());
        }
        let summary = self.job.objects(vec![object]).await;
        (self.outcome(&key, &summary), summary)
    }

    /// Why the primary takes nothing more.
    pub fn refused(&self) -> Option<String> {
        self.job.sender.refused()
    }

    /// Lets go of the checkpoint, which is removed if nothing is left.
    pub async fn end(self, is_done: bool) {
        Box::pin(self.job.end(is_done)).await;
    }

    fn outcome(&self, key: &str, summary: &Summary) -> Outcome {
        let reason = || {
            let first = summary.problems.first();
            first.map_or_else(|| format!("{key} was not replayed"), shown)
        };
        if summary.objects_missing > 0 {
            return Outcome::Missing;
        }
        if let Some(reason) = &summary.denied {
            return Outcome::Left(Left::Denied {
                reason: reason.clone(),
                is_sent: summary.objects_unmarked > 0,
            });
        }
        if summary.objects_to_restore > 0 {
            return Outcome::Poison(reason());
        }
        // An object that was not begun is in no count.
        let is_begun = summary.objects + summary.objects_replayed + summary.objects_left > 0;
        if summary.objects_left > 0 || !is_begun {
            return Outcome::Left(match (self.refused(), *self.stop.borrow()) {
                (Some(refused), _) => Left::Halted(refused),
                (None, true) => Left::Interrupted,
                (None, false) if summary.failed > 0 => {
                    let why = summary.failure.as_ref();
                    let why = why.map_or_else(String::new, |why| format!(": {why}"));
                    Left::Failed(format!(
                        "the primary did not take {} of its records{why}",
                        summary.failed
                    ))
                }
                (None, false) => Left::Failed(reason()),
            });
        }
        let lost = summary.objects_broken + summary.broken_lines + summary.rejected;
        if lost + summary.objects_unmarked > 0 {
            return Outcome::Poison(reason());
        }
        Outcome::Done
    }
}

fn shown(problem: &Problem) -> String {
    match problem.line {
        Some(line) => format!("line {line}: {}", problem.problem),
        None => problem.problem.clone(),
    }
}
