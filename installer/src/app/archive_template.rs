//! The command `archive template`.

use std::process::ExitCode;

use crate::cli::{ArchiveTemplateArgs, TemplateFormat, UsageError};
use crate::output::Output;
use crate::template::{Lifecycle, Stream, Template, deployable};

pub(super) fn run(args: ArchiveTemplateArgs, output: Output) -> anyhow::Result<ExitCode> {
    let days = |days: u32| (days > 0).then_some(days);
    let template = Template {
        name: args.name,
        bucket_name: args.bucket_name,
        prefix: args.prefix,
        kms_key_arn: args.kms_key_arn,
        versioning: args.versioning,
        lifecycle: Lifecycle {
            infrequent_access_days: days(args.infrequent_access_days),
            glacier_instant_days: days(args.glacier_instant_days),
            expiration_days: days(args.expiration_days),
            noncurrent_days: days(args.noncurrent_days),
        },
        stream: (!args.no_stream).then_some(Stream {
            buffer_mb: args.buffer_mb,
            buffer_seconds: args.buffer_seconds,
            log_retention_days: args.log_retention_days,
        }),
    };
    let value = template.value().map_err(UsageError)?;
    let text = match args.format {
        TemplateFormat::Yaml => deployable(&value),
        TemplateFormat::Json => serde_json::to_string_pretty(&value)? + "\n",
    };
    output.bytes(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
