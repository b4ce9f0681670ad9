//! The command `transform`, which changes nothing.

use std::io::{self, Write};
use std::process::ExitCode;

use backstop_config::ProcessEnvironment;

use super::PARTIAL;
use crate::cli::TransformArgs;
use crate::output::Output;
use crate::transform;

pub(super) fn run_transform(args: &TransformArgs, output: Output) -> anyhow::Result<ExitCode> {
    let (settings, transforms) = transform::settings(&ProcessEnvironment, args.config.as_deref())?;
    let summary = if args.print {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        let summary = transform::run(&settings, transforms, &args.files, Some(&mut stdout))?;
        // A reader that has closed the pipe has what it wanted.
        stdout.flush().or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(error),
        })?;
        drop(stdout);
        output.shown(&summary);
        summary
    } else {
        let summary = transform::run(&settings, transforms, &args.files, None)?;
        output.result(&summary)?;
        let next = "backstop attach FUNCTION --set NAME=VALUE, with the same variables";
        output.hint("To set them", next);
        summary
    };
    Ok(if summary.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}
