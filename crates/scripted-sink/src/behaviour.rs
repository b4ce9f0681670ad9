//! What a sink does with a request.

use std::time::Duration;

use backstop_delivery::{Failure, PartAnswer, Verdict};

/// Some records, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Of(Vec<u64>),
    /// Those whose number is a multiple of this one.
    MultiplesOf(u64),
}

impl Which {
    /// Whether this record is one of them.
    pub fn has(&self, number: u64) -> bool {
        match self {
            Self::Of(numbers) => numbers.contains(&number),
            Self::MultiplesOf(every) => number.is_multiple_of(*every),
        }
    }
}

/// What a sink does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkBehaviour {
    /// This status at once. With a success it takes everything.
    Status(u16),
    /// The same, after so long.
    After(Duration, u16),
    /// A status with `Retry-After`.
    RetryAfter(u16, Duration),
    /// A status that means this.
    Judged(Verdict, u16),
    /// No answer, and nothing was taken.
    Nothing(Failure),
    /// The connection breaks.
    Breaks {
        /// After so long.
        after: Duration,
        /// Whether it has everything by then.
        has_taken: bool,
    },
    /// Takes nothing and never answers.
    Hang,
    /// No connection comes to stand, so that nothing leaves.
    Unreached,
    /// Takes everything after so long, whether or not anybody still listens.
    Late(Duration),
    /// 200 after so long, but read only some turns of the runtime later.
    Unread(Duration),
    /// This of each unit.
    Each(Vec<PartAnswer>),
    /// This of the units with these indices, and that it has the others.
    Parts(PartAnswer, Vec<usize>),
    /// This of each record, whatever the parts are.
    Records(Vec<PartAnswer>),
    /// Each unit by itself: refuses those with a multiple of `every`, is busy with those with a number before one,
    /// and takes the others.
    Judge {
        /// Which records are wrong.
        every: u64,
        /// How long it takes.
        after: Duration,
    },
    /// 400 for the first wrong record, which it names; else 200.
    Names {
        /// Which records are wrong.
        wrong: Which,
        /// How long it takes.
        after: Duration,
        /// Whether it keeps those before the wrong one.
        keeps_before: bool,
    },
    /// Takes all but these, after so long, and says how many it refused and not which.
    Unnamed(Which, Duration),
    /// This status for a request with one of these records in it, after so long; else 200.
    Refuses(u16, Which, Duration),
    /// 413 for more than `most` records, or with record `never`; else 200.
    TooLarge {
        /// The most records that it takes at once.
        most: usize,
        /// A record that is too large alone.
        never: Option<u64>,
    },
    /// 200 after so long, and the other behaviour in these spans of the test's time.
    DownIn(Vec<(Duration, Duration)>, Duration, Box<Self>),
}

impl SinkBehaviour {
    /// What it is at this time of the test.
    pub(crate) fn at(self, elapsed: Duration) -> Self {
        match self {
            Self::DownIn(spans, delay, other) => {
                let is_down = |span: &(Duration, Duration)| (span.0..span.1).contains(&elapsed);
                if spans.iter().any(is_down) {
                    *other
                } else {
                    Self::After(delay, 200)
                }
            }
            other => other,
        }
    }
}
