//! The options of `backstop init`.

use std::path::PathBuf;

use backstop_config::Format;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};

use super::intent::backend_option;
use super::targets::pair;
use crate::project::FILE_NAME;
use crate::select::Pattern;

/// Write a commented `backstop.toml`
///
/// On a terminal, asks for what the options leave open. Without one, takes the options alone, of which
/// --backend or --url is required. Asks AWS nothing and writes no secret.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("primary").args(["backend", "url", "url_file"]))]
pub struct InitArgs {
    /// File to write
    #[arg(long, value_name = "FILE", default_value = FILE_NAME)]
    pub file: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,

    /// Backend of the primary, such as `honeycomb`; docs/backends.md lists them
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,

    /// Set an option of the backend, such as `region=eu`
    #[arg(long, value_name = "OPTION=VALUE", value_parser = backend_option, requires = "backend")]
    pub backend_option: Vec<(String, String)>,

    /// Address of the primary, if its backend has no name
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// File with the primary's address, if the address contains a key
    #[arg(long, value_name = "FILE")]
    pub url_file: Option<PathBuf>,

    /// Format of the primary, with --url or --url-file
    #[arg(long, value_parser = formats(), conflicts_with = "backend")]
    pub format: Option<Format>,

    /// File with the primary's token, which may be written later
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Regions of the functions, or `all`
    #[arg(
        long,
        visible_alias = "region",
        value_name = "REGION",
        value_delimiter = ','
    )]
    pub regions: Vec<String>,

    /// Functions: names, ARNs, globs, or regular expressions between slashes
    #[arg(long, value_name = "PATTERN")]
    pub function: Vec<Pattern>,

    /// Tag that the functions must have
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub tag: Vec<(String, String)>,

    /// Delivery stream that is the first fallback, by name or ARN
    #[arg(long, value_name = "STREAM")]
    pub firehose_stream: Option<String>,

    /// Bucket that is the next fallback
    #[arg(long, value_name = "BUCKET")]
    pub s3_bucket: Option<String>,

    /// Region of the bucket, if it is not the function's
    #[arg(long, value_name = "REGION", requires = "s3_bucket")]
    pub s3_region: Option<String>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.iter().map(|format| format.as_str())).map(|name| {
        let named = Format::ALL.iter().find(|format| format.as_str() == name);
        named.copied().unwrap_or(Format::Ndjson)
    })
}

const EXAMPLES: &str = "\
Examples:
  backstop init
  backstop init --backend honeycomb --backend-option region=eu \\
      --token-file token --tag team=payments --s3-bucket my-archive
  backstop init --url https://collector.example.com:4318 --format otlp \\
      --firehose-stream backstop

Exit codes: 0 done, 1 error, 2 usage";
