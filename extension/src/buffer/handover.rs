//! What one run of the extension leaves to the next in the same environment: records by the spool,
//! counts by the ledger file.
//!
//! Invariants: whatever is wrong with `/tmp` is logged once in a while and costs nothing else; what the
//! ledger line calls pending is in the spool. Must not know invocations: the pipeline says when a freeze
//! may come.

use std::io::ErrorKind;

use backstop_delivery::{Batch, DropReason, Ledger, SharedLedger, Signal, Wall};
use serde_json::json;

use super::Buffer;
use super::spool::{Contents, Group, LedgerFile, Spool};
use crate::diagnostics::Log;

/// The spool, the ledger file, and the log that says when they fail.
#[derive(Debug)]
pub(crate) struct Handover {
    spool: Spool,
    ledger_file: LedgerFile,
    /// The counts when the flush under way began.
    before_flush: Option<Ledger>,
    log: Log,
}

impl Handover {
    pub(crate) fn new(spool: Spool, ledger_file: LedgerFile, log: Log) -> Self {
        Self {
            spool,
            ledger_file,
            before_flush: None,
            log,
        }
    }

    /// Takes over what the last run left: its records, and where it was killed its counts, which it hands
    /// back as they were.
    pub(crate) fn inherit(
        &mut self,
        buffer: &mut Buffer,
        ledger: &SharedLedger,
        signal_of: impl Fn(&[u8]) -> Signal,
        now: Wall,
    ) -> Ledger {
        let before = self.ledger_file.recover();
        let before = self.or_warn(before).unwrap_or_else(|| {
            let removed = self.ledger_file.remove();
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
        // A run that wrote its ledger line has left no counts to take over.
        let inherited = before.clone().filter(|_| found.left.is_none());
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
        refill(buffer, found, signal_of, now);
        // An ordinary init finds nothing, and writes nothing.
        if ledger.lock().taken_in() > 0 {
            self.count(&ledger.lock());
        }
        let reopened = self.spool.reopen(buffer);
        self.or_warn(reopened);
        inherited.unwrap_or_default()
    }

    /// From now on a freeze may come, or a kill: all that waits is kept. Copies that the function has
    /// removed are made again.
    pub(crate) fn keep(&mut self, buffer: &mut Buffer, ledger: &Ledger) {
        self.spool.note_received(ledger.taken_in());
        let kept = self.spool.keep(buffer);
        self.or_warn(kept);
        self.count_if_lost(ledger);
    }

    /// Records came in, and were kept where a freeze may come. While all have copies nothing is written:
    /// the next run finds those beyond the counts in the spool, and counts them.
    pub(crate) fn received(&mut self, buffer: &Buffer, ledger: &Ledger) {
        if !(buffer.is_kept() && self.ledger_file.has(&self.as_on_disk(ledger))) {
            self.count(ledger);
        }
    }

    /// A flush begins: until it is over, what it delivers is neither removed from the spool nor counted.
    pub(crate) fn flush_begins(&mut self, ledger: &Ledger) {
        self.before_flush = Some(ledger.clone());
    }

    /// It is over, and nothing is under way.
    pub(crate) fn flush_is_over(&mut self, buffer: &mut Buffer, ledger: &Ledger) {
        self.before_flush = None;
        self.write_removals(buffer);
        if buffer.returned_without_copies() {
            self.keep(buffer, ledger);
        }
        self.count(ledger);
    }

    /// Records were dropped. The caller counts.
    pub(crate) fn write_removals(&mut self, buffer: &mut Buffer) {
        let removed = self.spool.write_removals(buffer);
        self.or_warn(removed);
    }

    /// The counts have changed. What they say to be pending is in the spool, or lost by a kill: so
    /// nothing is counted as delivered while the spool still has it.
    pub(crate) fn count(&mut self, ledger: &Ledger) {
        let counted = self.ledger_file.write(&self.as_on_disk(ledger));
        self.or_warn(counted);
    }

    /// The directory was emptied, most likely: then the counts are gone as well.
    fn count_if_lost(&mut self, ledger: &Ledger) {
        if self.spool.was_lost() {
            self.count(ledger);
        }
    }

    fn as_on_disk(&self, ledger: &Ledger) -> Ledger {
        match &self.before_flush {
            Some(before) => ledger.as_if_unsent_since(before),
            None => ledger.clone(),
        }
    }

    /// The environment may go on with another run: leaves it what waits. Says how many records have no
    /// copy there, and so are lost.
    pub(crate) fn leave(&mut self, buffer: &mut Buffer) -> u64 {
        match self.spool.close(buffer) {
            Ok(()) => {}
            // There is none, by choice.
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => self.warn(&error),
        }
        let kept = buffer.kept_records();
        if kept == 0 {
            self.clear();
        }
        buffer.held_records().saturating_sub(kept) as u64
    }

    /// Nothing waits, or there is no next run.
    pub(crate) fn clear(&mut self) {
        let discarded = self.spool.discard();
        self.or_warn(discarded);
    }

    /// The ledger line is written: the counts on disk are of no more use.
    pub(crate) fn reported(&mut self) {
        let removed = self.ledger_file.remove();
        self.or_warn(removed);
    }

    fn or_warn<T>(&self, result: std::io::Result<T>) -> Option<T> {
        result.map_err(|error| self.warn(&error)).ok()
    }

    fn warn(&self, error: &std::io::Error) {
        self.log.warn(
            "Cannot use the spool: what waits is in memory only",
            &json!({"directory": self.spool.directory(), "error": error.to_string()}),
        );
    }
}

/// Brings the new run's ledger in line with what was found. Says how many records are lost.
fn take_over(ledger: &mut Ledger, before: Option<Ledger>, found: &Contents) -> u64 {
    let there = found.len() as u64;
    // What a torn frame had is lost, unless the counts know of it: then they know too what became of it.
    let known = before.as_ref().map_or(0, Ledger::taken_in);
    let since = found.torn_received.saturating_sub(known);
    let torn = found.torn_records.min(since);
    // Some of it may be known and the rest not: with records that had no copy until then.
    let since = since.min(there + torn);
    let left = match (before, found.left) {
        // It wrote its ledger line, with these as pending.
        (_, Some(left)) => {
            ledger.recover(left.max(there));
            left
        }
        (Some(before), None) => {
            *ledger = before;
            // More than pending: delivered or dropped and not yet removed from the spool, so that they go out
            // again; or received since, of which the spool is the only witness.
            let left = (ledger.pending() + since).max(there + torn);
            ledger.receive(left - ledger.pending());
            left
        }
        (None, None) => {
            let left = there + torn;
            ledger.recover(left);
            left
        }
    };
    let lost = left.saturating_sub(there);
    ledger.drop_records(DropReason::Killed, lost);
    lost
}

fn refill(
    buffer: &mut Buffer,
    mut found: Contents,
    signal_of: impl Fn(&[u8]) -> Signal,
    now: Wall,
) {
    for group in &mut found.groups {
        for record in &mut group.records {
            record.set_signal(signal_of(record.fragment()));
        }
    }
    let is_unsure =
        |group: &Group| found.left.is_none() || (group.batch.is_none() && group.is_ambiguous);
    let (unsure, sure): (Vec<Group>, Vec<Group>) = found.groups.into_iter().partition(is_unsure);
    let unsure = unsure.into_iter().flat_map(|group| group.records);
    buffer.restore_ambiguous(unsure.collect(), now);
    for group in sure {
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
