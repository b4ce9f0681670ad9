//! The options of `backstop archive`, and those that it shares with `backstop replay`.

use backstop_archive::{Filter, Glob, Moment};
use clap::{Args, Subcommand};

use super::ArchiveTemplateArgs;
use crate::archive::Place;
use crate::usage::UsageError;

/// List, show and count the records in the archive, or make a template of one
///
/// Reads every object below the prefix, both those that the extension wrote and those that Firehose
/// delivered, as gzip, zstd or plain text. Folders in which the options leave nothing are never listed.
/// Damaged and foreign objects are named on stderr, and make the exit code 3.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ArchiveCommand,
}

/// What is done with the archive.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// What reads it.
    #[command(flatten)]
    Read(Box<ReadCommand>),
    /// Print a `CloudFormation` template of the archive: bucket, delivery stream, role and policies
    Template(Box<ArchiveTemplateArgs>),
}

/// What reads the archive.
#[derive(Debug, Subcommand)]
pub enum ReadCommand {
    /// List the objects
    #[command(after_help = EXIT_CODES)]
    Ls(ReadArgs),
    /// Print the records, one JSON object a line
    ///
    /// Prints each record as it is stored, with the reason why it was diverted. Ends without an error
    /// when the reader closes the pipe.
    #[command(after_help = EXIT_CODES)]
    Cat(ReadArgs),
    /// Count objects, bytes and records, by function, hour, type and reason
    #[command(after_help = EXIT_CODES)]
    Stats(ReadArgs),
}

impl ReadCommand {
    /// The options, which are the same for all.
    pub fn args(self) -> ReadArgs {
        let (Self::Ls(args) | Self::Cat(args) | Self::Stats(args)) = self;
        args
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 something is damaged, foreign or to
be restored first";

/// What is read.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Archive to read: a bucket or access point with the prefix, a folder in it, or one object, as
    /// `s3://BUCKET/PREFIX`; or a directory
    #[arg(value_name = "ARCHIVE")]
    pub from: Place,

    /// Which records.
    #[command(flatten)]
    pub filter: FilterArgs,

    /// How the archive is read.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// Which records.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only records of functions whose name matches; `*` matches any text and `?` one character
    #[arg(long, value_name = "GLOB")]
    pub function: Vec<Glob>,

    /// Only records of functions in this account; a pattern will do
    #[arg(long, value_name = "GLOB")]
    pub function_account: Vec<Glob>,

    /// Only records of functions in this region; a pattern will do
    #[arg(long, value_name = "GLOB")]
    pub function_region: Vec<Glob>,

    /// Only records of this type, such as `function` or `platform.*`
    #[arg(long = "type", value_name = "GLOB")]
    pub kind: Vec<Glob>,

    /// Only records that were diverted for this reason, such as `breaker_open`
    #[arg(long, value_name = "NAME")]
    pub reason: Vec<String>,

    /// Only dead letters: records that the primary refused for good
    #[arg(long)]
    pub dead_letters: bool,

    /// Only records from this time on: RFC 3339, or a date
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,

    /// Only records before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}

impl FilterArgs {
    /// What they mean.
    pub fn filter(self) -> Result<Filter, UsageError> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            let problem = format!("--since {since} is not before --until {until}: swap them");
            return Err(UsageError(problem));
        }
        Ok(Filter {
            functions: self.function,
            accounts: self.function_account,
            regions: self.function_region,
            kinds: self.kind,
            reasons: self.reason,
            dead_letters: self.dead_letters,
            without_mirrored: false,
            since: self.since,
            until: self.until,
        })
    }
}

/// How the archive is read.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Number of objects to process in parallel
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,

    /// Account that must own the bucket; S3 refuses the requests otherwise
    #[arg(long, value_name = "ACCOUNT_ID", value_parser = account)]
    pub expected_bucket_owner: Option<String>,

    /// Confirm that you pay for the requests, for a requester-pays bucket
    #[arg(long, value_name = "WHO", value_parser = ["requester"])]
    pub request_payer: Option<String>,

    /// S3 endpoint to use instead of AWS's
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,

    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// Region of the bucket [default: from the environment or the profile]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

fn account(text: &str) -> Result<String, &'static str> {
    if backstop_config::is_account(text) {
        Ok(text.to_owned())
    } else {
        Err("not an account ID: give its 12 digits")
    }
}
