//! Sets of ids, as ranges: records are numbered as they come, so that thousands of them are mostly one range.

use backstop_delivery::{EnvironmentId, RecordId};

/// Consecutive records of one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdRange {
    pub(crate) environment: EnvironmentId,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl IdRange {
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
pub(crate) struct IdRanges(Vec<IdRange>);

impl IdRanges {
    /// Puts an id in.
    pub(crate) fn push(&mut self, id: RecordId) {
        match self.0.last_mut() {
            Some(range)
                if range.environment == id.environment
                    && range.last.checked_add(1) == Some(id.sequence) =>
            {
                range.last = id.sequence;
            }
            _ => self.0.push(IdRange {
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

    /// The number of ranges.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The number of ids.
    pub(crate) fn len(&self) -> usize {
        let ids = self.0.iter().map(|range| range.last - range.first + 1);
        usize::try_from(ids.sum::<u64>()).unwrap_or(usize::MAX)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &IdRange> {
        self.0.iter()
    }

    /// Makes [`IdRanges::contains`] work.
    pub(crate) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// Whether the id is in one of the ranges, once they are sorted; they must not overlap.
    pub(crate) fn contains(&self, id: RecordId) -> bool {
        let range = (self.0.partition_point(|range| range.begins_before(id))).checked_sub(1);
        range.is_some_and(|index| self.0[index].reaches(id))
    }

    /// The ids, one by one.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RecordId> {
        self.0.iter().flat_map(|range| {
            let environment = range.environment;
            (range.first..=range.last).map(move |sequence| RecordId {
                environment,
                sequence,
            })
        })
    }
}

impl Extend<RecordId> for IdRanges {
    fn extend<I: IntoIterator<Item = RecordId>>(&mut self, ids: I) {
        ids.into_iter().for_each(|id| self.push(id));
    }
}

impl Extend<IdRange> for IdRanges {
    fn extend<I: IntoIterator<Item = IdRange>>(&mut self, ranges: I) {
        self.0.extend(ranges);
    }
}
