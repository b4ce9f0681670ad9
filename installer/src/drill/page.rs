//! The result of a drill as one page: its chart, and the numbers that are shown.

use std::fmt::Write as _;

use super::summary::Summary;
use backstop_output::page::{Page, Row, Verdict, WIDTH, open, rect};

const HEIGHT: f64 = 100.0;

const INVOCATIONS: &[Row] = &[
    ("/before/invocations", "before the failure", ""),
    ("/before/failed", "failed before", ""),
    ("/before/coldStarts", "cold starts before", ""),
    ("/during/invocations", "during the failure", ""),
    ("/during/failed", "failed during", ""),
    ("/during/coldStarts", "cold starts during", ""),
];
const BILLED: &[Row] = &[
    ("/before/billedMs/p50", "median, before", "ms"),
    ("/during/billedMs/p50", "median, during", "ms"),
    ("/before/billedMs/max", "max, before", "ms"),
    ("/during/billedMs/max", "max, during", "ms"),
];
const RECORDS: &[Row] = &[
    ("/archived", "in the archive", ""),
    ("/records/s3", "by S3", ""),
    ("/records/firehose", "by Firehose", ""),
    ("/missingRecords", "missing", ""),
    ("/replay/sent", "replayed to the primary", ""),
    ("/replay/rejected", "rejected in the replay", ""),
    ("/replay/failed", "failed in the replay", ""),
];

pub fn page(summary: &Summary) -> anyhow::Result<String> {
    let title = format!("Backstop drill of {}", summary.function);
    let (story, end) = (summary.story(), summary.verdict());
    let page = Page {
        title: &title,
        verdict: Verdict {
            is_good: summary.ok,
            story: &story,
            end: &end,
        },
        charts: &chart(summary),
        tables: &[
            ("Invocations", INVOCATIONS),
            ("Billed duration, warm", BILLED),
            ("Records", RECORDS),
        ],
    };
    page.of(summary)
}

/// A bar for each invocation.
fn chart(summary: &Summary) -> String {
    let phases = [(&summary.before, false), (&summary.during, true)];
    let all = phases.map(|(phase, is_down)| phase.each.iter().map(move |it| (it, is_down)));
    let all: Vec<_> = all.into_iter().flatten().collect();
    let billed = all.iter().filter_map(|(it, _)| it.billed_ms);
    let most = billed.fold(1.0, f64::max);
    let mut text = String::from(
        "<h2>Billed milliseconds of each invocation</h2>\n<p class=\"quiet legend\"><span><i \
         class=\"key added\"></i>warm</span><span><i class=\"key cold\"></i>cold start</span><span>\
         <i class=\"key down\"></i>primary failing</span></p>\n",
    );
    writeln!(text, "<div class=\"axis\"><span>{most}</span></div>").ok();
    open(&mut text, HEIGHT, "Billed milliseconds of each invocation");
    let count = f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX)).max(1.0);
    let width = WIDTH / count;
    let mut x = 0.0;
    for (number, (invoked, is_down)) in (1..).zip(&all) {
        if *is_down {
            rect(&mut text, "down", (x, width), (0.0, HEIGHT), None);
        }
        let height = invoked.billed_ms.unwrap_or(0.0) / most * HEIGHT;
        if let Some(billed) = invoked.billed_ms {
            let title = format!("invocation {number}: {billed} ms");
            let class = if invoked.is_cold { "cold" } else { "added" };
            let bar = (x + width * 0.1, width * 0.8);
            rect(
                &mut text,
                class,
                bar,
                (HEIGHT - height, height),
                Some(&title),
            );
        }
        x += width;
    }
    text.push_str("</svg>\n");
    writeln!(
        text,
        "<div class=\"axis\"><span>invocation 1</span><span>{}</span></div>",
        all.len()
    )
    .ok();
    text
}
