//! What one run of the extension leaves to the next in the same environment: records by the spool,
//! counts by the books.
//!
//! Invariant: whatever is wrong with `/tmp`, it is told once in a while and costs nothing else. Must
//! not know invocations: the pipeline says when a freeze may come.

use std::io;

use backstop_delivery::{Batch, DropReason, Ledger, SharedLedger, Wall};
use serde_json::json;

use super::Buffer;
use super::spool::{Books, Contents, Spool};
use crate::diagnostics::Log;

/// The spool, the books, and whom to tell when they fail.
#[derive(Debug)]
pub(crate) struct Handover {
    spool: Spool,
    books: Books,
    /// The counts when the flush under way began.
    before_flush: Option<Ledger>,
    log: Log,
}

impl Handover {
    pub(crate) fn new(spool: Spool, books: Books, log: Log) -> Self {
        Self {
            spool,
            books,
            before_flush: None,
            log,
        }
    }

    /// Takes over what the last run left: its records, and where it was killed its counts.
    pub(crate) fn inherit(&mut self, buffer: &mut Buffer, ledger: &SharedLedger, now: Wall) {
        let before = self.books.recover();
        let before = self.or_warn(before).unwrap_or_else(|| {
            let removed = self.books.remove();
            self.or_warn(removed);
            None
        });
        let found = self.spool.recover(buffer.max_bytes(), now);
        let found = self.or_warn(found).unwrap_or_else(|| {
            let discarded = self.spool.discard();
            self.or_warn(discarded);
            Contents::default()
        });
        if found.torn + found.foreign > 0 {
            self.log.warn(
                "Part of the spool cannot be read",
                &json!({"tornBytes": found.torn, "foreignBytes": found.foreign}),
            );
        }
        let lost = take_over(&mut ledger.lock(), before, &found);
        if lost > 0 {
            self.log.error(
                "Lost records: the last run of this environment was killed before a sink or the spool had them",
                &json!({"records": lost}),
            );
        }
        if !found.is_empty() {
            self.log.info(
                "Recovered records that the last run of this environment left",
                &json!({"records": found.len()}),
            );
        }
        refill(buffer, found, now);
        // An ordinary init finds nothing, and writes nothing.
        if ledger.lock().received() > 0 {
            self.count(&ledger.lock());
        }
        let reopened = self.spool.reopen();
        self.or_warn(reopened);
    }

    /// From now on a freeze may come, or a kill: all that waits is kept.
    pub(crate) fn keep(&mut self, buffer: &mut Buffer) {
        let kept = self.spool.keep(buffer);
        self.or_warn(kept);
    }

    /// A flush begins: until it is over, what it delivers is neither struck off nor counted.
    pub(crate) fn flush_begins(&mut self, ledger: &Ledger) {
        self.before_flush = Some(ledger.clone());
    }

    /// It is over, and nothing is under way.
    pub(crate) fn flush_is_over(&mut self, buffer: &mut Buffer, ledger: &Ledger) {
        self.before_flush = None;
        self.strike(buffer);
        self.count(ledger);
    }

    /// Records were dropped.
    pub(crate) fn strike(&mut self, buffer: &mut Buffer) {
        let struck = self.spool.strike(buffer);
        self.or_warn(struck);
    }

    /// The counts have changed. What they say to be pending is in the spool, or lost by a kill: so
    /// nothing is counted as delivered while the spool still has it.
    pub(crate) fn count(&mut self, ledger: &Ledger) {
        let counted = match &self.before_flush {
            Some(before) => self.books.write(&ledger.as_if_unsent_since(before)),
            None => self.books.write(ledger),
        };
        self.or_warn(counted);
    }

    /// The environment may go on with another run: leaves it what waits. False where that cannot be.
    pub(crate) fn leave(&mut self, buffer: &mut Buffer) -> bool {
        match self.spool.close(buffer) {
            Ok(()) => true,
            // There is none, by choice.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => false,
            Err(error) => {
                self.warn(&error);
                let discarded = self.spool.discard();
                self.or_warn(discarded);
                false
            }
        }
    }

    /// Nothing waits, or there is no next run.
    pub(crate) fn clear(&mut self) {
        let discarded = self.spool.discard();
        self.or_warn(discarded);
    }

    /// The ledger line is written: the books are closed.
    pub(crate) fn reported(&mut self) {
        let removed = self.books.remove();
        self.or_warn(removed);
    }

    fn or_warn<T>(&self, result: io::Result<T>) -> Option<T> {
        result.map_err(|error| self.warn(&error)).ok()
    }

    fn warn(&self, error: &io::Error) {
        self.log.warn(
            "Cannot use the spool: what waits is in memory only",
            &json!({"directory": self.spool.directory(), "error": error.to_string()}),
        );
    }
}

/// Brings the new run's ledger in line with what was found. Says how many records are lost.
fn take_over(ledger: &mut Ledger, before: Option<Ledger>, found: &Contents) -> u64 {
    let there = found.len() as u64;
    let left = match (before, found.left) {
        // It wrote its ledger line, with these as pending.
        (_, Some(left)) => {
            ledger.recover(left.max(there));
            left
        }
        (Some(before), None) => {
            *ledger = before;
            // Delivered or dropped, and not yet struck off the spool: they go out again.
            let left = ledger.pending();
            ledger.receive(there.saturating_sub(left));
            left
        }
        (None, None) => {
            ledger.recover(there);
            there
        }
    };
    let lost = left.saturating_sub(there);
    ledger.drop_records(DropReason::Killed, lost);
    lost
}

fn refill(buffer: &mut Buffer, found: Contents, now: Wall) {
    if found.left.is_none() {
        let records = found.groups.into_iter().flat_map(|group| group.records);
        buffer.restore_unsure(records.collect(), now);
        return;
    }
    for group in found.groups {
        let Some(created) = group.batch else {
            for record in group.records {
                buffer.push(record, now);
            }
            continue;
        };
        if let Some(mut batch) = Batch::new(created, group.records) {
            if group.is_ambiguous {
                batch.mark_ambiguous();
            }
            buffer.restore(batch, now);
        }
    }
}
