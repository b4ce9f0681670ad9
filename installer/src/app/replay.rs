//! The command `replay`.

use std::process::ExitCode;

use backstop_config::ProcessEnvironment;
use tokio::sync::watch;

use super::archive::open;
use super::interrupt::interrupted_twice;
use super::{INTERRUPTED, PARTIAL};
use crate::cli::ReplayArgs;
use crate::output::{Bar, Output, plural};
use crate::replay::{self, Observer, Target, TargetOptions};
use crate::secrets;

pub(super) async fn run_replay(args: ReplayArgs, output: Output) -> anyhow::Result<ExitCode> {
    let (url, is_typed) = match (&args.to, &args.url_file) {
        (_, Some(path)) => (secrets::address(path)?, false),
        (to, None) => (to.clone().unwrap_or_default(), true),
    };
    let target = Target::resolve(
        &TargetOptions {
            url: &url,
            is_typed,
            format: args.format.as_str(),
            format_options: args.format_options.as_deref(),
            token_file: args.token_file.as_deref(),
            header_file: args.header_file.as_deref(),
        },
        &ProcessEnvironment,
    )?;
    if is_typed && url.contains('?') {
        output.progress(
            "Warning: other users of this machine can read the query of --to in the process list. \
             If it holds a key, pass the address with --url-file.",
        );
    }
    let concurrency = usize::from(args.source.concurrency);
    let archive = open(args.from, args.source).await?;
    let options = replay::Options {
        filter: args.filter.filter()?,
        dry_run: args.dry_run,
        concurrency,
        batch_records: args.batch_records as usize,
    };
    let shown = archive.shown();
    output.progress(&if options.dry_run {
        format!("Reading {shown}")
    } else {
        format!("Replaying {shown} to {}", target.shown_url())
    });
    let progress = ReplayProgress(Bar::new(
        output.draws(),
        "{bar:20} {bytes}/{total_bytes}  {msg}  {left}",
    ));
    let (interrupt, stop) = watch::channel(false);
    let summary = tokio::select! {
        summary = replay::run(archive, target, options, &progress, stop) => summary,
        () = interrupted_twice(&interrupt, output) => return Ok(ExitCode::from(INTERRUPTED)),
    };
    progress.0.clear();
    let summary = summary?;
    if summary.is_empty() {
        output.progress(&format!(
            "No object is below {shown}: check the bucket and the prefix"
        ));
    }
    output.result(&summary)?;
    Ok(if summary.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if summary.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}

struct ReplayProgress(Bar);

impl Observer for ReplayProgress {
    fn listed(&self, bytes: u64) {
        self.0.lengthen(bytes);
    }

    fn object_done(&self, bytes: u64, total: &replay::Summary) {
        let done = total.sent + total.would_send;
        self.0.advance_by(bytes, &plural(done, "record"));
    }
}
