//! What is archived beside what is delivered, and in place of being dropped.
//!
//! Invariant: each copy is counted as mirrored when it is made, so that the ledger balances at every moment.

use backstop_config::{Routing, Settings};
use backstop_delivery::{DropReason, Record};

use super::Pipeline;
use crate::lifecycle::api::Lifecycle;

/// What the route asks for beside delivery.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Routes {
    /// Each record that is delivered is archived as well.
    mirrors: bool,
    /// What the transforms take from the primary is archived.
    archives_dropped: bool,
}

impl Routes {
    /// Without a primary each record is archived as it is, and needs no copy.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self::of(settings.routing, settings.primary.is_some())
    }

    pub(crate) fn of(routing: Routing, has_primary: bool) -> Self {
        Self {
            mirrors: routing != Routing::Failover && has_primary,
            archives_dropped: routing == Routing::Sample,
        }
    }

    /// Whether the archive gets all records as they were received.
    pub(super) fn archives_dropped(self) -> bool {
        self.archives_dropped
    }
}

impl<L: Lifecycle> Pipeline<L> {
    /// Puts a record into the buffer, and its copy where it is archived as well.
    pub(super) fn deliver(&mut self, record: Record) {
        let now = self.buffer.oldest_or_else(|| self.clock.wall());
        if self.routes.mirrors {
            self.ledger.lock().mirror(1);
            self.buffer.push(record.mirrored(), now);
        }
        self.buffer.push(record, now);
    }

    /// The same for a record that had waited for a decision.
    pub(super) fn deliver_late(&mut self, record: Record) {
        let now = self.clock.wall();
        if self.routes.mirrors {
            self.ledger.lock().mirror(1);
            self.buffer.push_late(record.mirrored(), now);
        }
        self.buffer.push_late(record, now);
    }

    /// The primary is not to get this record. Where everything is archived so is this, or else it is dropped.
    pub(super) fn leave_out(&mut self, record: Record, reason: DropReason) {
        if self.routes.archives_dropped {
            self.buffer.push(record.archived(), self.clock.wall());
        } else {
            self.ledger.lock().drop_records(reason, 1);
        }
    }
}
