//! What the chain needs of a sink, and the observer that it notifies.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::batch::Batch;
use crate::cause::Cause;
use crate::detail::NoSecret;
use crate::outcome::Answer;
use crate::record::Signal;
use crate::role::SinkName;

/// A piece of an encoded batch that the sink takes or refuses as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The encoded bytes, ready to send.
    pub body: Bytes,
    /// The records in it, by index into the batch.
    pub records: Range<usize>,
}

/// Why a sink would never take a record, which is known before it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is larger than the sink takes, alone.
    TooLarge,
    /// It is older than the sink takes.
    TooOld,
    /// It is of a signal that the sink has no intake for.
    NoIntake,
}

/// As much of a batch as one request may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The pieces of the request, in order. Their ranges do not count the records that are unfit.
    pub parts: Vec<Part>,
    /// The number of records, from the first one on, that are in it or unfit. The others need another request.
    /// At least one.
    pub covers: usize,
    /// Those of them that the sink would never take, by index into the batch, in order.
    pub unfit: Vec<(usize, Unfit)>,
}

impl Encoded {
    /// A whole batch, which these parts make up.
    pub fn whole(batch: &Batch, parts: Vec<Part>) -> Self {
        Self {
            parts,
            covers: batch.len(),
            unfit: Vec::new(),
        }
    }
}

/// The answer to come.
pub type SinkFuture<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What a request needs before it can leave.
pub struct Preparation<'a> {
    /// Who is asked for it.
    pub store: &'static str,
    /// Resolves when it is there. Must be safe to drop at any await.
    pub getting: Pin<Box<dyn Future<Output = Result<(), NoSecret>> + Send + 'a>>,
}

impl fmt::Debug for Preparation<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Preparation")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// A sink: encodes a batch, and sends it once. Deciding what to do about the answer is the chain's.
pub trait Sink: Send + Sync + fmt::Debug {
    fn name(&self) -> SinkName;

    /// Encodes a batch, or as much of it as one request may hold. The same batch always makes the same
    /// bytes, as long as no record in it becomes too old.
    fn encode(&self, batch: &Batch) -> Encoded;

    /// Gets what a request needs beside the batch, such as a secret; none where it is there. Nothing of a
    /// batch leaves in it, so that no failure of it is ambiguous.
    fn prepare(&self) -> Option<Preparation<'_>> {
        None
    }

    /// The sink refused what a request was authorized with that began at `asked`. True where another request
    /// may have something newer: a secret may have changed since it was read.
    fn renew(&self, _asked: Instant) -> bool {
        false
    }

    /// Sends these parts of a batch, once. Must be safe to drop at any await.
    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a>;

    /// Forgets connections and credentials: the environment was restored from a snapshot.
    fn reset(&self);
}

/// What happens in the chain that an operator may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A sink's breaker opened: batches go to the next sink.
    BreakerOpened {
        sink: SinkName,
        /// The signal, where it has an address of its own.
        signal: Option<Signal>,
        cause: Cause,
    },
    /// A sink's breaker closed: it takes batches again.
    BreakerClosed {
        sink: SinkName,
        /// The signal, where it has an address of its own.
        signal: Option<Signal>,
    },
    /// Records became dead letters.
    DeadLetter {
        /// The sink that refused them.
        sink: SinkName,
        cause: Cause,
        records: usize,
    },
    /// An attempt was answered.
    Attempt {
        sink: SinkName,
        /// How long it took.
        took: Duration,
        /// Whether the sink took the batch.
        delivered: bool,
    },
}

/// Receives each [`Notice`].
pub trait Observer: Send + Sync + fmt::Debug {
    /// Called for each notice, on the path of delivery: must be quick and must not block.
    fn notice(&self, notice: Notice);
}
