//! What is done to a record between its arrival and the buffer.
//!
//! In this order: [`Sampler::place`] sees every record, and says which wait for the end of their
//! invocation; [`Transforms::apply`] drops what the filter is for and takes secrets out of the rest;
//! [`Repeats`] finds the lines that say the same. A record is a fragment,
//! `"time":…,"type":…,"record":…`, as the decoder writes it ([`Parts`]).
//!
//! Invariants: a fragment that leaves is as valid as the one that came; what is not configured costs
//! nothing; all work is linear in the record, times a bound.
//!
//! Must not: know buffers, sinks, the ledger or the clock.

mod attributes;
mod compile;
mod dedupe;
mod fields;
mod filter;
mod insights;
mod named;
mod parts;
mod pattern;
mod redact;
mod sample;
mod unescape;

use backstop_config::{ConfigError, TransformSettings};

pub use dedupe::{Repeated, Repeats};
pub use filter::Cause;
use filter::Filter;
pub use insights::{Insights, MOST_PATTERNS, Pattern, Report};
pub use parts::Parts;
use redact::Redactor;
pub use sample::{Decision, Handle, Place, Sampler};

/// What becomes of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stays as it is.
    Keep,
    /// Another fragment takes its place.
    Replace(Vec<u8>),
    /// It is dropped.
    Drop(Cause),
}

/// The transforms of single records.
#[derive(Debug)]
pub struct Transforms {
    filter: Option<Filter>,
    redactor: Option<Redactor>,
}

impl Transforms {
    /// Compiles the settings. An error is added for each pattern that is not valid, which is left out.
    pub fn new(settings: &TransformSettings, errors: &mut Vec<ConfigError>) -> Self {
        let filters = settings.min_level.is_some() || !settings.filter.is_empty();
        let filter = filters.then(|| {
            let patterns = compile::of_rules(&settings.filter, errors);
            Filter::new(settings.min_level, &settings.filter, patterns)
        });
        let redacts = !settings.redact.is_empty();
        let redactor = redacts.then(|| {
            let (redactions, own) = compile::of_redactions(&settings.redact, errors);
            Redactor::new(&redactions, own)
        });
        Self { filter, redactor }
    }

    /// Filters and redacts a record.
    pub fn apply(&mut self, fragment: &[u8]) -> Outcome {
        if self.filter.is_none() && self.redactor.is_none() {
            return Outcome::Keep;
        }
        let Some(parts) = Parts::of(fragment) else {
            debug_assert!(false, "the decoder writes fragments");
            return Outcome::Keep;
        };
        let cause = self
            .filter
            .as_ref()
            .and_then(|it| it.judge(fragment, &parts));
        if let Some(cause) = cause {
            if let Some(redactor) = &mut self.redactor {
                redactor.pass_over(&parts);
            }
            return Outcome::Drop(cause);
        }
        self.redact_parts(&parts)
    }

    /// Redacts the record that [`Transforms::apply`] has dropped just now, for a copy of it.
    pub fn redact_dropped(&mut self, fragment: &[u8]) -> Outcome {
        let Some(parts) = Parts::of(fragment) else {
            return Outcome::Keep;
        };
        let redactor = self.redactor.as_mut();
        let redacted = redactor.and_then(|it| it.apply_to_dropped(&parts));
        replaced(&parts, redacted)
    }

    /// Only redacts a record, which [`Transforms::apply`] does not get.
    pub fn redact(&mut self, fragment: &[u8]) -> Outcome {
        match Parts::of(fragment) {
            Some(parts) => self.redact_parts(&parts),
            None => Outcome::Keep,
        }
    }

    fn redact_parts(&mut self, parts: &Parts<'_>) -> Outcome {
        let redacted = self.redactor.as_mut().and_then(|it| it.apply(parts));
        replaced(parts, redacted)
    }

    /// How often each pattern and field was redacted, by its name.
    pub fn redacted(&self) -> &[(String, u64)] {
        self.redactor
            .as_ref()
            .map(Redactor::counts)
            .unwrap_or_default()
    }
}

fn replaced(parts: &Parts<'_>, record: Option<Vec<u8>>) -> Outcome {
    match record {
        Some(record) => Outcome::Replace(parts.with_record(&record)),
        None => Outcome::Keep,
    }
}
