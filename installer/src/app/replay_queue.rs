//! The commands `replay --enqueue` and `replay --follow`: a replay that a function in AWS does.

use std::process::ExitCode;
use std::time::Duration;

use super::PARTIAL;
use super::archive::{access, nothing_wanted, open};
use serde::Serialize;

use crate::archive::Place;
use crate::aws::Access;
use crate::cli::ReplayArgs;
use crate::output::{Bar, Output, Report, Style, Table, escape, grouped, plural, size};
use crate::replay::queue::{Enqueued, Limits, Queue, Wanted, enqueue as put};
use crate::replay::{Following, queue_client};

/// How often progress is looked at.
const OFTEN: Duration = Duration::from_secs(2);

pub(super) async fn enqueue(
    from: Place,
    url: &str,
    args: ReplayArgs,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let client = queue_client(url, &access(&args.source)).await?;
    let filter = args.filter.filter()?;
    let mut wanted = Wanted::of(&filter);
    wanted.include_replayed = args.include_replayed;
    wanted.include_mirrored = args.include_mirrored;
    let archive = open(from, args.source).await?;
    output.progress(&format!("Listing {}", archive.shown()));
    let queue = (!args.dry_run).then(|| Queue::new(client, url));
    let mut named = 0;
    let trouble = |key: &str, problem: &str| {
        named += 1;
        if named <= 20 {
            output.progress(&format!("{}: {problem}", escape::line(key)));
        }
    };
    let enqueued = put(
        &archive,
        &filter,
        &wanted,
        queue,
        Limits::default(),
        trouble,
    )
    .await?;
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
    let passed_over = enqueued.objects_outside + enqueued.objects_to_restore;
    Ok(if passed_over == 0 {
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
        let is_well = enqueued.objects_outside + enqueued.objects_to_restore == 0;
        let said = if enqueued.dry_run {
            format!(
                "Dry run: {} would be enqueued",
                plural(enqueued.objects, "object")
            )
        } else {
            format!("{} enqueued", plural(enqueued.objects, "object"))
        };
        format!("{table}\n{}\n", style.verdict(is_well, &said))
    }
}
