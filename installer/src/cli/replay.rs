//! The options of `backstop replay`.

use std::path::PathBuf;

use backstop_config::Format;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};

use super::archive::{FilterArgs, SourceArgs};
use crate::archive::Place;

/// Send the records in the archive to a primary
///
/// Reads every object below the prefix, both those that the extension wrote and those that Firehose
/// delivered, and posts the records in the format you name. Sends a record once, even if the archive
/// has it twice. If two records share an ID and differ, sends and reports both.
///
/// Reads the primary's token from --token-file, or else from the environment variable
/// `BACKSTOP_PRIMARY_TOKEN`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("address").required(true).args(["to", "url_file"]))]
pub struct ReplayArgs {
    /// Archive to read: a bucket or access point with the prefix, a folder in it, or one object, as
    /// s3://BUCKET/PREFIX; or a directory
    #[arg(long, value_name = "ARCHIVE")]
    pub from: Place,

    /// Address to send to: https, or http for loopback hosts; a site for datadog and newrelic
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,

    /// File with the address, if the address contains a key; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub url_file: Option<PathBuf>,

    /// Format of a batch
    #[arg(long, value_parser = formats(), default_value = Format::Ndjson.as_str())]
    pub format: Format,

    /// Options of the format, as in `BACKSTOP_PRIMARY_OPTIONS`
    #[arg(long, value_name = "NAME=VALUE,…")]
    pub format_options: Option<String>,

    /// File with the token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with additional headers, one `name: value` per line
    #[arg(long, value_name = "FILE")]
    pub header_file: Option<PathBuf>,

    /// Read and count records, and send nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Which records.
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Maximum number of records in one request
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch_records: u32,

    /// How the archive is read.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// The formats of the extension, by their names.
fn formats() -> impl TypedValueParser<Value = Format> {
    let values = Format::ALL
        .iter()
        .map(|format| PossibleValue::new(format.as_str()).help(format.summary()));
    PossibleValuesParser::new(values).map(|name| {
        let mut all = Format::ALL.iter();
        let named = all.find(|format| format.as_str() == name);
        named.copied().unwrap_or(Format::Ndjson)
    })
}

const EXAMPLES: &str = "\
Examples:
  backstop replay --from s3://archive/backstop --to https://intake.example.com/v1/logs --dry-run
  backstop replay --from s3://archive/backstop --to https://intake.example.com/v1/logs \\
      --token-file token --function 'checkout-*' --since 2026-01-31T08:00:00Z

Exit codes: 0 done, 1 error, 2 usage, 3 something was not delivered, 130 interrupted";
