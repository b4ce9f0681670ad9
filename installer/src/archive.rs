//! The archive for people: what `archive stats` prints. The archive itself is
//! [`backstop_replay::archive`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use backstop_archive::Count;
pub use backstop_replay::archive::*;
use serde::Serialize;

use crate::output::{Report, Style, Table, grouped, plural, size};

/// Names of one kind in a table; the others are counted.
const SHOWN: usize = 20;
/// Hours in a table: two days.
const SHOWN_HOURS: usize = 48;
/// The longest bar.
const BAR: usize = 40;
/// What a row takes beside its bar.
const BESIDE_BAR: usize = 40;

/// What an archive holds, as it is printed.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Counted<'a>(pub &'a Holdings);

impl Report for Counted<'_> {
    fn text(&self, style: Style) -> String {
        let (sums, stats) = (&self.0.sums, &self.0.stats);
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
        text += &section("by function", &stats.functions, SHOWN, false, style);
        text += &section("by hour (UTC)", &stats.hours, SHOWN_HOURS, true, style);
        text += &section("by type", &stats.types, SHOWN, false, style);
        text + &section("by reason", &stats.reasons, SHOWN, false, style)
    }
}

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
