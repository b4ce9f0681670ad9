//! The options of `backstop archive template`.

use clap::{Args, ValueEnum};

use crate::template::{KeyArn, Name, Prefix};

/// Print a `CloudFormation` template of the archive: bucket, delivery stream, role and policies
///
/// The resources, their names and their defaults are those of the Terraform module `archive`. The
/// stack's outputs are the values for the variables of the same names. If the stack is deleted, the
/// bucket stays.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ArchiveTemplateArgs {
    /// Name of the delivery stream, and beginning of the other names
    #[arg(long, value_name = "NAME", default_value = "backstop")]
    pub name: Name,

    /// Name of the bucket [default: NAME-ACCOUNT-REGION]
    #[arg(long, value_name = "BUCKET", value_parser = crate::template::bucket_name)]
    pub bucket_name: Option<String>,

    /// Prefix of the archive's keys
    #[arg(long, value_name = "PREFIX", default_value = "backstop")]
    pub prefix: Prefix,

    /// KMS key for the objects, instead of S3's own keys
    #[arg(long, value_name = "ARN")]
    pub kms_key_arn: Option<KeyArn>,

    /// Keep overwritten and deleted objects for --noncurrent-days
    #[arg(long)]
    pub versioning: bool,

    /// Days until objects move to `STANDARD_IA`, at least 30; 0 for never
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub infrequent_access_days: u32,

    /// Days until objects move to `GLACIER_IR`, where they can be read at once; 0 for never
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub glacier_instant_days: u32,

    /// Days until objects are deleted; 0 for never
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub expiration_days: u32,

    /// Days until versions that are no longer current are deleted; 0 for never
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub noncurrent_days: u32,

    /// Leave out the delivery stream: functions write only to the bucket
    #[arg(long)]
    pub no_stream: bool,

    /// Megabytes after which Firehose writes an object
    #[arg(long, value_name = "MB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub buffer_mb: u32,

    /// Seconds after which Firehose writes an object
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=900))]
    pub buffer_seconds: u32,

    /// Days for which `CloudWatch` keeps the stream's own errors
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = crate::template::log_retention)]
    pub log_retention_days: u32,

    /// Form of the template
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: TemplateFormat,
}

/// How the template is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TemplateFormat {
    /// YAML, with a comment that says how to deploy it
    #[default]
    Yaml,
    /// JSON
    Json,
}

const EXAMPLES: &str = "\
Examples:
  backstop archive template > archive.yaml
  backstop archive template --name logs --format json > archive.json
  aws cloudformation deploy --stack-name backstop-archive \\
      --template-file archive.yaml --capabilities CAPABILITY_NAMED_IAM

Exit codes: 0 done, 1 error, 2 usage";
