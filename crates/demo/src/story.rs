//! The result of a demo, as a table and two sentences.
//!
//! Invariant: the last line is good exactly if the exit code is 0, and says why where it is not.
//! Must not: count anything, which is `report`'s.

use backstop_output::{Report, Style, Table, grouped, plural};

use crate::report::{AddedTime, Summary};

impl Summary {
    /// The flow of the story, in a line or two.
    fn story(&self) -> String {
        let taken = |sink| self.ledger.as_ref().map_or(0, |it| it.delivered(sink));
        let records = plural(self.diverted, "record");
        let diverted = match (taken("firehose"), taken("s3")) {
            (0, 0) => "no record was diverted".to_owned(),
            (_, 0) => format!("{records} diverted to firehose"),
            (0, _) => format!("{records} diverted to s3"),
            (firehose, s3) => format!(
                "{records} diverted ({} to firehose, {} to s3)",
                grouped(firehose),
                grouped(s3)
            ),
        };
        let put_back = format!("replay delivered {}", grouped(self.replayed));
        match self.outage {
            Some([start, end]) => format!(
                "Primary down for invocations {start}-{end} ({}): {diverted}, {} lost; {put_back}.",
                self.fault,
                grouped(self.missing())
            ),
            None => format!("Primary up throughout: {diverted}; {put_back}."),
        }
    }

    /// Requests that the primary did not take, by status.
    fn refused(&self) -> impl Iterator<Item = (u16, u64)> {
        let requests = self.primary_requests.iter();
        requests
            .filter(|(status, _)| !(200..300).contains(*status))
            .map(|(status, count)| (*status, *count))
    }

    /// Records of any kind that are nowhere.
    fn missing(&self) -> u64 {
        let records = self.findings.missing_records + self.dropped_upstream;
        self.findings.lost.max(records)
    }

    fn verdict(&self) -> String {
        let received = self.ledger.as_ref().map_or(self.emitted, |it| it.received);
        let emitted = received + self.dropped_upstream;
        let mut text = format!(
            "{} of {} lost",
            grouped(self.missing()),
            plural(emitted, "record")
        );
        for (holds, problem) in [
            (
                self.findings.stranded > 0,
                "records stranded in the archive",
            ),
            (self.ledger.is_none(), "the extension wrote no ledger"),
            (
                self.ledger.is_some() && !self.ledger_adds_up,
                "the ledger does not add up",
            ),
            (
                self.overran,
                "an invocation timed out because of the extension",
            ),
            (self.killed, "Lambda killed the extension"),
            (!self.replay.is_complete(), "the replay is not complete"),
        ] {
            if holds {
                text.push_str("; ");
                text.push_str(problem);
            }
        }
        text
    }
}

