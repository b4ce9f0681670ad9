//! A long result through the user's pager.
//!
//! Invariant: only a terminal gets a pager, and only if the user has named one. If it cannot be
//! started, the result is printed as it is. Must not: page progress, errors or JSON.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The first that is set counts; an empty value or `cat` means none.
const VARIABLES: [&str; 2] = ["BACKSTOP_PAGER", "PAGER"];

/// The pager for text of this height on a terminal of that one.
pub(crate) fn wanted(
    lines: usize,
    rows: usize,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Option<OsString> {
    let named = VARIABLES.iter().find_map(|name| environment(name))?;
    (lines >= rows && !named.is_empty() && named != "cat").then_some(named)
}

/// Shows text in a pager; false where that could not be started.
pub(crate) fn show(pager: &OsString, text: &str) -> bool {
    // A shell, because the variable may hold options.
    let mut command = Command::new("sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // As git does: colours as they are, and no other screen.
        command.env("LESS", "FRX");
    }
    let Ok(mut running) = command.spawn() else {
        return false;
    };
    if let Some(mut input) = running.stdin.take() {
        // A reader who has seen enough closes the pipe.
        input.write_all(text.as_bytes()).ok();
    }
    // What a shell says of a program that it does not find, or cannot run.
    let is_missing = |code| matches!(code, Some(126 | 127));
    (running.wait()).is_ok_and(|status| !is_missing(status.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_fit_is_paged_and_only_if_a_pager_is_named() {
        let with = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            }
        };
        let less = Some(OsString::from("less"));
        assert_eq!(wanted(40, 40, with(&[("PAGER", "less")])), less);
        assert_eq!(wanted(39, 40, with(&[("PAGER", "less")])), None);
        assert_eq!(wanted(40, 40, with(&[])), None);
        for none in ["", "cat"] {
            let named: &'static [(&str, &str)] = match none {
                "" => &[("BACKSTOP_PAGER", ""), ("PAGER", "less")],
                _ => &[("BACKSTOP_PAGER", "cat"), ("PAGER", "less")],
            };
            assert_eq!(wanted(40, 40, with(named)), None, "{none}");
        }
    }
}
