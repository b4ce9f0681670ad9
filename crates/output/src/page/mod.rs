//! A command's result as one HTML page: no script runs, and nothing is loaded.
//!
//! Everything is drawn from the JSON of the result, which is in the page too. Invariant: each number of a
//! table names its place in that JSON. Must not: count anything.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::grouped;

const PAGE: &str = include_str!("page.html");
/// The width of a chart in its own coordinates; on the page it is as wide as the text.
pub const WIDTH: f64 = 1000.0;

/// Where a number is in the JSON, what it is called, and its unit.
pub type Row = (&'static str, &'static str, &'static str);

/// What a page shows above its data.
#[derive(Debug)]
pub struct Page<'a> {
    pub title: &'a str,
    /// What happened, and how it ended.
    pub verdict: Verdict<'a>,
    /// SVG and its headings.
    pub charts: &'a str,
    /// Headings and the numbers below each.
    pub tables: &'a [(&'a str, &'a [Row])],
}

/// What happened, and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a> {
    /// Whether it ended well.
    pub is_good: bool,
    pub story: &'a str,
    /// How it ended.
    pub end: &'a str,
}

impl Page<'_> {
    /// The page of a result.
    pub fn of(&self, result: &impl Serialize) -> anyhow::Result<String> {
        let json = crate::json(result, true).context("the result cannot be written as JSON")?;
        let value = serde_json::to_value(result).context("the result cannot be written as JSON")?;
        let mut tables = String::new();
        for (heading, rows) in self.tables {
            table(&mut tables, heading, rows, &value);
        }
        let Verdict {
            is_good,
            story,
            end,
        } = self.verdict;
        let class = if is_good { "good" } else { "bad" };
        let (story, end) = (escaped(story), escaped(end));
        // The data is last, so that nothing in it is taken for a place of the template.
        Ok(PAGE
            .replace("{{title}}", &escaped(self.title))
            .replace(
                "{{verdict}}",
                &format!("<p>{story}</p>\n<p class=\"{class}\">{end}</p>"),
            )
            .replace("{{charts}}", self.charts)
            .replace("{{tables}}", tables.trim_end())
            // Within a script only its end is special.
            .replace("{{json}}", &json.replace('<', "\\u003c")))
    }
}

fn table(text: &mut String, heading: &str, rows: &[Row], value: &Value) {
    write!(text, "<section>\n<h2>{heading}</h2>\n<table>\n").ok();
    for (path, label, unit) in rows {
        // A run without an outage, or without a ledger, has no such number.
        let Some(number) = value.pointer(path).filter(|number| number.is_number()) else {
            continue;
        };
        let shown = number.as_u64().map_or_else(|| number.to_string(), grouped);
        writeln!(
            text,
            "<tr><th>{label}</th><td data-path=\"{path}\">{shown}</td><td>{unit}</td></tr>"
        )
        .ok();
    }
    text.push_str("</table>\n</section>\n");
}

/// Begins a chart of this height in its own coordinates.
pub fn open(text: &mut String, height: f64, label: &str) {
    writeln!(
        text,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" height=\"{}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\">",
        height * 1.5
    )
    .ok();
}

/// A rectangle, as wide as `(x, width)` and as high as `(y, height)`.
pub fn rect(
    text: &mut String,
    class: &str,
    (x, width): (f64, f64),
    (y, height): (f64, f64),
    title: Option<&str>,
) {
    write!(
        text,
        "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\""
    )
    .ok();
    match title {
        Some(title) => writeln!(text, "><title>{}</title></rect>", escaped(title)).ok(),
        None => writeln!(text, "/>").ok(),
    };
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