impl Report for Summary {
    fn text(&self, style: Style) -> String {
        let findings = &self.findings;
        let ledger = self.ledger.clone().unwrap_or_default();
        let mut table = Table::default();
        table.row(
            "records received",
            grouped(ledger.received),
            format!(
                "{} from the function, in {}",
                grouped(self.emitted),
                plural(self.invocations.into(), "invocation")
            ),
        );
        for sink in ["https", "firehose", "s3"] {
            let note = if sink == "https" { "" } else { "diverted" };
            table.row(
                &format!("  to {sink}"),
                grouped(ledger.delivered(sink)),
                note,
            );
        }
        for (reason, count) in &ledger.dropped {
            let note = if reason == "own_log" {
                "the extension's own lines, never sent"
            } else {
                "LOST"
            };
            table.row(&format!("  dropped, {reason}"), grouped(*count), note);
        }
        table.count_if("  pending", ledger.pending);
        table.count_if("dead letters", ledger.dead_letters);
        if self.dropped_upstream > 0 {
            let count = grouped(self.dropped_upstream);
            table.row("dropped before that", count, "by the platform: LOST");
        }
        let refused: u64 = self.refused().map(|(_, count)| count).sum();
        let answers: Vec<String> = self
            .refused()
            .map(|(status, count)| match status {
                0 => format!("{} never answered", grouped(count)),
                _ => format!("{} with {status}", grouped(count)),
            })
            .collect();
        if refused > 0 {
            table.row("requests failed", grouped(refused), answers.join(", "));
        }
        table.row(
            "at the primary",
            grouped(findings.at_primary),
            "before the replay",
        );
        table.row(
            "  after the replay",
            grouped(findings.at_primary_after_replay),
            format!("{} replayed", grouped(self.replayed)),
        );
        table.row(
            "duplicates",
            grouped(findings.duplicates),
            format!(
                "with the same id; {} in the ledger",
                grouped(ledger.ambiguous)
            ),
        );
        table.row(
            "lines lost",
            grouped(findings.lost),
            format!("of {} by content", grouped(self.emitted)),
        );
        table.row(
            "added, primary up",
            format!("{:.0} ms", self.added_ms.p50),
            spread(self.added_ms),
        );
        if self.outage.is_some() {
            table.row(
                "added, primary down",
                format!("{:.0} ms", self.added_in_outage_ms.p50),
                spread(self.added_in_outage_ms),
            );
        }
        table.row(
            "over the limit",
            grouped(self.over_bound),
            format!("of {} ms", grouped(self.max_added_ms)),
        );
        let killed = if self.killed { "KILLED" } else { "" };
        table.row("shutdown", format!("{:.0} ms", self.shutdown_ms), killed);
        table.row("start-up", format!("{:.0} ms", self.start_up_ms), "");
        table.row(
            "peak memory",
            format!("{} KiB", grouped(self.peak_rss_bytes / 1024)),
            "",
        );
        format!(
            "{table}\n{}\n{}\n",
            self.story(),
            style.verdict(self.ok, &self.verdict())
        )
    }
}

fn spread(added: AddedTime) -> String {
    format!("median; p99 {:.0} ms, max {:.0} ms", added.p99, added.max)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Findings, LedgerLine};

    fn good() -> Summary {
        let named = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            let owned = |(name, count): &(&str, u64)| ((*name).to_owned(), *count);
            pairs.iter().map(owned).collect()
        };
        let added = |p50, p99, max| AddedTime { p50, p99, max };
        let mut summary = Summary {
            fault: "503".to_owned(),
            outage: Some([21, 40]),
            invocations: 60,
            emitted: 1_200,
            emitted_events: 1_386,
            ledger: Some(LedgerLine {
                received: 1_386,
                delivered: named(&[("https", 856), ("firehose", 529), ("s3", 0)]),
                dropped: named(&[("own_log", 1)]),
                ..LedgerLine::default()
            }),
            ledger_adds_up: true,
            diverted: 529,
            findings: Findings {
                at_primary: 856,
                in_archive: 529,
                at_primary_after_replay: 1_385,
                ..Findings::default()
            },
            primary_requests: BTreeMap::from([(0, 1), (200, 9), (503, 3)]),
            replayed: 529,
            added_ms: added(0.2, 26.6, 26.6),
            added_in_outage_ms: added(0.2, 86.9, 86.9),
            max_added_ms: 500,
            shutdown_ms: 5.6,
            peak_rss_bytes: 12_345_678,
            start_up_ms: 6.4,
            ..Summary::default()
        };
        summary.ok = true;
        summary
    }

    #[test]
    fn the_story_of_a_good_run_is_short() {
        insta::assert_snapshot!(good().text(Style::default()));
    }

    #[test]
    fn what_is_wrong_is_in_the_last_line() {
        let mut summary = good();
        summary.ok = false;
        summary.dropped_upstream = 7;
        summary.findings.lost = 5;
        summary.findings.stranded = 1;
        summary.ledger_adds_up = false;
        summary.killed = true;
        let text = summary.text(Style::default());
        assert_eq!(
            text.lines().last(),
            Some(
                "7 of 1,393 records lost; records stranded in the archive; the ledger does not add \
                 up; Lambda killed the extension"
            )
        );
        summary.ledger = None;
        let text = summary.text(Style::default());
        assert!(text.contains("; the extension wrote no ledger"), "{text}");
    }
}
