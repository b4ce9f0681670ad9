//! What a sink answered, and what follows from it. Classification only: acting is the chain's.

use std::time::Duration;

use crate::cause::Cause;
use crate::detail::{Detail, NoCredentials, NoSecret};
use crate::role::Role;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status, in HTTP's numbers (sinks that speak otherwise translate).
    Status {
        /// The status code.
        code: u16,
        /// `Retry-After`, where the sink sent one.
        retry_after: Option<Duration>,
        /// What is known beyond the status.
        detail: Option<Detail>,
    },
    /// The sink answered for each part by itself.
    Parts {
        /// What it said of each, in their order.
        parts: Vec<PartAnswer>,
        /// The status of those that it did not take, or of the first of them.
        code: u16,
        /// What is known beyond the status.
        detail: Option<Detail>,
    },
    /// The sink answered for each record by itself.
    Records {
        /// What it said of each, in their order.
        records: Vec<PartAnswer>,
        /// Why those are refused that are.
        refused: Option<Box<Cause>>,
        /// Why those have to wait that have.
        waiting: Option<Box<Cause>>,
    },
    /// The sink refused one record by its number, and the request with it. It may have taken the records before
    /// that one; those after it were not looked at.
    Named {
        /// The place of the record in the request.
        index: usize,
        cause: Box<Cause>,
    },
    /// The sink took the body and refused some records in it, without saying which. It must not be sent
    /// again.
    Unnamed {
        /// The number of records.
        refused: usize,
        /// The status of the answer.
        code: u16,
    },
    /// What a status means here is not what it means elsewhere: the sink's protocol has its own table.
    Judged {
        verdict: Verdict,
        code: u16,
        /// What is known beyond the status.
        detail: Option<Detail>,
    },
    /// No answer came.
    None(Failure),
}

impl Answer {
    /// A status without `Retry-After`.
    pub fn status(code: u16) -> Self {
        Self::refused(code, None)
    }

    /// A status, and what is known beyond it.
    pub fn refused(code: u16, detail: Option<Detail>) -> Self {
        Self::Status {
            code,
            retry_after: None,
            detail,
        }
    }
}

/// What a sink said of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartAnswer {
    /// It has it.
    Taken,
    /// Not now: the same part may be taken later.
    Retry,
    /// It will never take it.
    Refused,
    /// It said nothing of it: it may have it or not.
    Unheard,
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The connection was refused.
    Refused,
    /// The name could not be resolved.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The connection broke after it stood.
    Reset,
    /// The attempt's time was up.
    TimedOut,
    /// The environment was frozen and thawed while the request was under way.
    Thawed,
    /// An answer of success came without what proves it: something between may have given it.
    Unproven,
    /// There are no credentials to sign with, so nothing left.
    NoCredentials(NoCredentials),
    /// A secret that the request needs is not to be had, so nothing left.
    NoSecret(NoSecret),
    /// Nothing left, for a reason on our side of the wire.
    NotSent,
    /// Anything else on our side of the wire.
    Other,
}

impl Failure {
    /// Whether the sink may have taken the batch nevertheless. `has_left` says whether anything of it had left when it was
    /// not waited for any longer.
    pub fn is_ambiguous(self, has_left: bool) -> bool {
        match self {
            Self::Refused
            | Self::Dns
            | Self::Tls
            | Self::NoCredentials(_)
            | Self::NoSecret(_)
            | Self::NotSent => false,
            Self::TimedOut | Self::Thawed => has_left,
            Self::Reset | Self::Unproven | Self::Other => true,
        }
    }

    /// Whether the attempt used up all the time it had, which alone opens the breaker.
    pub fn used_its_budget(self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::NoSecret(why) => why.timed_out,
            _ => false,
        }
    }

    /// The same, of an attempt at the store of a secret.
    pub(crate) fn of_store(self, store: &'static str) -> Self {
        match self {
            Self::TimedOut => Self::NoSecret(NoSecret::timed_out(store)),
            _ => Self::NoSecret(NoSecret::passing(store, "was asked before a freeze")),
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::TimedOut => "timeout",
            Self::Thawed => "thawed",
            Self::Unproven => "unproven",
            Self::NoCredentials(_) => "no_credentials",
            Self::NoSecret(_) => "no_secret",
            Self::NotSent => "not_sent",
            Self::Other => "failed",
        }
    }

    fn detail(self) -> Option<Detail> {
        match self {
            Self::NoCredentials(why) => Some(Detail::NoCredentials(why)),
            Self::NoSecret(why) => Some(Detail::NoSecret(why)),
            _ => None,
        }
    }
}

