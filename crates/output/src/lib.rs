//! How a command prints. No other crate does.
//!
//! A command's result is one value: as a table for people or as one JSON object, on stdout.
//! Everything else goes to stderr: progress, which `--quiet` silences, and errors. Invariants:
//! colour and bars are for terminals only, and colour never carries a meaning of its own; what others
//! wrote (a key, a name, a service's message) reaches a terminal through [`escape`] only. Must not:
//! decide what is worth saying.

mod args;
mod bar;
mod columns;
mod grouped;
pub mod page;
mod pager;
mod style;
mod table;

use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::os::fd::AsFd;

use serde::Serialize;

pub use args::{Colour, OutputArgs, OutputFormat};
pub use backstop_common::{escape, grouped, plural, size};
pub use bar::{Bar, Lines, PlaceBars};
pub use columns::Columns;
pub use grouped::{Item, by_reason, gist, names};
pub use style::{Style, Tone, wrapped};
pub use table::Table;

/// The version of the JSON objects: members may be added under the same one.
pub const SCHEMA_VERSION: u32 = 1;

/// No line is made shorter than this, whatever a terminal says of itself.
const NARROWEST: usize = 40;

/// A command's result.
pub trait Report: Serialize {
    /// For people; ends with a line feed.
    fn text(&self, style: Style) -> String;
}

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: OutputFormat,
    quiet: bool,
    colour: Colour,
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
    pub fn new(format: OutputFormat, quiet: bool, colour: Colour) -> Self {
        Self {
            format,
            quiet,
            colour,
        }
    }

    /// Prints a command's result.
    pub fn result(&self, result: &impl Report) -> io::Result<()> {
        let text = match self.format {
            OutputFormat::Table => {
                let text = self.laid_out(result, &io::stdout());
                if is_paged(&text) {
                    return Ok(());
                }
                text
            }
            OutputFormat::Json => escape::json(&json(result, io::stdout().is_terminal())?) + "\n",
        };
        self.bytes(text.as_bytes())
    }

    /// Prints a part of a result that is too long to be held; false where the reader has closed the pipe.
    pub fn part(text: &[u8]) -> io::Result<bool> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Whether a result is read by a person.
    pub fn is_watched() -> bool {
        io::stdout().is_terminal()
    }

    /// Whether a result is to be JSON.
    pub fn is_json(self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Prints a result that has one form only, and that is all our own.
    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            // The reader has closed the pipe.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        }
    }

    /// A preview, on stderr because it is not the result.
    pub fn shown(&self, report: &impl Report) {
        if !self.quiet {
            let text = self.laid_out(report, &io::stderr());
            writeln!(io::stderr().lock(), "{}", text.trim_end()).ok();
        }
    }

    /// As people read it there.
    fn laid_out(self, report: &impl Report, stream: &(impl io::IsTerminal + AsFd)) -> String {
        let environment = |name: &str| std::env::var_os(name);
        let style = Style {
            colour: is_coloured(self.colour, stream.is_terminal(), environment),
            width: width(terminal_size::terminal_size_of(stream), environment),
        };
        style.fitted(&escape::text(&report.text(style)))
    }

    /// A line of progress.
    pub fn progress(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }

    /// What to do next, for a person: nothing where a program reads the result or the progress.
    pub fn hint(&self, purpose: &str, command: &str) {
        if self.draws() && !self.is_json() {
            say(&format!("{purpose}: {command}"));
        }
    }

    /// Asks something; the answer is read elsewhere.
    pub fn prompt(question: &str) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{}", escape::text(question))?;
        stderr.flush()
    }

    /// Whether something may be drawn and redrawn on stderr.
    pub fn draws(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// What is said whether progress is wanted or not.
    pub fn message(text: &str) {
        say(text);
    }

    /// An error, and what caused it.
    pub fn error(error: &anyhow::Error) {
        say(&format!("error: {error:#}"));
    }
}

/// Shows text that is longer than the terminal in the pager that the user has named.
fn is_paged(text: &str) -> bool {
    let stdout = io::stdout();
    let size = terminal_size::terminal_size_of(&stdout).filter(|_| stdout.is_terminal());
    let pager = size.and_then(|(_, rows)| {
        let environment = |name: &str| std::env::var_os(name);
        pager::wanted(text.lines().count(), rows.0.into(), environment)
    });
    pager.is_some_and(|pager| pager::show(&pager, text))
}

/// The option overrides the environment. (<https://no-color.org>)
fn is_coloured(
    colour: Colour,
    is_terminal: bool,
    environment: impl Fn(&str) -> Option<OsString>,
) -> bool {
    let set = |name| environment(name).filter(|value| !value.is_empty());
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            let is_dumb = set("TERM").is_some_and(|terminal| terminal == "dumb");
            is_terminal && !is_dumb && set("NO_COLOR").is_none()
        }
    }
}

/// The characters of a line: what `COLUMNS` says, or else the terminal; nothing is known of a file or a pipe.
fn width(
    terminal: Option<(terminal_size::Width, terminal_size::Height)>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Option<usize> {
    let message = environment("COLUMNS").and_then(|it| it.to_str()?.parse().ok());
    let width = message.or(terminal.map(|(width, _)| usize::from(width.0)));
    width
        .filter(|width| *width > 0)
        .map(|width| width.max(NARROWEST))
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
    writeln!(io::stderr().lock(), "{}", escape::text(line)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_the_terminals_unless_it_is_said() {
        use terminal_size::{Height, Width};
        let terminal = |width| Some((Width(width), Height(24)));
        for (terminal, message, expected) in [
            (None, None, None),
            (terminal(100), None, Some(100)),
            (terminal(100), Some("80"), Some(80)),
            (None, Some("80"), Some(80)),
            (terminal(100), Some("wide"), Some(100)),
            (terminal(3), None, Some(NARROWEST)),
            (terminal(0), None, None),
        ] {
            let known = width(terminal, |_| message.map(OsString::from));
            assert_eq!(known, expected, "{terminal:?} {message:?}");
        }
    }

    #[test]
    fn colour_is_for_terminals_that_can_and_for_those_who_ask() {
        for (colour, is_terminal, set, expected) in [
            (Colour::Auto, true, None, true),
            (Colour::Auto, false, None, false),
            (Colour::Auto, true, Some(("NO_COLOR", "1")), false),
            (Colour::Auto, true, Some(("NO_COLOR", "")), true),
            (Colour::Auto, true, Some(("TERM", "dumb")), false),
            (Colour::Auto, true, Some(("TERM", "xterm")), true),
            (Colour::Always, false, Some(("NO_COLOR", "1")), true),
            (Colour::Never, true, None, false),
        ] {
            let environment = |name: &str| {
                set.filter(|(known, _)| *known == name)
                    .map(|(_, value)| OsString::from(value))
            };
            let is = is_coloured(colour, is_terminal, environment);
            assert_eq!(is, expected, "{colour:?} {is_terminal} {set:?}");
        }
    }
}
