//! The time range in which the demo's primary fails.

use std::ops::Range;
use std::str::FromStr;

/// A part of the run, in fractions of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outage {
    start: f64,
    end: f64,
}

impl FromStr for Outage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, end) = match text {
            "third" => (1.0 / 3.0, 2.0 / 3.0),
            "all" => (0.0, 1.0),
            "start" => (0.0, 1.0 / 3.0),
            "none" => (0.0, 0.0),
            range => {
                let advice = "write it as START..END with fractions from 0 to 1, such as \
                    0.25..0.75, or as third, all, start or none";
                let numbers = range
                    .split_once("..")
                    .and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
                numbers
                    .filter(|(start, end)| {
                        (0.0..=1.0).contains(start) && (*start..=1.0).contains(end)
                    })
                    .ok_or(advice)?
            }
        };
        Ok(Self { start, end })
    }
}

impl Outage {
    /// The invocations, from 0, in which the primary is down. One that is not empty holds at least one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of a u32, rounded, is one"
    )]
    pub fn invocations(self, of: u32) -> Range<u32> {
        if self.start >= self.end {
            return 0..0;
        }
        let at = |fraction: f64| (f64::from(of) * fraction).round() as u32;
        let start = at(self.start).min(of.saturating_sub(1));
        start..at(self.end).max(start + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_fractions_give_invocations() {
        for (text, of, expected) in [
            ("third", 60, 20..40),
            ("all", 60, 0..60),
            ("start", 60, 0..20),
            ("none", 60, 0..0),
            ("0.25..0.75", 10, 3..8),
            ("0..1", 7, 0..7),
            ("0.5..0.5", 10, 0..0),
            ("0.9..0.91", 10, 9..10),
            ("third", 1, 0..1),
        ] {
            let outage: Outage = text.parse().expect("it is a range");
            assert_eq!(outage.invocations(of), expected, "{text} of {of}");
        }
    }

    #[test]
    fn other_words_are_refused_with_the_form() {
        for text in ["", "half", "0.5", "0.7..0.3", "-1..0", "0..2", "NaN..1"] {
            let error = text.parse::<Outage>().expect_err("it is no range");
            assert!(error.contains("START..END"), "{text}: {error}");
        }
    }
}
