//! The command `replay`.

use std::path::PathBuf;
use std::process::ExitCode;

use backstop_config::{Format, ProcessEnvironment, Secret};
use tokio::sync::watch;
use tokio::time::Instant;

use super::archive::{access, nothing_wanted, open};
use super::interrupt::interrupted_twice;
use super::replay_queue::{enqueue, follow};
use super::{INTERRUPTED, PARTIAL};
use crate::archive::After;
use crate::aws::Access;
use crate::cli::{ReplayArgs, UsageError};
use crate::journal::usual_directory;
use crate::options::with_options;
use crate::output::{Bar, Output, grouped, plural};
use crate::replay::{
    self, Begin, Checkpoint, CheckpointPlace, CheckpointStore, Like, Progress, Selection, Subject,
    Target, TargetOptions,
};
use crate::secrets;

pub(super) async fn run_replay(mut args: ReplayArgs, output: Output) -> anyhow::Result<ExitCode> {
    if let Some(place) = &args.follow {
        return follow(place, &access(&args.source), output).await;
    }
    // clap requires it.
    let from = args.from.take();
    let from = from.ok_or_else(|| UsageError("give --from".to_owned()))?;
    if let Some(url) = args.enqueue.take() {
        return enqueue(from, &url, args, output).await;
    }
    let target = Box::pin(target(&args)).await?;
    if args.to.as_ref().is_some_and(|url| url.contains('?')) {
        output.progress(
            "Warning: other users of this machine can read the query of --to in the process list. \
             If it holds a key, pass the address with --url-file.",
        );
    }
    let access = access(&args.source);
    let concurrency = usize::from(args.source.concurrency);
    let filter = args.filter.filter()?;
    let included = if args.include_mirrored {
        " --include-mirrored"
    } else {
        ""
    };
    let archive = open(from, args.source).await?;
    let after = match args.after.map(After::from) {
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
        dry_run: args.dry_run,
        concurrency,
        batch_records: args.batch_records as usize,
        rates: args.rate,
        after,
        include_replayed: args.include_replayed,
        include_mirrored: args.include_mirrored,
        checkpoint,
        dead_letters: args.dead_letters_file.or(beside),
        stop: None,
    };
    Box::pin(send(Selection { archive, filter }, target, options, output)).await
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
    let token = match &args.token_file {
        Some(path) => Some(Secret::new(secrets::read(path)?.trim().to_owned())),
        None => None,
    };
    let named_headers = match &args.header_file {
        Some(path) => secrets::headers(path, &secrets::read(path)?)?,
        None => Vec::new(),
    };
    let named_headers = (named_headers.into_iter())
        .map(|(name, value)| (name, Secret::new(value)))
        .collect();
    let options = TargetOptions {
        url: &url,
        is_typed: args.to.is_some(),
        format: format.or(named).unwrap_or_default(),
        format_options: args.format_options.as_deref(),
        token,
        named_headers,
        headers: like.as_ref().and_then(Like::headers),
        names: if args.to.is_some() {
            &replay::TYPED
        } else {
            &replay::FROM_FILE
        },
    };
    let target = match &like {
        Some(like) => Target::resolve(&options, &like.over(&ProcessEnvironment)),
        None => Target::resolve(&options, &ProcessEnvironment),
    }?;
    // Where nothing is sent, nothing needs a token.
    if args.dry_run || !target.has_references() {
        return Ok(target);
    }
    let mut access = access(&args.source);
    let mut function = None;
    if let Some(like) = like {
        access.region = Some(like.region);
        function = Some(like.name);
    }
    let shared = access.shared(target.timeout()).await;
    Box::pin(target.with_secrets(&shared, function.as_deref())).await
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
                Checkpoint::peek(&store(place, access).await?, subject).await?
            } else {
                None
            };
            return Ok((peeked, None));
        }
        let store = store(place, access).await?;
        match Checkpoint::open(&store, subject, self.begin).await {
            Ok(checkpoint) => Ok((Some(checkpoint), beside)),
            Err(error) if is_typed || self.begin != Begin::New || !is_of_disk(&error) => Err(error),
            // Where nothing can be kept, a replay that ends at once is still a replay.
            Err(error) => {
                let error = with_options(&format!("{error:#}"));
                output.progress(&format!("Warning: {error}; this replay cannot be resumed"));
                Ok((None, None))
            }
        }
    }
}

/// The checkpoint's place, and how it is reached.
async fn store(place: CheckpointPlace, access: &Access) -> anyhow::Result<CheckpointStore> {
    Ok(match place {
        CheckpointPlace::File(path) => CheckpointStore::File(path),
        CheckpointPlace::Bucket(bucket, prefix) => {
            access.check().await?;
            CheckpointStore::Bucket {
                client: access.s3().await?,
                bucket,
                prefix,
                alive: usual_directory().map(|state| state.join("alive")),
            }
        }
    })
}

/// Whether the disk is what stands in the way.
fn is_of_disk(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some()
}

async fn send(
    selection: Selection,
    target: Target,
    mut options: replay::Options,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let shown = selection.archive.shown();
    let progress = ReplayProgress {
        bar: Bar::new(
            output.draws(),
            "{bar:20} {bytes}/{total_bytes}  {msg}  {left}",
        ),
        started: Instant::now(),
    };
    let (interrupt, stop) = watch::channel(false);
    options.stop = Some(stop);
    let summary = tokio::select! {
        summary = replay::replay(selection, target, options, &progress) => summary,
        () = interrupted_twice(&interrupt, output) => return Ok(ExitCode::from(INTERRUPTED)),
    };
    progress.bar.clear();
    let mut summary = summary?;
    replay::summary_with_options(&mut summary);
    if summary.is_empty() {
        output.progress(&format!(
            "No object is below {shown}: check the bucket and the prefix"
        ));
    } else if summary.is_nothing_wanted() && summary.unmatched.is_empty() {
        output.progress(&nothing_wanted(
            summary.partitions_skipped,
            summary.objects_filtered,
            summary.filtered,
        ));
    }
    output.result(&replay::Replayed(&summary))?;
    if summary.dry_run && summary.would_send > 0 {
        output.hint("To send them", "the same command, without --dry-run");
    } else if let Some(checkpoint) = &summary.checkpoint {
        let next = format!("the same command, with --resume ({checkpoint})");
        output.hint("To send what is left", &next);
    }
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

impl Progress for ReplayProgress {
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
