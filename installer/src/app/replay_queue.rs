//! The commands `replay --enqueue` and `replay --follow`: a replay that a function in AWS does.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::PARTIAL;
use super::archive::{access, nothing_wanted, open};
use crate::archive::{Place, Watch};
use crate::aws::Access;
use crate::cli::{ReplayArgs, UsageError};
use crate::output::{Bar, Output, Report, Style, Table, escape, grouped, plural, size};
use crate::replay::queue::{Enqueued, Limits, Queue, Wanted, enqueue as put};
use crate::replay::{Following, OFTEN, queue_client};

/// Skipped objects that are named; the result counts the others.
const NAMED: usize = 20;

pub(super) async fn enqueue(
    from: Place,
    url: &str,
    args: ReplayArgs,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if matches!(from, Place::Path(_)) {
        let problem = "a function reads no directory: give --from s3://BUCKET/PREFIX";
        return Err(UsageError(problem.to_owned()).into());
    }
    let client = queue_client(url, &access(&args.source)).await?;
    let filter = args.filter.filter()?;
    let mut wanted = Wanted::of(&filter);
    wanted.include_replayed = args.include_replayed;
    wanted.include_mirrored = args.include_mirrored;
    let archive = open(from, args.source).await?;
    output.progress(&format!("Listing {}", archive.shown()));
    let queue = (!args.dry_run).then(|| Queue::new(client, url));
    let watch = Skipped {
        output,
        seen: AtomicUsize::new(0),
    };
    let limits = Limits::default();
    let enqueued = put(&archive, &filter, &wanted, queue, limits, &watch).await?;
    if enqueued.objects == 0 {
        output.progress(&nothing_wanted(
            enqueued.partitions_skipped,
            enqueued.objects_filtered,
            0,
        ));
    }
    output.result(&View(&enqueued))?;
    if enqueued.dry_run {
        output.hint("To enqueue them", "the same command, without --dry-run");
    } else if enqueued.objects > 0 {
        output.hint(
            "To watch the replay",
            &format!("backstop replay --follow {url}"),
        );
    }
    Ok(if is_complete(&enqueued) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}

pub(super) async fn follow(
    place: &str,
    access: &Access,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let mut following = Following::begin(place, access).await?;
    output.progress(&format!("Following {}", escape::line(place)));
    let bar = Bar::new(output.draws(), "{bar:20} {pos}/{len}  {msg}  {left}");
    let (mut length, mut position) = (0, 0);
    let followed = loop {
        let followed = following.look().await?;
        if let Some(warning) = following.warning() {
            output.progress(warning);
        }
        let total = followed.done + followed.failed + followed.left;
        let ended = followed.done + followed.failed;
        bar.lengthen(total.saturating_sub(length));
        length = length.max(total);
        let message = format!(
            "{} left, {} failed",
            grouped(followed.left),
            grouped(followed.failed)
        );
        bar.advance_by(ended.saturating_sub(position), &message);
        position = position.max(ended);
        if followed.is_ended {
            break followed;
        }
        tokio::time::sleep(OFTEN).await;
    };
    bar.clear();
    output.result(&followed)?;
    Ok(if followed.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}

/// Names the first objects that are skipped.
struct Skipped {
    output: Output,
    seen: AtomicUsize,
}

impl Watch for Skipped {
    fn trouble(&self, key: &str, problem: &str) {
        if self.seen.fetch_add(1, Ordering::Relaxed) < NAMED {
            self.output
                .progress(&format!("{}: {problem}", escape::line(key)));
        }
    }
}

/// Whether every object that is wanted can be enqueued.
fn is_complete(enqueued: &Enqueued) -> bool {
    enqueued.objects_outside + enqueued.objects_to_restore == 0
}

/// What was put into a queue, as it is printed.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct View<'a>(&'a Enqueued);

impl Report for View<'_> {
    fn text(&self, style: Style) -> String {
        let enqueued = self.0;
        let mut table = Table::default();
        let title = if enqueued.dry_run {
            "would be enqueued"
        } else {
            "enqueued"
        };
        table.row(title, grouped(enqueued.objects), size(enqueued.bytes));
        table.count_if("folders skipped by name", enqueued.partitions_skipped);
        table.count_if("skipped by key or age", enqueued.objects_filtered);
        table.count_if("to restore first", enqueued.objects_to_restore);
        table.count_if("not part of the archive", enqueued.objects_outside);
        let said = if enqueued.dry_run {
            format!(
                "Dry run: {} would be enqueued",
                plural(enqueued.objects, "object")
            )
        } else {
            format!("{} enqueued", plural(enqueued.objects, "object"))
        };
        format!("{table}\n{}\n", style.verdict(is_complete(enqueued), &said))
    }
}
