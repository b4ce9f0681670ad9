//! The result of a replay, for people.

use backstop_replay::{Problem, Summary};
use serde::Serialize;

use crate::output::{Report, Style, Table, escape, grouped, plural, size};

/// Problems in a table; the others are counted.
const SHOWN_PROBLEMS: usize = 20;

/// What a replay came to, as it is printed.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Replayed<'a>(pub &'a Summary);

impl Report for Replayed<'_> {
    fn text(&self, style: Style) -> String {
        let summary = self.0;
        let mut table = Table::default();
        table.count("objects", summary.objects);
        table.count_if("  folders skipped by name", summary.partitions_skipped);
        table.count_if("  skipped by key or age", summary.objects_filtered);
        table.count_if("  broken", summary.objects_broken);
        table.count_if("  to restore first", summary.objects_to_restore);
        table.count_if("  not part of the archive", summary.objects_outside);
        table.count_if("  done before", summary.objects_done_before);
        table.count_if("  replayed before", summary.objects_replayed);
        table.count_if("  marked as replayed", summary.objects_marked);
        table.count_if("  not marked", summary.objects_unmarked);
        table.count("records", summary.records);
        if summary.dry_run {
            let bytes = size(summary.would_send_bytes);
            table.row("  would be sent", grouped(summary.would_send), bytes);
        } else {
            table.row("  sent", grouped(summary.sent), size(summary.sent_bytes));
        }
        table.count_if("  sent before", summary.sent_before);
        table.count_if("    with no readable time", summary.without_time);
        table.count_if("    with no known function", summary.without_function);
        table.count_if("    sharing another record's id", summary.id_conflicts);
        table.count("  duplicates", summary.duplicates);
        table.count("  filtered out by options", summary.filtered);
        if !summary.dry_run {
            table.count("  rejected", summary.rejected);
            table.count("  failed", summary.failed);
        }
        table.count("broken lines", summary.broken_lines);
        for (title, counts) in [
            ("by function", &summary.functions),
            ("by reason", &summary.reasons),
        ] {
            if !counts.is_empty() {
                table.heading(title);
            }
            for (name, count) in counts {
                table.count(&format!("  {name}"), *count);
            }
        }
        let problems = summary.problems.iter().take(SHOWN_PROBLEMS);
        let more = summary.problems.len().saturating_sub(SHOWN_PROBLEMS);
        let more = (more > 0).then(|| format!("and {more} more; --output json has them\n"));
        let problems = problems.map(shown).chain(more);
        let verdict = style.verdict(summary.is_complete(), &verdict(summary));
        let mut parts = vec![table.to_string()];
        if !summary.problems.is_empty() {
            parts.push(problems.collect());
        }
        parts.push(format!(
            "{verdict}\n{}",
            advice(summary).unwrap_or_default()
        ));
        let text = parts.join("\n");
        text.trim_end().to_owned() + "\n"
    }
}

fn shown(problem: &Problem) -> String {
    let line = problem
        .line
        .map_or_else(String::new, |line| format!(", line {line}"));
    // A key may hold anything, line feeds included.
    let object = escape::line(&problem.object);
    format!("{object}{line}: {}\n", problem.problem)
}

fn verdict(summary: &Summary) -> String {
    let sent = if summary.dry_run {
        let count = plural(summary.would_send, "record");
        format!("Dry run: {count} would be sent")
    } else {
        format!("{} sent", plural(summary.sent, "record"))
    };
    match (summary.is_complete(), summary.dry_run) {
        (true, true) => return sent,
        (true, false) => return format!("{sent}, none missing"),
        (false, _) => {}
    }
    let undelivered = summary.rejected + summary.failed;
    let mut parts = vec![sent];
    if undelivered > 0 {
        parts.push(format!("{} not delivered", grouped(undelivered)));
    }
    if summary.broken_lines > 0 {
        parts.push(plural(summary.broken_lines, "broken line"));
    }
    if summary.objects_broken > 0 {
        parts.push(plural(summary.objects_broken, "broken object"));
    }
    if summary.objects_to_restore > 0 {
        parts.push(format!(
            "{} to restore",
            plural(summary.objects_to_restore, "object")
        ));
    }
    if summary.id_conflicts > 0 {
        parts.push(plural(summary.id_conflicts, "id conflict"));
    }
    parts.extend(summary.unmatched.iter().cloned());
    parts.extend((summary.nearest.as_ref()).map(|_| "there is no archive".to_owned()));
    parts.join(", ")
}

/// What to do about what is left; `None` where nothing is.
fn advice(summary: &Summary) -> Option<String> {
    let again = if summary.checkpoint.is_some() {
        "run the same command with --resume: it sends what is left"
    } else {
        "run the same command again: it sends all records again, under the same ids"
    };
    if summary.interrupted {
        return Some(format!("interrupted: {again}"));
    }
    if let Some(halted) = &summary.halted {
        let is_said = summary.checkpoint.is_none() || halted.contains("--resume");
        let resume = if is_said {
            ""
        } else {
            "; with --resume it sends what is left"
        };
        return Some(format!("{halted}{resume}"));
    }
    if summary.failed > 0 {
        let why = summary.failure.as_ref();
        let why = why.map(|why| format!("the primary does not accept all records: {why}; "));
        return Some(why.unwrap_or_default() + again);
    }
    if summary.rejected > 0 {
        let file = summary.dead_letters.as_ref().map(|file| {
            format!(
                "; {} has them with its answer, and can be given to --from",
                escape::part(file)
            )
        });
        return Some(format!(
            "the primary rejected records for good: check its log for the cause; they stay in \
             the archive{}",
            file.unwrap_or_default()
        ));
    }
    if let Some(nearest) = &summary.nearest {
        return Some(format!("did you mean --from {}?", escape::part(nearest)));
    }
    if summary.objects_to_restore > 0 {
        return Some(
            "restore the objects in archive storage classes, then run the same command again"
                .to_owned(),
        );
    }
    (summary.broken_lines + summary.objects_broken + summary.id_conflicts > 0)
        .then(|| "check the items listed above: they stay in the archive unchanged".to_owned())
}
