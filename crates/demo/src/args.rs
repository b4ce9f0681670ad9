//! The options of `backstop demo`.

use std::path::PathBuf;
use std::time::Duration;

use backstop_simulator::Fault;
use clap::{Args, ValueEnum};

use crate::{Options, Outage};

/// Run the real extension through an outage on this machine, replay, and count
///
/// The extension runs in a simulated Lambda environment, which is frozen between invocations. Its
/// primary is a fake intake over TLS; its fallbacks are a Firehose stream and an S3 bucket, all on
/// loopback. The primary fails for a while. Afterwards the demo replays the archive and looks for
/// every record.
///
/// Exits with 1 if a record is missing or the extension's ledger does not add up.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Executable of the extension [default: the one that came with this release, or on PATH]
    #[arg(long, value_name = "PATH")]
    pub extension: Option<PathBuf>,

    /// How the primary fails: refuse, hang, reset, reset-after-body, slow, 413, or another status
    #[arg(long, value_name = "FAULT", default_value = "503")]
    pub fault: Fault,

    /// When the primary fails, in fractions of the demo (START..END), or third, all, start, none
    #[arg(long, value_name = "RANGE", default_value = "third")]
    pub outage: Outage,

    /// Number of invocations
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub invocations: u32,

    /// Log lines per invocation
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub lines: u32,

    /// Approximate length of a log line, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 300, value_parser = clap::value_parser!(u32).range(100..=200_000))]
    pub line_bytes: u32,

    /// Duration of the handler, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub handler_ms: u64,

    /// Time that the environment is frozen between invocations, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 130, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub gap_ms: u64,

    /// When the extension sends: `BACKSTOP_FLUSH_STRATEGY`
    #[arg(long, value_enum, default_value_t, value_name = "STRATEGY")]
    pub flush_strategy: StrategyName,

    /// Maximum time that sending may add to an invocation: `BACKSTOP_MAX_ADDED_MS`
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub max_added_ms: u64,

    /// Memory of the function
    #[arg(long, value_name = "MB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    pub memory_mb: u32,

    /// Fallbacks, in order
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "firehose,s3",
        value_name = "SINKS"
    )]
    pub fallback: Vec<FallbackName>,

    /// Keep the archive, the report and the extension's stderr in this directory
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,

    /// Write a page with the run's timeline, the ledger and the replay to this file, as HTML
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

impl From<DemoArgs> for Options {
    fn from(args: DemoArgs) -> Self {
        let fallbacks: Vec<&str> = args.fallback.iter().map(|name| name.as_str()).collect();
        Self {
            extension: args.extension,
            fault: args.fault,
            outage: args.outage,
            invocations: args.invocations,
            lines: args.lines,
            line_bytes: args.line_bytes,
            handler: Duration::from_millis(args.handler_ms),
            gap: Duration::from_millis(args.gap_ms),
            flush_strategy: args.flush_strategy.as_str().to_owned(),
            max_added: Duration::from_millis(args.max_added_ms),
            memory_mb: args.memory_mb,
            fallbacks: fallbacks.join(","),
            keep: args.keep,
            page: args.report,
        }
    }
}

/// When records are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum StrategyName {
    /// Choose by the rate of invocations
    #[default]
    Auto,
    /// Before each invocation ends
    End,
    /// At a fixed interval
    Periodic,
    /// While handlers run
    Continuous,
}

impl StrategyName {
    /// As `BACKSTOP_FLUSH_STRATEGY` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::End => "end",
            Self::Periodic => "periodic",
            Self::Continuous => "continuous",
        }
    }
}

/// A fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FallbackName {
    /// The Firehose stream
    Firehose,
    /// The S3 bucket
    S3,
    /// No fallback, to see which records are lost
    None,
}

impl FallbackName {
    /// As `BACKSTOP_FALLBACK` has it, which has no word for none.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firehose => "firehose",
            Self::S3 => "s3",
            Self::None => "none",
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  backstop demo
  backstop demo --fault hang --outage 0.25..0.75 --flush-strategy end
  backstop demo --report demo.html
  backstop demo --fault refuse --fallback s3 --keep /tmp/demo --output json";
