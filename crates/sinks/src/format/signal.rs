//! Which signal a record is, by what it holds.
//!
//! Invariant: what is called a metric has points that can be read, so that none is lost as one.

use backstop_archive::{Holds, OTLP_METRICS, fragment_holds, holds};
use backstop_config::Primary;
use backstop_delivery::{Signal, Wall};

use super::log::Line;
use super::points::observations;

/// Tells signals apart, as the primary gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classifier {
    has_metrics: bool,
    keeps_embedded: bool,
    posts_apart: bool,
}

impl Classifier {
    /// As this primary gets them; without one as the archive keeps them, which has one place for all.
    pub fn of(primary: Option<&Primary>) -> Self {
        Self {
            has_metrics: primary.is_some_and(|it| it.signals.metrics),
            keeps_embedded: primary.is_some_and(|it| it.options.keeps_emf_logs),
            posts_apart: primary.is_some_and(|it| it.posted_metrics().is_some()),
        }
    }

    /// The signal of a line of the function's. Where the primary gets no metrics it is not looked at.
    pub fn of_output(self, fragment: &[u8]) -> Signal {
        if self.has_metrics && !self.keeps_embedded {
            self.of_fragment(fragment)
        } else {
            Signal::Log
        }
    }

    /// What the function posts as this signal.
    pub fn of_posted(self, signal: Signal) -> Signal {
        match signal {
            Signal::Metric if self.posts_apart => Signal::PostedMetric,
            other => other,
        }
    }

    /// The signal of a live record, by its fragment.
    pub fn of_fragment(self, fragment: &[u8]) -> Signal {
        let line = || format!("{{{}}}", String::from_utf8_lossy(fragment));
        let held = fragment_holds(fragment);
        if self.posts_apart && held == Some(Holds::Metrics) {
            // Only its type says who has made it.
            return self.of_line(&line());
        }
        signal(held, || self.is_metric(&line()))
    }

    /// The signal of a line of the archive.
    pub fn of_line(self, text: &str) -> Signal {
        let line = Line::parse(text, None);
        match (&line.kind, line.record) {
            (Some(kind), Some(record)) => self.of_members(kind, record.get(), text),
            _ => Signal::Log,
        }
    }

    /// The same, where its type and its record are known already.
    pub fn of_members(self, kind: &str, record: &str, text: &str) -> Signal {
        let held = holds(kind.as_bytes(), record.as_bytes());
        let signal = signal(held, || self.is_metric(text));
        if kind == OTLP_METRICS {
            self.of_posted(signal)
        } else {
            signal
        }
    }

    /// Whether a live record in the embedded metric format is to be a metric beside the log that it stays.
    pub fn copies_embedded(self, fragment: &[u8]) -> bool {
        self.has_metrics
            && self.keeps_embedded
            && fragment_holds(fragment) == Some(Holds::EmbeddedMetrics)
    }

    fn is_metric(self, text: &str) -> bool {
        self.has_metrics
            && !self.keeps_embedded
            && !observations(&Line::parse(text, None), Wall::default()).is_empty()
    }
}

fn signal(held: Option<Holds>, is_embedded: impl FnOnce() -> bool) -> Signal {
    match held {
        Some(Holds::Metrics) => Signal::Metric,
        Some(Holds::Spans) => Signal::Span,
        Some(Holds::EmbeddedMetrics) if is_embedded() => Signal::Metric,
        Some(Holds::EmbeddedMetrics) | None => Signal::Log,
    }
}
