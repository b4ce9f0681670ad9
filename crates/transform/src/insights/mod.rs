//! Which patterns the function's lines have, and how often: what is left to see of lines that are not sent.
//!
//! Invariants: [`MOST_PATTERNS`] templates at most, the rest is counted together; of a line [`MOST_LOOKED_AT`]
//! bytes are looked at. Must not: know the clock, or how a report is sent.

mod mask;
mod message;
mod scan;
mod secret;
#[cfg(test)]
mod tests;

use backstop_json::Fnv;
use backstop_telemetry::Severity;

/// The most templates that are counted one by one.
pub const MOST_PATTERNS: usize = 128;
/// The bytes of a record that are looked at for its message.
const MOST_LOOKED_AT: usize = 4 * 1024;

/// One pattern of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern<I> {
    /// What the lines have in common.
    pub template: String,
    /// The most severe of the lines.
    pub severity: Severity,
    /// The lines since the last report.
    pub lines: u64,
    /// Of those, the errors.
    pub errors: u64,
    /// Whether no report had it before.
    pub is_new: bool,
    /// One of the lines.
    pub example: Option<I>,
    hash: u64,
}

/// What was counted since the last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<I> {
    pub lines: u64,
    /// Of those, the errors.
    pub errors: u64,
    /// The patterns that had lines, the most frequent first.
    pub patterns: Vec<Pattern<I>>,
    /// Lines of patterns that are not counted one by one, and the errors among them.
    pub other: (u64, u64),
    /// It is the first one, of which every pattern is new.
    pub is_first: bool,
}

/// Counts lines by their patterns. `I` names a record.
#[derive(Debug)]
pub struct Insights<I> {
    patterns: Vec<Pattern<I>>,
    lines: u64,
    errors: u64,
    other: (u64, u64),
    has_reported: bool,
}

impl<I> Default for Insights<I> {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            lines: 0,
            errors: 0,
            other: (0, 0),
            has_reported: false,
        }
    }
}

impl<I: Clone> Insights<I> {
    /// Counts a line. Says which pattern it has, for [`Insights::name`].
    pub fn count(&mut self, fragment: &[u8]) -> Option<usize> {
        let template = message::template_of(fragment)?;
        let severity = Severity::of(fragment);
        let errors = u64::from(severity == Severity::Error);
        self.lines += 1;
        self.errors += errors;
        let Some(index) = self.index_of(template) else {
            self.other.0 += 1;
            self.other.1 += errors;
            return None;
        };
        let pattern = &mut self.patterns[index];
        pattern.lines += 1;
        pattern.errors += errors;
        pattern.severity = pattern.severity.max(severity);
        Some(index)
    }

    /// Names a line of the pattern that [`Insights::count`] gave.
    pub fn name(&mut self, pattern: usize, id: I) {
        if let Some(pattern) = self.patterns.get_mut(pattern) {
            pattern.example.get_or_insert(id);
        }
    }

    /// The lines since the last report.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// What was counted since the last report; `None` where that is nothing.
    pub fn take(&mut self) -> Option<Report<I>> {
        if self.lines == 0 {
            return None;
        }
        let with_lines = self.patterns.iter().filter(|it| it.lines > 0);
        let mut patterns: Vec<Pattern<I>> = with_lines.cloned().collect();
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.lines));
        let report = Report {
            lines: std::mem::take(&mut self.lines),
            errors: std::mem::take(&mut self.errors),
            patterns,
            other: std::mem::take(&mut self.other),
            is_first: !std::mem::replace(&mut self.has_reported, true),
        };
        // What has not come again makes room for what is new.
        if self.patterns.len() == MOST_PATTERNS {
            self.patterns.retain(|pattern| pattern.lines > 0);
        }
        for pattern in &mut self.patterns {
            pattern.lines = 0;
            pattern.errors = 0;
            pattern.is_new = false;
            pattern.example = None;
            pattern.severity = Severity::Debug;
        }
        Some(report)
    }

    fn index_of(&mut self, template: String) -> Option<usize> {
        // Only to compare templates faster, which are compared in full where it is the same.
        let hash = Fnv::of(template.as_bytes());
        let mut known = self.patterns.iter();
        let known = known.position(|it| it.hash == hash && it.template == template);
        if known.is_some() || self.patterns.len() == MOST_PATTERNS {
            return known;
        }
        self.patterns.push(Pattern {
            template,
            severity: Severity::Debug,
            lines: 0,
            errors: 0,
            is_new: true,
            example: None,
            hash,
        });
        Some(self.patterns.len() - 1)
    }
}