/// Why no retry can save a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadLetter {
    /// The primary refused it for what it says.
    Rejected,
    /// It is larger than the primary takes, alone.
    TooLarge,
    /// It is older than the primary takes.
    TooOld,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// Try again inside the budget, then go to the next sink; counts against the breaker.
    Retry {
        /// Not before this has passed.
        after: Option<Duration>,
    },
    /// Each part, or each record, goes its own way.
    Parts,
    /// The record that is named is refused, and the others are sent again.
    Named,
    /// No retry: the next sink is tried. Counts against the breaker.
    Divert,
    /// All of it is archived as dead letters, since the sink did not say which of them it refused.
    Condemn,
    /// No retry: the breaker opens and the next sink is tried.
    Stop,
    /// Too large: split, and try the halves.
    Split,
    /// The sink refuses what the body says: halve it, to find the records that it means. Only those
    /// are dead letters.
    Isolate,
}

/// How much an answer has to speak of.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// The parts that were sent.
    pub parts: usize,
    /// The records in them.
    pub records: usize,
    /// What the sink that answered is in the chain.
    pub role: Role,
}

impl Answer {
    /// The same, unless it speaks of another number of parts than were sent: then nobody knows what it means.
    #[must_use]
    pub fn proven(self, sent: Sent) -> Self {
        match self {
            Self::Parts { ref parts, .. } if parts.len() != sent.parts => {
                Self::None(Failure::Unproven)
            }
            Self::Records { ref records, .. } if records.len() != sent.records => {
                Self::None(Failure::Unproven)
            }
            Self::Named { index, .. } if index >= sent.records || sent.role == Role::Fallback => {
                Self::None(Failure::Unproven)
            }
            // What an archive refuses has nowhere else to go, so that all of it waits.
            Self::Unnamed { .. } if sent.role == Role::Fallback => Self::None(Failure::Unproven),
            answer => answer,
        }
    }

    /// The place of the record that the sink refused by its number.
    pub fn named(&self) -> Option<usize> {
        match self {
            Self::Named { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// How many records the sink refused without saying which.
    pub fn unnamed(&self) -> Option<usize> {
        match self {
            Self::Unnamed { refused, .. } => Some(*refused),
            _ => None,
        }
    }

    /// The classification table of the design, in one place.
    pub fn verdict(&self, role: Role) -> Verdict {
        match self {
            Self::Parts { parts, .. } => {
                if parts.iter().all(|part| *part == PartAnswer::Taken) {
                    Verdict::Delivered
                } else {
                    Verdict::Parts
                }
            }
            Self::Records { records, .. } => {
                if records.iter().all(|record| *record == PartAnswer::Taken) {
                    Verdict::Delivered
                } else {
                    Verdict::Parts
                }
            }
            Self::Named { .. } => Verdict::Named,
            Self::Unnamed { .. } => Verdict::Condemn,
            Self::Judged { verdict, .. } => verdict.clone(),
            // The store has answered, and it or its permissions need a person.
            Self::None(Failure::NoSecret(why)) if !why.may_pass => Verdict::Stop,
            Self::None(_) => Verdict::Retry { after: None },
            Self::Status {
                code, retry_after, ..
            } => match (code, role) {
                (200..=299, _) => Verdict::Delivered,
                // Someone else's request, or the state of the place, stands in the way for now.
                (408 | 409 | 423 | 424 | 425 | 429, _) => Verdict::Retry {
                    after: *retry_after,
                },
                (413, _) => Verdict::Split,
                (400 | 422, Role::Primary) => Verdict::Isolate,
                // The address, the account or the form of the request is wrong, whatever the body
                // says: no record is condemned for it. A redirect is not followed, as that would
                // carry credentials to another place. An archive has no archive: what it refuses
                // waits until it is fixed.
                (300..=499, _) => Verdict::Stop,
                // 5xx, and what HTTP does not define: the sink is unhealthy.
                _ => Verdict::Retry {
                    after: *retry_after,
                },
            },
        }
    }

    /// The cause to name where the answer was not a delivery.
    pub fn cause(&self) -> Cause {
        match self {
            Self::None(failure) => Cause {
                reason: failure.reason(),
                status: None,
                detail: failure.detail(),
            },
            Self::Parts {
                parts,
                code,
                detail,
            } => Cause {
                reason: if parts.contains(&PartAnswer::Retry)
                    || parts.contains(&PartAnswer::Unheard)
                {
                    "partial"
                } else {
                    "rejected"
                },
                status: Some(*code),
                detail: *detail,
            },
            Self::Records {
                refused, waiting, ..
            } => {
                let cause = waiting.as_deref().or(refused.as_deref());
                cause.copied().unwrap_or(Cause::PARTIAL)
            }
            Self::Named { cause, .. } => **cause,
            Self::Unnamed { code, .. } => Cause {
                status: Some(*code),
                ..Cause::PARTIAL
            },
            Self::Status { code, detail, .. } | Self::Judged { code, detail, .. } => {
                Cause::of_status(*code, *detail)
            }
        }
    }
}
