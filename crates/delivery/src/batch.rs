//! A batch: the records that share a fate, and what has happened to them so far.

use crate::cause::Cause;
use crate::clock::Wall;
use crate::outcome::DeadLetter;
use crate::record::{Record, Signal};
use crate::role::SinkName;
use crate::route::Route;

/// Why records are in a fallback instead of the primary; written beside each archived record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diverted {
    /// The sink that did not take them.
    pub sink: SinkName,
    /// What it said or did.
    pub cause: Cause,
}

/// Records that are sent together: of one signal and for the primary, or for the archive only.
#[derive(Debug, Clone)]
pub struct Batch {
    created: Wall,
    records: Vec<Record>,
    diverted: Option<Diverted>,
    dead_letter: Option<DeadLetter>,
    ambiguous: bool,
}

impl Batch {
    /// A batch of `records`, or `None` of none.
    pub fn new(created: Wall, records: Vec<Record>) -> Option<Self> {
        (!records.is_empty()).then_some(Self {
            created,
            records,
            diverted: None,
            dead_letter: None,
            ambiguous: false,
        })
    }

    /// The batch's id: its first record's id and the number of records. The same records always
    /// make the same id, so a retry is recognised as one (`Idempotency-Key`, object key).
    pub fn id(&self) -> String {
        self.records.first().map_or_else(String::new, |first| {
            format!("{}-{}", first.id(), self.records.len())
        })
    }

    /// The signal of its records.
    pub fn signal(&self) -> Signal {
        self.records.first().map(Record::signal).unwrap_or_default()
    }

    /// Whether only fallbacks are to have its records: then all of them.
    pub fn is_archive_only(&self) -> bool {
        let route = self.records.first().map(Record::route);
        route.is_some_and(Route::is_archive_only)
    }

    /// When the batch was formed; decides the archive's partition, so that a retry keeps it.
    pub fn created(&self) -> Wall {
        self.created
    }

    /// The records, in the order received.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes the records out.
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether all records have been taken out of it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The bytes of memory the batch is charged with.
    pub fn cost(&self) -> usize {
        self.records.iter().map(Record::cost).sum()
    }

    /// Why the batch is not at the primary, where that is so.
    pub fn diverted(&self) -> Option<Diverted> {
        self.diverted
    }

    /// The first reason stays: it is the one that began the outage, and with it the bytes stay.
    ///
    /// What the primary is not to have is not diverted.
    pub(crate) fn divert(&mut self, sink: SinkName, cause: Cause) {
        if self.is_archive_only() {
            return;
        }
        self.diverted.get_or_insert(Diverted { sink, cause });
    }

    /// No retry at the primary can save its records: from now on only the archive is tried.
    pub(crate) fn make_dead_letter(&mut self, sink: SinkName, cause: Cause, kind: DeadLetter) {
        self.diverted = Some(Diverted { sink, cause });
        self.dead_letter = Some(kind);
        // They were found one by one.
        self.records.sort_by_key(Record::id);
    }

    pub(crate) fn dead_letter(&self) -> Option<DeadLetter> {
        self.dead_letter
    }

    /// A sink may have taken the batch without our hearing of it.
    pub fn mark_ambiguous(&mut self) {
        self.ambiguous = true;
    }

    /// Whether a sink may have taken the batch without our hearing of it.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Splits off what stands at `at` and after it.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        Self {
            records: self.records.split_off(at),
            ..self.clone_state()
        }
    }

    /// Takes out the records at which `fates` has this one, in order; `None` where there is none.
    pub(crate) fn take_out<T: PartialEq>(&mut self, fates: &[T], fate: &T) -> Option<Self> {
        let mut out = self.clone_state();
        let mut kept = Vec::with_capacity(self.records.len());
        for (index, record) in std::mem::take(&mut self.records).into_iter().enumerate() {
            if fates.get(index) == Some(fate) {
                out.records.push(record);
            } else {
                kept.push(record);
            }
        }
        self.records = kept;
        (!out.is_empty()).then_some(out)
    }

    /// One batch of several that share a fate from now on, in order; `None` of none.
    pub(crate) fn merge(batches: Vec<Self>) -> Option<Self> {
        batches.into_iter().reduce(|mut all, next| {
            all.absorb(next);
            all
        })
    }

    /// Takes in the records of another batch.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.records.append(&mut other.records);
        self.ambiguous |= other.ambiguous;
        self.diverted = self.diverted.or(other.diverted);
    }

    /// Notes that all its records have a copy that outlives the process.
    pub fn set_kept(&mut self) {
        self.records.iter_mut().for_each(Record::set_kept);
    }

    /// Keeps only the records that `keep` wants. An emptied batch is for the caller to forget.
    pub fn retain(&mut self, keep: impl FnMut(&mut Record) -> bool) {
        self.records.retain_mut(keep);
    }

    fn clone_state(&self) -> Self {
        Self {
            records: Vec::new(),
            ..*self
        }
    }
}
