//! How a plan is carried out in waves, and what stops it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Kept in the plan, so that apply and resume use the same waves. Without any of
/// this all functions are one wave, and nothing stops it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollout {
    /// The size of a first wave, in which any failure stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Portion>,
    /// The size of every other wave; all the rest without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<Portion>,
    /// How long a wave is left alone before the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Duration>,
    /// Stop starting functions after this many have failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<Portion>,
    /// Stop if a wave raises the error rate by more than this many percentage points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_error_rise: Option<f64>,
    /// Undo the run if it stops because of failures.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub undo_on_stop: bool,
}

/// A number of functions, or a percentage of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Portion {
    Count(usize),
    Percent(f64),
}

impl Rollout {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is said here, and the rest of it as it was kept.
    #[must_use]
    pub fn over(self, kept: &Self) -> Self {
        Self {
            canary: self.canary.or(kept.canary),
            wave: self.wave.or(kept.wave),
            bake: self.bake.or(kept.bake),
            max_failures: self.max_failures.or(kept.max_failures),
            max_error_rise: self.max_error_rise.or(kept.max_error_rise),
            undo_on_stop: self.undo_on_stop || kept.undo_on_stop,
        }
    }

    /// What makes no sense of it.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_in_waves = self.canary.is_some() || self.wave.is_some();
        if self.max_error_rise.is_some() && self.bake.is_none() {
            return Err(
                "--max-error-rise needs --bake: Backstop compares the errors of that long before \
                 and after a wave",
            );
        }
        if self.bake.is_some() && !is_in_waves && self.max_error_rise.is_none() {
            return Err("--bake needs --canary, --wave or --max-error-rise");
        }
        let may_stop =
            self.canary.is_some() || self.max_failures.is_some() || self.max_error_rise.is_some();
        if self.undo_on_stop && !may_stop {
            return Err("--undo-on-stop needs --canary, --max-failures or --max-error-rise");
        }
        Ok(())
    }
}

impl fmt::Display for Rollout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.canary.map(|it| format!("{it} first")));
        parts.extend(self.wave.map(|it| format!("then {it} at a time")));
        let bake = self.bake.map(|it| it.as_secs_f64());
        parts.extend(bake.map(|it| format!("waiting {it} s in between")));
        let most = self.max_failures;
        parts.extend(most.map(|it| format!("stopping after {it} failures")));
        let rise = self.max_error_rise;
        parts.extend(rise.map(|it| {
            format!("stopping if the error rate rises by more than {it} percentage points")
        }));
        parts.extend((self.undo_on_stop).then(|| "undoing the run if it stops".to_owned()));
        formatter.write_str(&parts.join(", "))
    }
}

impl Portion {
    /// How many functions of `all` this is: at least one.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of the functions fits usize"
            )]
            Self::Percent(percent) => (all as f64 * percent / 100.0).ceil() as usize,
        }
        .max(1)
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Percent(percent) => write!(formatter, "{percent}%"),
        }
    }
}

impl std::str::FromStr for Portion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = || "give a number from 1, or a share such as 5%".to_owned();
        match text.strip_suffix('%') {
            Some(percent) => (percent.parse().ok())
                .filter(|percent| (f64::MIN_POSITIVE..=100.0).contains(percent))
                .map(Self::Percent),
            None => (text.parse().ok())
                .filter(|count| *count > 0)
                .map(Self::Count),
        }
        .ok_or_else(problem)
    }
}

impl TryFrom<String> for Portion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Portion> for String {
    fn from(portion: Portion) -> Self {
        portion.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_a_number_or_a_share_and_never_nothing() {
        for (text, all, expected) in [
            ("1", 100, 1),
            ("7", 3, 7),
            ("5%", 100, 5),
            ("5%", 101, 6),
            ("5%", 1, 1),
            ("0.1%", 10, 1),
            ("100%", 8, 8),
        ] {
            let portion: Portion = text.parse().expect("it is one");
            assert_eq!(portion.of(all), expected, "{text} of {all}");
            assert_eq!(portion.to_string(), text);
        }
        for text in ["", "0", "-1", "0%", "101%", "%", "NaN%", "five", "1.5"] {
            assert!(text.parse::<Portion>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_said_goes_before_what_was_kept() {
        let kept = Rollout {
            canary: Some(Portion::Percent(5.0)),
            bake: Some(Duration::from_mins(5)),
            undo_on_stop: true,
            ..Rollout::default()
        };
        let given = Rollout {
            canary: Some(Portion::Count(3)),
            max_error_rise: Some(1.5),
            ..Rollout::default()
        };
        let both = given.over(&kept);
        assert_eq!(both.canary, given.canary);
        assert_eq!(both.max_error_rise, given.max_error_rise);
        assert_eq!((both.bake, both.undo_on_stop), (kept.bake, true));
        let text = serde_json::to_string(&both).expect("it is JSON");
        assert_eq!(serde_json::from_str::<Rollout>(&text).ok(), Some(both));
    }

    #[test]
    fn options_that_do_nothing_by_themselves_are_refused() {
        let bake = Some(Duration::from_secs(1));
        let one = Some(Portion::Count(1));
        let none = Rollout::default();
        let refused = [
            Rollout { bake, ..none },
            Rollout {
                max_error_rise: Some(1.0),
                ..none
            },
            Rollout {
                undo_on_stop: true,
                wave: one,
                ..none
            },
        ];
        assert!(refused.iter().all(|it| it.check().is_err()));
        let taken = [
            none,
            Rollout {
                bake,
                canary: one,
                undo_on_stop: true,
                ..none
            },
            Rollout {
                bake,
                max_error_rise: Some(1.0),
                ..none
            },
        ];
        assert!(taken.iter().all(|it| it.check().is_ok()));
    }
}
