//! The result of `layer build`.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Entry, Facts, Kind};
use crate::output::{Report, Style, grouped};

/// What `backstop layer build` made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// One for each binary, in the order given.
    pub packed: Vec<Packed>,
}

/// A binary and what it was packed into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Packed {
    /// What it runs on.
    pub target: String,
    pub binary: Facts,
    /// The files that were written.
    pub artefacts: Vec<Artefact>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artefact {
    /// Its file's name.
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
    /// What is in it.
    pub entries: Vec<Entry>,
}

impl Report for Summary {
    fn text(&self, _: Style) -> String {
        let mut text = String::new();
        for packed in &self.packed {
            // A String takes whatever is written to it.
            packed.write(&mut text).ok();
        }
        text
    }
}

impl Packed {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let binary = &self.binary;
        let needs = match binary.glibc {
            Some(glibc) => format!("needs glibc {glibc}"),
            None => "static".to_owned(),
        };
        writeln!(
            text,
            "{}: {} bytes, {needs}; PIE, full RELRO, no executable stack",
            self.target,
            grouped(binary.bytes),
        )?;
        for artefact in &self.artefacts {
            writeln!(
                text,
                "  {}  {} bytes",
                artefact.name,
                grouped(artefact.bytes)
            )?;
            writeln!(text, "    sha256 {}", artefact.sha256)?;
            for entry in &artefact.entries {
                let bytes = match entry.kind {
                    Kind::Directory => String::new(),
                    Kind::File => format!("  {}", grouped(entry.bytes)),
                };
                writeln!(text, "    {} {}{bytes}", entry.mode, entry.path)?;
            }
        }
        Ok(())
    }
}
