//! The options of `backstop drill`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::{StateArgs, TargetArgs};
use crate::archive::Place;
use crate::drill::Failure;
use crate::select::{Literal, Pattern};

/// Let the primary of one function fail for a few invocations, restore, replay, and count
///
/// Invokes the function, points its primary at an address that fails, invokes it again, and restores
/// its configuration exactly. Then looks for the records of the second half in the archive and
/// replays them. Reports the billed duration before and during the failure, and each ID that is
/// missing.
///
/// The drill changes `$LATEST` and is a run: if it is cut off, `backstop resume` or `backstop undo`
/// restores the function.
#[derive(Debug, Args)]
#[command(after_help = DRILL_CODES)]
pub struct DrillArgs {
    /// Name or ARN of the function; an ARN sets the account and region
    #[arg(value_name = "FUNCTION")]
    pub function: DrillSubject,

    /// How the primary fails
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub failure: Failure,

    /// Address of your own that fails, instead of --failure; it gets records, and no key
    #[arg(long, value_name = "URL", conflicts_with = "failure")]
    pub primary_url: Option<String>,

    /// Number of invocations before the failure, and again during it
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub invocations: u32,

    /// File with the event of each invocation, as JSON [default: an empty object]
    #[arg(long, value_name = "FILE")]
    pub payload: Option<PathBuf>,

    /// Accept that other callers invoke the function during the drill
    #[arg(long)]
    pub live: bool,

    /// Archive of the function, as `s3://BUCKET/PREFIX` [default: its S3 fallback]
    #[arg(long, value_name = "ARCHIVE")]
    pub archive: Option<Place>,

    /// Seconds to wait until the records are in the archive
    #[arg(long, value_name = "SECONDS", value_parser = super::targets::seconds, default_value = "120")]
    pub archive_wait: Duration,

    /// Leave the records in the archive
    #[arg(long)]
    pub no_replay: bool,

    /// Write the result to this file, as one HTML page
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Skip the confirmation
    #[arg(long, short)]
    pub yes: bool,

    /// Seconds to wait for an update of the function to end
    #[arg(long, value_name = "SECONDS", value_parser = super::targets::seconds, default_value = "300")]
    pub wait: Duration,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// One function, perhaps by an alias or a version.
#[derive(Debug, Clone)]
pub struct DrillSubject {
    /// The function.
    pub function: Literal,
    /// The alias or the version.
    pub qualifier: Option<String>,
}

impl FromStr for DrillSubject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let (name, qualifier) = match parts.len() {
            2 | 8 => text.rsplit_once(':').unwrap_or((text, "")),
            _ => (text, ""),
        };
        let function = name.parse::<Pattern>()?.literal();
        let problem = || format!("`{text}` is a pattern: a drill is of one function");
        Ok(Self {
            function: function.ok_or_else(problem)?,
            qualifier: Some(qualifier.to_owned()).filter(|it| !it.is_empty()),
        })
    }
}

const DRILL_CODES: &str = "\
Examples:
  backstop drill orders --report drill.html
  backstop drill orders --failure hang --invocations 20 --payload event.json

Exit codes: 0 done and complete, 1 error, 2 usage, 3 something is missing or
not restored, 5 refused by preflight, 130 interrupted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_told_from_the_function() {
        let arn = "arn:aws:lambda:eu-west-1:111122223333:function:orders";
        for (text, name, qualifier) in [
            ("orders", "orders", None),
            ("orders:live", "orders", Some("live")),
            (arn, arn, None),
            (&format!("{arn}:live"), arn, Some("live")),
        ] {
            let subject: DrillSubject = text.parse().expect("it names a function");
            assert_eq!(subject.function.text, name, "{text}");
            assert_eq!(subject.qualifier.as_deref(), qualifier, "{text}");
        }
        for wrong in ["orders-*", "/orders/", "", "a:b:c"] {
            assert!(wrong.parse::<DrillSubject>().is_err(), "{wrong}");
        }
    }
}
