//! `backstop archive stats`: what an archive holds, in numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use backstop_archive::{Count, Filter, Line, Stats};
use serde::Serialize;
use tokio::task::JoinSet;

use super::reading::{Take, Wanted, read};
use super::{Archive, Listed, Sums, Watch};
use crate::output::{Report, Style, Table, grouped, plural, size};

/// Names of one kind in a table; the others are counted.
const SHOWN: usize = 20;
/// Hours in a table: two days.
const SHOWN_HOURS: usize = 48;
/// The longest bar.
const BAR: usize = 40;
/// What a row takes beside its bar.
const BESIDE_BAR: usize = 40;

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Its objects.
    #[serde(flatten)]
    pub sums: Sums,
    /// Its records.
    #[serde(flatten)]
    pub stats: Stats,
}

/// Reads everything that is wanted, and counts it.
pub async fn stats(
    archive: Archive,
    filter: Filter,
    concurrency: usize,
    watch: Arc<dyn Watch>,
) -> anyhow::Result<Holdings> {
    let mut holdings = Holdings::default();
    let shared = Arc::new((archive, filter));
    let mut wanted = Wanted::new(&shared.0, &shared.1);
    let mut tasks: JoinSet<Holdings> = JoinSet::new();
    loop {
        let next = wanted.next(&mut holdings.sums, &*watch).await?;
        let most = if next.is_some() {
            concurrency.max(1)
        } else {
            1
        };
        while tasks.len() >= most {
            let Some(part) = tasks.join_next().await else {
                break;
            };
            let part = part?;
            holdings.sums.add(&part.sums);
            holdings.stats.merge(&part.stats);
        }
        let Some(object) = next else { break };
        let (shared, watch) = (Arc::clone(&shared), Arc::clone(&watch));
        tasks.spawn(async move { one(&shared, &object, &*watch).await });
    }
    holdings.sums.end(&*watch);
    Ok(holdings)
}

async fn one(
    (archive, filter): &(Archive, Filter),
    object: &Listed,
    watch: &dyn Watch,
) -> Holdings {
    let mut counted = Counted {
        key: &object.key,
        stats: Stats::default(),
    };
    let sums = read(archive, filter, object, watch, &mut counted).await;
    Holdings {
        sums,
        stats: counted.stats,
    }
}

struct Counted<'a> {
    key: &'a str,
    stats: Stats,
}

impl Take for Counted<'_> {
    fn line(&mut self, line: &Line<'_>) {
        self.stats.add(self.key, line.text.len() + 1, &line.record);
    }

    async fn piece(&mut self) -> bool {
        true
    }
}

impl Holdings {
    /// A heading and a row for each name: the largest ones, or the last ones of those in order.
    fn section(
        title: &str,
        counts: &BTreeMap<String, Count>,
        most: usize,
        is_in_order: bool,
        style: Style,
    ) -> String {
        if counts.is_empty() {
            return String::new();
        }
        let mut rows: Vec<(&String, &Count)> = counts.iter().collect();
        let left = rows.len().saturating_sub(most);
        if is_in_order {
            rows.drain(..left);
        } else {
            rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.records));
            rows.truncate(most);
        }
        let largest = rows.iter().map(|(_, count)| count.records).max();
        let room = style
            .width()
            .map_or(0, |width| width.saturating_sub(BESIDE_BAR).min(BAR));
        let mut table = Table::default();
        table.heading(title);
        for (name, count) in rows {
            let share = count.records.saturating_mul(room as u64) / largest.unwrap_or(1).max(1);
            let share = usize::try_from(share).unwrap_or(room);
            // Something is there, however little.
            let bar = if room == 0 { 0 } else { share.max(1) };
            table.row(
                &format!("  {name}"),
                grouped(count.records),
                "█".repeat(bar),
            );
        }
        let more = match (left, is_in_order) {
            (0, _) => String::new(),
            (left, true) => format!(
                "  and {} before; --output json has all\n",
                plural(left as u64, "hour")
            ),
            (left, false) => format!("  and {left} more; --output json has all\n"),
        };
        format!("\n{table}{more}")
    }
}

impl Report for Holdings {
    fn text(&self, style: Style) -> String {
        let (sums, stats) = (&self.sums, &self.stats);
        let mut table = Table::default();
        table.row("objects", grouped(sums.objects), size(sums.stored_bytes));
        table.count_if("  folders skipped by name", sums.partitions_skipped);
        table.count_if("  skipped by key or age", sums.objects_filtered);
        table.count_if("  broken", sums.objects_broken);
        table.count_if("  to restore first", sums.objects_to_restore);
        table.count_if("  not part of the archive", sums.objects_outside);
        table.row(
            "records",
            grouped(stats.total.records),
            size(stats.total.bytes),
        );
        table.count_if("  filtered out by options", sums.filtered);
        table.count_if("broken lines", sums.broken_lines);
        let mut text = table.to_string();
        if let (Some(first), Some(last)) = (&stats.first, &stats.last) {
            // Writing to a String cannot fail.
            writeln!(text, "first  {first}\nlast   {last}").unwrap_or_default();
        }
        text += &Self::section("by function", &stats.functions, SHOWN, false, style);
        text += &Self::section("by hour (UTC)", &stats.hours, SHOWN_HOURS, true, style);
        text += &Self::section("by type", &stats.types, SHOWN, false, style);
        text + &Self::section("by reason", &stats.reasons, SHOWN, false, style)
    }
}
