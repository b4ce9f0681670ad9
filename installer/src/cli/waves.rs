//! The options of waves.

use std::time::Duration;

use clap::Args;

use super::UsageError;
use crate::plan::{Portion, Rollout};

/// In which waves functions are changed, and what stops that.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Waves")]
pub struct WaveArgs {
    /// Change this many functions first, spread over accounts and regions; any failure stops the
    /// run
    #[arg(long, value_name = "N|P%", display_order = 680)]
    pub canary: Option<Portion>,

    /// Change this many functions at a time after the canary [default: all the rest]
    #[arg(long, value_name = "N|P%", display_order = 681)]
    pub wave: Option<Portion>,

    /// Time to wait between waves: seconds, or minutes such as 5m
    #[arg(long, value_name = "TIME", value_parser = time, display_order = 682)]
    pub bake: Option<Duration>,

    /// Stop starting functions after this many have failed
    #[arg(long, value_name = "N|P%", display_order = 683)]
    pub max_failures: Option<Portion>,

    /// Stop if a wave raises the error rate by more than this many percentage points
    #[arg(long, value_name = "PERCENT", value_parser = points, display_order = 684)]
    pub max_error_rise: Option<f64>,

    /// Undo the run if it stops because of failures
    #[arg(long, display_order = 685)]
    pub undo_on_stop: bool,
}

impl WaveArgs {
    /// What is typed, over what a plan keeps.
    pub fn rollout(self, kept: &Rollout) -> Result<Rollout, UsageError> {
        let given = Rollout {
            canary: self.canary,
            wave: self.wave,
            bake: self.bake,
            max_failures: self.max_failures,
            max_error_rise: self.max_error_rise,
            undo_on_stop: self.undo_on_stop,
        };
        let rollout = given.over(kept);
        let problem = |problem: &str| UsageError(problem.to_owned());
        rollout.check().map_err(problem)?;
        Ok(rollout)
    }
}

fn time(text: &str) -> Result<Duration, String> {
    const MOST_SECONDS: f64 = 86_400.0;
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number * unit <= MOST_SECONDS => {
            Ok(Duration::from_secs_f64(number * unit))
        }
        _ => Err("give seconds, or minutes such as 5m, up to one day".to_owned()),
    }
}

fn points(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).parse() {
        Ok(points) if (0.0..=100.0).contains(&points) => Ok(points),
        _ => Err("give percentage points from 0 to 100, such as 2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_seconds_or_minutes() {
        for (text, seconds) in [("300", 300.0), ("0.5", 0.5), ("90s", 90.0), ("5m", 300.0)] {
            assert_eq!(time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "m", "0", "-1", "NaN", "2000m", "5h", "inf"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rise_is_in_points() {
        assert_eq!(points("2"), Ok(2.0));
        assert_eq!(points("0.5%"), Ok(0.5));
        for text in ["", "-1", "101", "NaN"] {
            assert!(points(text).is_err(), "{text}");
        }
    }
}
