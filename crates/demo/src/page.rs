//! The result of a demo as one page: its charts, and the numbers that are shown.
//!
//! Must not: count anything, which is `report`'s.

use std::fmt::Write as _;

use backstop_output::page::{self, Page, Row, Verdict, WIDTH, open};
use backstop_output::{Report as _, Style};

use crate::report::Summary;
use crate::timeline::Sample;

/// In the coordinates of a chart.
const HEIGHT: f64 = 100.0;
const STRIP: f64 = 12.0;

const LEDGER: &[Row] = &[
    ("/ledger/received", "received", ""),
    ("/ledger/delivered/https", "delivered to the primary", ""),
    ("/ledger/delivered/firehose", "delivered to Firehose", ""),
    ("/ledger/delivered/s3", "delivered to S3", ""),
    (
        "/ledger/dropped/own_log",
        "the extension's own lines, never sent",
        "",
    ),
    ("/ledger/pending", "pending", ""),
    ("/ledger/dead_letters", "dead letters", ""),
    ("/ledger/ambiguous", "perhaps in two places", ""),
    ("/lost", "lines lost", ""),
];
const REPLAY: &[Row] = &[
    ("/atPrimary", "at the primary before", ""),
    ("/inArchive", "in the archive", ""),
    ("/replay/objects", "objects read", ""),
    ("/replay/records", "records read", ""),
    ("/replayed", "replayed", ""),
    ("/replay/failed", "failed", ""),
    ("/atPrimaryAfterReplay", "at the primary after", ""),
    ("/stranded", "stranded in the archive", ""),
];
const COST: &[Row] = &[
    ("/addedMs/p50", "median, primary up", "ms"),
    ("/addedMs/p99", "p99, primary up", "ms"),
    ("/addedMs/max", "max, primary up", "ms"),
    ("/addedInOutageMs/p50", "median, primary down", "ms"),
    ("/addedInOutageMs/p99", "p99, primary down", "ms"),
    ("/addedInOutageMs/max", "max, primary down", "ms"),
    ("/maxAddedMs", "limit", "ms"),
    ("/overBound", "invocations over it", ""),
];
const PROCESS: &[Row] = &[
    ("/startUpMs", "start-up", "ms"),
    ("/shutdownMs", "shutdown", "ms"),
    ("/peakRssBytes", "peak memory", "B"),
];

pub(super) fn of(summary: &Summary) -> anyhow::Result<String> {
    let text = summary.text(Style::default());
    let mut lines = text.lines().rev();
    let (end, story) = (lines.next(), lines.next());
    let page = Page {
        title: "Backstop demo",
        verdict: Verdict {
            is_good: summary.ok,
            story: story.unwrap_or_default(),
            end: end.unwrap_or_default(),
        },
        charts: &charts(&summary.timeline),
        tables: &[
            ("The ledger", LEDGER),
            ("The replay", REPLAY),
            ("Added to an invocation", COST),
            ("The process", PROCESS),
        ],
    };
    page.of(summary)
}

/// What is between two samples.
struct Step<'a> {
    sample: &'a Sample,
    x: f64,
    width: f64,
    /// Records a second, by sink.
    rates: [(&'static str, f64); 3],
}

fn steps(timeline: &[Sample]) -> Vec<Step<'_>> {
    let zero = Sample::default();
    let last = timeline.last().map_or(1, |sample| sample.invocation).max(1);
    let x = |invocation: u32| f64::from(invocation) / f64::from(last) * WIDTH;
    let before = std::iter::once(&zero).chain(timeline);
    (before.zip(timeline))
        .map(|(before, sample)| {
            let elapsed = sample.elapsed_ms.saturating_sub(before.elapsed_ms).max(1);
            let rate =
                |now: u64, then: u64| small(now.saturating_sub(then)) * 1000.0 / small(elapsed);
            Step {
                sample,
                x: x(before.invocation),
                width: x(sample.invocation) - x(before.invocation),
                rates: [
                    ("https", rate(sample.https, before.https)),
                    ("firehose", rate(sample.firehose, before.firehose)),
                    ("s3", rate(sample.s3, before.s3)),
                ],
            }
        })
        .collect()
}

/// Counts between two samples are far below what this can hold.
fn small(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn charts(timeline: &[Sample]) -> String {
    let steps = steps(timeline);
    let last = timeline.last().map_or(0, |sample| sample.invocation);
    let axis = format!("<div class=\"axis\"><span>invocation 1</span><span>{last}</span></div>\n");
    let total = |step: &Step<'_>| step.rates.iter().map(|(_, rate)| rate).sum::<f64>();
    let most = steps.iter().map(total).fold(1.0, f64::max);
    let added = steps.iter().map(|step| step.sample.added_ms);
    let most_added = added.fold(1.0, f64::max);

    let mut text = String::from(
        "<h2>Records a second</h2>\n<p class=\"quiet legend\"><span><i class=\"key https\"></i>primary\
         </span><span><i class=\"key firehose\"></i>Firehose</span><span><i class=\"key s3\"></i>S3\
         </span><span><i class=\"key down\"></i>primary down</span></p>\n",
    );
    writeln!(text, "<div class=\"axis\"><span>{most:.0}</span></div>").ok();
    open(&mut text, HEIGHT, "Records a second by sink");
    for step in &steps {
        if step.sample.primary_down {
            rect(&mut text, step, "down", 0.0, HEIGHT, None);
        }
        let mut y = HEIGHT;
        for (sink, rate) in step.rates {
            let height = rate / most * HEIGHT;
            if height > 0.0 {
                y -= height;
                let title = format!(
                    "invocation {}: {rate:.0} records a second to {sink}",
                    step.sample.invocation
                );
                rect(&mut text, step, sink, y, height, Some(&title));
            }
        }
    }
    text.push_str("</svg>\n");
    text.push_str(&axis);

    text.push_str(
        "<h2>Circuit breaker of the primary</h2>\n<p class=\"quiet legend\"><span><i class=\"key open\">\
         </i>open</span><span>empty: closed</span></p>\n",
    );
    open(&mut text, STRIP, "When the breaker was open");
    for step in steps.iter().filter(|step| step.sample.breaker_open) {
        rect(&mut text, step, "open", 0.0, STRIP, None);
    }
    text.push_str("</svg>\n");
    text.push_str(&axis);

    text.push_str("<h2>Milliseconds added to an invocation</h2>\n");
    writeln!(
        text,
        "<div class=\"axis\"><span>{most_added:.1}</span></div>"
    )
    .ok();
    open(&mut text, HEIGHT, "Milliseconds added to an invocation");
    for step in &steps {
        if step.sample.primary_down {
            rect(&mut text, step, "down", 0.0, HEIGHT, None);
        }
        let height = step.sample.added_ms / most_added * HEIGHT;
        if height > 0.0 {
            let title = format!(
                "invocation {}: {} ms",
                step.sample.invocation, step.sample.added_ms
            );
            rect(
                &mut text,
                step,
                "added",
                HEIGHT - height,
                height,
                Some(&title),
            );
        }
    }
    text.push_str("</svg>\n");
    text.push_str(&axis);
    text
}

fn rect(text: &mut String, step: &Step<'_>, class: &str, y: f64, height: f64, title: Option<&str>) {
    page::rect(text, class, (step.x, step.width), (y, height), title);
}
