//! Sets of ids, as runs: records are numbered as they come, so that thousands of them are mostly one.

use backstop_delivery::{EnvironmentId, RecordId};

/// Consecutive records of one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) environment: EnvironmentId,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Run {
    /// Whether it begins with this id or one before.
    pub(crate) fn begins_before(&self, id: RecordId) -> bool {
        (self.environment, self.first) <= (id.environment, id.sequence)
    }

    /// Whether the id, which it begins before, is in it.
    pub(crate) fn reaches(&self, id: RecordId) -> bool {
        self.environment == id.environment && id.sequence <= self.last
    }
}

/// Ids in the order in which they were put in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Runs(Vec<Run>);

impl Runs {
    /// Puts an id in.
    pub(crate) fn push(&mut self, id: RecordId) {
        match self.0.last_mut() {
            Some(run)
                if run.environment == id.environment
                    && run.last.checked_add(1) == Some(id.sequence) =>
            {
                run.last = id.sequence;
            }
            _ => self.0.push(Run {
                environment: id.environment,
                first: id.sequence,
                last: id.sequence,
            }),
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of runs.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The number of ids.
    pub(crate) fn len(&self) -> usize {
        let ids = self.0.iter().map(|run| run.last - run.first + 1);
        usize::try_from(ids.sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// The runs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.0.iter()
    }

    /// Makes [`Runs::contains`] work.
    pub(crate) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// Whether the id is in one of the runs, once they are sorted; they must not overlap.
    pub(crate) fn contains(&self, id: RecordId) -> bool {
        let run = (self.0.partition_point(|run| run.begins_before(id))).checked_sub(1);
        run.is_some_and(|index| self.0[index].reaches(id))
    }

    /// The ids, one by one.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RecordId> {
        self.0.iter().flat_map(|run| {
            let environment = run.environment;
            (run.first..=run.last).map(move |sequence| RecordId {
                environment,
                sequence,
            })
        })
    }
}

impl Extend<RecordId> for Runs {
    fn extend<I: IntoIterator<Item = RecordId>>(&mut self, ids: I) {
        ids.into_iter().for_each(|id| self.push(id));
    }
}

impl Extend<Run> for Runs {
    fn extend<I: IntoIterator<Item = Run>>(&mut self, runs: I) {
        self.0.extend(runs);
    }
}
