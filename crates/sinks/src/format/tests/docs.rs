//! `docs/backends.md` prints the tables of answers: `BACKSTOP_BLESS=1` writes them.

use std::fmt::Write as _;

use super::*;

/// The table of a format, as the page has it.
fn table(rows: &[Row]) -> String {
    let mut text = "| status | what follows | why |\n|---|---|---|\n".to_owned();
    for row in rows {
        let status = if row.from == row.to {
            row.from.to_string()
        } else {
            format!("{} to {}", row.from, row.to)
        };
        let ruling = match row.ruling {
            Ruling::Delivered => "delivered",
            Ruling::Body => "the body decides",
            Ruling::Retry => "sent again, then diverted",
            Ruling::Divert => "diverted, not sent again",
            Ruling::Stop => "diverted, and the breaker opens",
            Ruling::Split => "halved until it fits",
            Ruling::Isolate => "halved, to find the refused record",
        };
        writeln!(
            text,
            "| {status} | {ruling} | {} ([source]({})) |",
            row.because, row.source
        )
        .expect("a text takes everything");
    }
    text
}

#[test]
fn the_page_of_backends_has_the_tables_of_answers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/backends.md");
    let page = std::fs::read_to_string(path).expect("it is there");
    let mut expected = page.clone();
    for (name, rows) in tables() {
        let begin = format!("<!-- answers: {} -->", name.as_str());
        let (before, rest) = expected.split_once(&begin).expect("a place for the table");
        let (_, after) = rest.split_once("<!-- end: answers -->").expect("its end");
        expected = format!(
            "{before}{begin}\n\n{}\n<!-- end: answers -->{after}",
            table(rows)
        );
    }
    if std::env::var_os("BACKSTOP_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, &expected).expect("it can be written");
    } else {
        assert!(
            page == expected,
            "docs/backends.md differs: run BACKSTOP_BLESS=1 cargo test -p backstop-sinks"
        );
    }
}
