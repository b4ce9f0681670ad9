//! Shared by the chain and the attempts at its sinks: the ledger, the clock, the observer, and the jitter.

use std::sync::Arc;

use crate::backoff::Jitter;
use crate::batch::Batch;
use crate::clock::Clock;
use crate::ledger::SharedLedger;
use crate::link::Link;
use crate::role::Role;
use crate::sink::Observer;

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) ledger: SharedLedger,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) jitter: Jitter,
}

impl Context {
    /// Counts records of a batch as delivered to a sink, with what else is to be known of them.
    pub(crate) fn count_delivered(&self, link: &Link, batch: &Batch, records: usize) {
        let records = records as u64;
        let mut ledger = self.ledger.lock();
        ledger.deliver(link.sink.name(), records);
        if batch.is_ambiguous() {
            ledger.note_ambiguous(records);
        }
        if batch.dead_letter().is_some() {
            ledger.note_dead_letters(records);
        } else if link.role == Role::Fallback && batch.diverted().is_some() {
            ledger.note_diverted(records);
        }
    }
}
