//! The only module that prints.
//!
//! A command's result is one value: as a table for people or as one JSON object, on stdout.
//! Everything else goes to stderr: progress, which `--quiet` silences, and errors. Invariants:
//! colour and bars are for terminals only, and colour never carries a meaning of its own. Must not:
//! decide what is worth saying.

mod bar;
mod columns;
mod table;

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::cli::OutputFormat;
pub use bar::{Bar, Lines, PlaceBars};
pub use columns::Columns;
pub use table::{Table, grouped, plural};

/// The version of the JSON objects: members may be added under the same one.
const SCHEMA_VERSION: u32 = 1;

/// A command's result.
pub trait Report: Serialize {
    /// For people; ends with a line feed.
    fn text(&self, style: Style) -> String;
}

/// Whether text may be coloured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// The one line that says how it went.
    pub fn verdict(self, good: bool, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = if good { 32 } else { 31 };
        format!("\x1b[1;{code}m{text}\x1b[0m")
    }
}

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: OutputFormat,
    quiet: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    result: &'a T,
}

impl Output {
    /// As the options say.
    pub fn new(format: OutputFormat, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// Prints a command's result.
    pub fn result(&self, result: &impl Report) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let text = match self.format {
            OutputFormat::Table => {
                let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                result.text(Style {
                    colour: stdout.is_terminal() && !no_colour,
                })
            }
            OutputFormat::Json => json(result, stdout.is_terminal())? + "\n",
        };
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            // Whoever read it has read enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        }
    }

    /// Something to look at before it is done: on stderr, as it is no result.
    pub fn shown(&self, report: &impl Report) {
        let text = report.text(Style::default());
        self.progress(text.trim_end());
    }

    /// A line of progress.
    pub fn progress(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }

    /// Whether something may be drawn and redrawn on stderr.
    pub fn draws(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// An error, and what caused it.
    pub fn error(error: &anyhow::Error) {
        say(&format!("error: {error:#}"));
    }
}

/// The JSON form of a result, as it is printed and kept.
pub fn json(result: &impl Serialize, pretty: bool) -> io::Result<String> {
    let versioned = Versioned {
        schema_version: SCHEMA_VERSION,
        result,
    };
    let text = if pretty {
        serde_json::to_string_pretty(&versioned)
    } else {
        serde_json::to_string(&versioned)
    };
    text.map_err(io::Error::other)
}

fn say(line: &str) {
    // Nobody is left to tell when stderr is closed.
    writeln!(io::stderr().lock(), "{line}").ok();
}
