//! Text that the layer reports share.

use crate::fleet::Skipped;
use crate::output::{Columns, Style};

/// Rows of text under their headings; ends with a line feed.
pub(super) fn columns(
    style: Style,
    heading: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut columns = Columns::new(heading);
    for row in rows {
        columns.row(row);
    }
    columns.text(style)
}

/// What was said on several lines, on one.
fn on_one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}

/// A line for each thing that went wrong, and for each place that was left out.
pub(super) fn problems<'a>(
    wrong: impl Iterator<Item = (String, &'a str)>,
    skipped: &[Skipped],
) -> String {
    let mut lines: Vec<String> = wrong
        .map(|(what, reason)| format!("{what}: {}", on_one_line(reason)))
        .collect();
    lines.extend(skipped.iter().map(|skipped| {
        let word = if skipped.is_failure {
            "not reached"
        } else {
            "skipped"
        };
        let region = (skipped.region.as_ref()).map(|region| format!(" {region}"));
        format!(
            "{word}: {}{}: {}",
            skipped.account,
            region.unwrap_or_default(),
            on_one_line(&skipped.reason)
        )
    }));
    if lines.is_empty() {
        return String::new();
    }
    lines.join("\n") + "\n\n"
}
