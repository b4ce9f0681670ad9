//! The options of `backstop replay`.

use std::path::PathBuf;

use backstop_archive::{Glob, Moment};
use backstop_config::Format;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};

use crate::replay::Location;

/// Send what is in the archive to a primary
///
/// Reads every object below the prefix, those that the extension wrote and those that Firehose
/// delivered, and posts the records in the format you name. A record that is in the archive twice is sent once. If two
/// records share an id and differ, both are sent and reported.
///
/// The token of the primary is read from --token-file, or else from the
/// environment variable `BACKSTOP_PRIMARY_TOKEN`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("address").required(true).args(["to", "url_file"]))]
pub struct ReplayArgs {
    /// Where the archive is: a bucket or an access point, and the prefix, a folder in it, or one object
    #[arg(long, value_name = "S3_URL")]
    pub from: Location,

    /// Where to send the records: https, or http for loopback hosts; a site for datadog and newrelic
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,

    /// A file with the address, if that contains a key; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub url_file: Option<PathBuf>,

    /// The form of a batch
    #[arg(long, value_parser = formats(), default_value = Format::Ndjson.as_str())]
    pub format: Format,

    /// What the format lets you choose, as `BACKSTOP_PRIMARY_OPTIONS` has it
    #[arg(long, value_name = "NAME=VALUE,…")]
    pub format_options: Option<String>,

    /// A file that holds the token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// A file of further headers, one `name: value` a line
    #[arg(long, value_name = "FILE")]
    pub header_file: Option<PathBuf>,

    /// Read and count, send nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Only records of functions with such a name; `*` and `?` stand for any text
    #[arg(long, value_name = "GLOB")]
    pub function: Vec<Glob>,

    /// Only records that were diverted for this reason, such as `breaker_open`
    #[arg(long, value_name = "NAME")]
    pub reason: Vec<String>,

    /// Only records of this time or later: RFC 3339, or a date
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,

    /// Only records before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,

    /// Objects that are read and sent side by side
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,

    /// The most records in one request
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch_records: u32,

    /// The account that has to own the bucket; S3 refuses when it is another one
    #[arg(long, value_name = "ACCOUNT_ID", value_parser = account)]
    pub expected_bucket_owner: Option<String>,

    /// Confirm that you pay for the requests, for a requester-pays bucket
    #[arg(long, value_name = "WHO", value_parser = ["requester"])]
    pub request_payer: Option<String>,

    /// The S3 endpoint, where it is not the one of AWS
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,

    /// The profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// The region of the bucket [default: that of the environment or the profile]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

fn account(text: &str) -> Result<String, &'static str> {
    if backstop_config::is_account(text) {
        Ok(text.to_owned())
    } else {
        Err("it is not the id of an account: use its 12 digits")
    }
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
