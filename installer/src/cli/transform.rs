//! The options of `backstop transform`.

use std::path::PathBuf;

use clap::Args;

/// Show what the transforms would do to the records of an archive
///
/// Reads lines of the archive, gzipped or not, and applies the settings as the extension would. Shows
/// how many records would be dropped, kept and redacted, and how many bytes that saves. Changes nothing.
///
/// Reads the settings (`BACKSTOP_MIN_LEVEL`, `BACKSTOP_FILTER`, `BACKSTOP_REDACT`, `BACKSTOP_DEDUPE`,
/// `BACKSTOP_SAMPLE`, `BACKSTOP_SAMPLE_KEEP`) from the environment and from --config. The environment
/// overrides the file. Leaves out the original of a line that was redacted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TransformArgs {
    /// Files with lines of the archive; stdin if there is none
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// File with settings, one `NAME=VALUE` per line
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Write the resulting lines to stdout, and the counts to stderr
    #[arg(long)]
    pub print: bool,
}

const EXAMPLES: &str = "\
Examples:
  aws s3 cp s3://archive/KEY.ndjson.gz - | \\
      backstop transform --config backstop.env
  BACKSTOP_REDACT=email,card backstop transform --print archive.ndjson | head

Exit codes: 0 done, 1 error, 2 usage, 3 some lines could not be read";
