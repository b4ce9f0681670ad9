//! The options of `backstop replay`.

use std::path::PathBuf;

use backstop_config::Format;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueEnum};

use super::archive::{FilterArgs, SourceArgs};
use crate::archive::{After, Place};
use crate::replay::{CheckpointPlace, Rate};

/// Send the records in the archive to a primary
///
/// Reads every object below the prefix, both those that the extension wrote and those that Firehose
/// delivered, and posts the records in the format you name. Sends a record once, even if the archive
/// has it twice. If two records share an ID and differ, sends and reports both.
///
/// Reads the primary's token from --token-file, or else from the environment variable
/// `BACKSTOP_PRIMARY_TOKEN`.
///
/// Writes down what the primary has acknowledged. After Ctrl-C, a crash or a lost network, --resume
/// sends only what is left. Tags each object whose records are all at the primary, and skips it next
/// time.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[command(after_help = EXAMPLES, override_usage = USAGE, group = ArgGroup::new("address").required(true).args(["to", "url_file", "like", "enqueue", "follow"]))]
pub struct ReplayArgs {
    /// Archive to read: a bucket or access point with the prefix, a folder in it, or one object, as
    /// `s3://BUCKET/PREFIX`; or a directory
    #[arg(long, value_name = "ARCHIVE", required_unless_present = "follow")]
    pub from: Option<Place>,

    /// Address to send to: https, or http for loopback hosts; a site for datadog and newrelic
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,

    /// File with the address, if the address contains a key; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub url_file: Option<PathBuf>,

    /// Function whose primary to send to: reads address, format, headers and token from its
    /// environment
    #[arg(long, value_name = "FUNCTION_ARN")]
    pub like: Option<String>,

    /// Queue of a replay function: puts the selected objects there, one message each, and sends
    /// nothing itself
    #[arg(long, value_name = "QUEUE_URL", conflicts_with_all = NOT_WITH_A_QUEUE)]
    pub enqueue: Option<String>,

    /// Show the progress of a replay in AWS until it ends: the URL of a queue, or the ARN of a Step
    /// Functions execution
    #[arg(long, value_name = "QUEUE_URL|EXECUTION_ARN", conflicts_with_all = NOT_WITH_A_QUEUE, conflicts_with_all = NOT_TO_FOLLOW)]
    pub follow: Option<String>,

    /// Format of a batch [default: ndjson, or that of --like]
    #[arg(long, value_parser = formats())]
    pub format: Option<Format>,

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

    /// Most that is sent in a second: records as 5000, or bytes before compression as 2MB; can be
    /// given twice
    #[arg(long, value_name = "RATE")]
    pub rate: Vec<Rate>,

    /// Where to keep what is done: a file, or `s3://BUCKET/PREFIX` [default: a file in
    /// `$XDG_STATE_HOME/backstop/replays`, or `~/.local/state/backstop/replays`]
    #[arg(long, value_name = "PLACE")]
    pub checkpoint: Option<CheckpointPlace>,

    /// Resume a replay that did not finish: send only what is left
    #[arg(long)]
    pub resume: bool,

    /// Discard the checkpoint of a replay that did not finish, and send everything again
    #[arg(long, conflicts_with = "resume")]
    pub restart: bool,

    /// What to do with an object once all of its records are at the primary [default: tag; keep for
    /// a directory]
    #[arg(long, value_enum, value_name = "MARK")]
    pub after: Option<Mark>,

    /// Also send objects that are tagged as replayed to this primary
    #[arg(long)]
    pub include_replayed: bool,

    /// Also send what `BACKSTOP_ROUTE` archived beside the primary
    ///
    /// That is copies of records that were delivered, and records that the transforms kept from the
    /// primary. Reads objects that are tagged as replayed, too.
    #[arg(long)]
    pub include_mirrored: bool,

    /// File for records that the primary rejects, with its answer [default: beside the checkpoint]
    #[arg(long, value_name = "FILE")]
    pub dead_letters_file: Option<PathBuf>,

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

/// What is done with an object once all of its records are at the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mark {
    /// Tag it as replayed; the next replay to this target skips it
    Tag,
    /// Move it below PREFIX/replayed/
    Move,
    /// Delete it
    Delete,
    /// Leave it unchanged
    Keep,
}

impl From<Mark> for After {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Tag => Self::Tag,
            Mark::Move => Self::Move,
            Mark::Delete => Self::Delete,
            Mark::Keep => Self::Keep,
        }
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

/// Options that choose which objects are put into a queue. `--follow` shows a queue as it is.
const NOT_TO_FOLLOW: [&str; 14] = [
    "from",
    "dry_run",
    "include_replayed",
    "include_mirrored",
    "function",
    "function_account",
    "function_region",
    "kind",
    "reason",
    "dead_letters",
    "since",
    "until",
    "expected_bucket_owner",
    "request_payer",
];

/// What the function decides by its own settings.
const NOT_WITH_A_QUEUE: [&str; 12] = [
    "concurrency",
    "format",
    "format_options",
    "token_file",
    "header_file",
    "rate",
    "checkpoint",
    "resume",
    "restart",
    "after",
    "dead_letters_file",
    "batch_records",
];

/// One line for each of the ways: all in one would not fit a terminal.
const USAGE: &str = "\
backstop replay [OPTIONS] --from <ARCHIVE> --to <URL>
       backstop replay [OPTIONS] --from <ARCHIVE> --url-file <FILE>
       backstop replay [OPTIONS] --from <ARCHIVE> --like <FUNCTION_ARN>
       backstop replay [OPTIONS] --from <ARCHIVE> --enqueue <QUEUE_URL>
       backstop replay [OPTIONS] --follow <QUEUE_URL|EXECUTION_ARN>";

const EXAMPLES: &str = "\
Examples:
  backstop replay --from s3://archive/backstop --dry-run \\
      --to https://intake.example.com/v1/logs
  backstop replay --from s3://archive/backstop --token-file token \\
      --to https://intake.example.com/v1/logs \\
      --function 'checkout-*' --since 2026-01-31T08:00:00Z
  backstop replay --from s3://archive/backstop --rate 2000 \\
      --like arn:aws:lambda:eu-west-1:111122223333:function:checkout
  backstop replay --from s3://archive/backstop --since 2026-01-31T08:00:00Z \\
      --enqueue https://sqs.eu-west-1.amazonaws.com/111122223333/backstop-replay
  backstop replay \\
      --follow https://sqs.eu-west-1.amazonaws.com/111122223333/backstop-replay

Exit codes: 0 done, 1 error, 2 usage, 3 something was not delivered, 130 interrupted";
