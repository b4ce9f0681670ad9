//! The command `replay`.

use std::path::PathBuf;
use std::process::ExitCode;

use backstop_config::{Format, ProcessEnvironment};
use tokio::sync::watch;
use tokio::time::Instant;

use super::archive::{access, open};
use super::interrupt::interrupted_twice;
use super::{INTERRUPTED, PARTIAL};
use crate::archive::{After, Archive};
use crate::aws::Access;
use crate::cli::{ReplayArgs, UsageError};
use crate::journal::usual_directory;
use crate::output::{Bar, Output, grouped, plural};
use crate::replay::{
    self, Begin, Checkpoint, CheckpointPlace, Like, Observer, Subject, Target, TargetOptions,
};
use crate::secrets;

pub(super) async fn run_replay(args: ReplayArgs, output: Output) -> anyhow::Result<ExitCode> {
    let target = Box::pin(target(&args)).await?;
    if args.to.as_ref().is_some_and(|url| url.contains('?')) {
        output.progress(
            "Warning: other users of this machine can read the query of --to in the process list. \
             If it holds a key, pass the address with --url-file.",
        );
    }
    let access = access(&args.source);
    let concurrency = usize::from(args.source.concurrency);
    let mut filter = args.filter.filter()?;
    filter.without_mirrored = !args.include_mirrored;
    let included = if args.include_mirrored {
        " --include-mirrored"
    } else {
        ""
    };
    let archive = open(args.from, args.source).await?;
    let after = match args.after {
        Some(after) if archive.is_directory() && after != After::Keep => {
            let problem = "Backstop changes nothing in a directory: leave out --after";
            return Err(UsageError(problem.to_owned()).into());
        }
        Some(after) => after,
        None if archive.is_directory() => After::Keep,
        None => After::Tag,
    };
    let subject = Subject {
        target: target.shown_url().to_owned(),
        target_digest: target.digest().to_owned(),
        selection: format!("{} {filter}{included}", archive.shown())
            .trim_end()
            .to_owned(),
    };
    let kept = Kept {
        place: args.checkpoint,
        begin: match (args.resume, args.restart) {
            (true, _) => Begin::Resume,
            (_, true) => Begin::Restart,
            _ => Begin::New,
        },
        dry_run: args.dry_run,
    };
    let shown = archive.shown();
    output.progress(&if args.dry_run {
        format!("Reading {shown}")
    } else {
        format!("Replaying {shown} to {}", target.shown_url())
    });
    let (checkpoint, beside) = kept.open(&subject, &access, output).await?;
    let options = replay::Options {
        filter,
        dry_run: args.dry_run,
        concurrency,
        batch_records: args.batch_records as usize,
        rates: args.rate,
        after,
        include_replayed: args.include_replayed,
        checkpoint,
        dead_letters: args.dead_letters_file.or(beside),
    };
    Box::pin(send(archive, target, options, output)).await
}

/// Where records go: what was typed, or what a function's environment says.
async fn target(args: &ReplayArgs) -> anyhow::Result<Target> {
    let like = match &args.like {
        Some(arn) => Some(Like::read(&access(&args.source), arn).await?),
        None => None,
    };
    let url = match (&like, &args.url_file) {
        (Some(like), _) => like.url(),
        (None, Some(path)) => secrets::address(path)?,
        (None, None) => args.to.clone().unwrap_or_default(),
    };
    let format = args.format.map(Format::as_str);
    let named = like.as_ref().and_then(Like::format).or(Some("ndjson"));
    let options = TargetOptions {
        url: &url,
        is_typed: args.to.is_some(),
        format: format.or(named).unwrap_or_default(),
        format_options: args.format_options.as_deref(),
        token_file: args.token_file.as_deref(),
        header_file: args.header_file.as_deref(),
        headers: like.as_ref().and_then(Like::headers),
    };
    let target = match &like {
        Some(like) => Target::resolve(&options, &like.over(&ProcessEnvironment)),
        None => Target::resolve(&options, &ProcessEnvironment),
    }?;
    if args.dry_run {
        // Where nothing is sent, nothing needs a token.
        return Ok(target);
    }
    let mut access = access(&args.source);
    let mut function = None;
    if let Some(like) = like {
        access.region = Some(like.region);
        function = Some(like.name);
    }
    Box::pin(target.with_secrets(&access, function.as_deref())).await
}

/// What was typed of the checkpoint.
struct Kept {
    place: Option<CheckpointPlace>,
    begin: Begin,
    dry_run: bool,
}

impl Kept {
    /// The checkpoint, and the file for dead letters beside it.
    async fn open(
        self,
        subject: &Subject,
        access: &Access,
        output: Output,
    ) -> anyhow::Result<(Option<Checkpoint>, Option<PathBuf>)> {
        let name = format!("{}.checkpoint", subject.digest());
        let usual = usual_directory().map(|state| state.join("replays").join(name));
        let is_typed = self.place.is_some();
        let beside = match &self.place {
            Some(CheckpointPlace::File(path)) => Some(path.clone()),
            _ => usual.clone(),
        };
        let beside = beside.map(|path| path.with_extension("rejected.ndjson"));
        let Some(place) = self.place.or(usual.map(CheckpointPlace::File)) else {
            if self.begin == Begin::Resume {
                return Err(UsageError("HOME is not set: give --checkpoint".to_owned()).into());
            }
            return Ok((None, None));
        };
        if self.dry_run {
            let is_resumed = self.begin == Begin::Resume;
            let peeked = if is_resumed {
                Checkpoint::peek(&place, subject, access).await?
            } else {
                None
            };
            return Ok((peeked, None));
        }
        match Checkpoint::open(place, subject, self.begin, access).await {
            Ok(checkpoint) => Ok((Some(checkpoint), beside)),
            Err(error) if is_typed || self.begin != Begin::New || !is_of_disk(&error) => Err(error),
            // Where nothing can be kept, a replay that ends at once is still a replay.
            Err(error) => {
                output.progress(&format!(
                    "Warning: {error:#}; this replay cannot be resumed"
                ));
                Ok((None, None))
            }
        }
    }
}

/// Whether the disk is what stands in the way.
fn is_of_disk(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some()
}

async fn send(
    archive: Archive,
    target: Target,
    options: replay::Options,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let shown = archive.shown();
    let progress = ReplayProgress {
        bar: Bar::new(
            output.draws(),
            "{bar:20} {bytes}/{total_bytes}  {msg}  {left}",
        ),
        started: Instant::now(),
    };
    let (interrupt, stop) = watch::channel(false);
    let summary = tokio::select! {
        summary = replay::run(archive, target, options, &progress, stop) => summary,
        () = interrupted_twice(&interrupt, output) => return Ok(ExitCode::from(INTERRUPTED)),
    };
    progress.bar.clear();
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

struct ReplayProgress {
    bar: Bar,
    started: Instant,
}

impl Observer for ReplayProgress {
    fn listed(&self, bytes: u64) {
        self.bar.lengthen(bytes);
    }

    fn object_done(&self, bytes: u64, total: &replay::Summary) {
        let done = total.sent + total.would_send;
        let seconds = self.started.elapsed().as_secs().max(1);
        let rate = grouped(done / seconds);
        self.bar
            .advance_by(bytes, &format!("{}, {rate}/s", plural(done, "record")));
    }
}
