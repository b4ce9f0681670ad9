//! The first `backstop.toml`: from answers to a commented file.
//!
//! `questions` asks for what the options leave open, `write` makes the text. Invariants: what is
//! written is what the other commands read, and the extension accepts; no secret is in it. Must not:
//! ask AWS.

mod questions;
mod write;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use backstop_config::{Backend, Format, Settings};
use serde::Serialize;

use crate::output::{Report, Style};
use crate::select::Pattern;
pub use questions::{Ask, complete};

const URL: &str = "BACKSTOP_PRIMARY_URL";

/// What is known of the file, and what is still to be asked.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Where records go.
    pub primary: Option<Primary>,
    /// Where its token is.
    pub token_file: Option<PathBuf>,
    /// Of the functions.
    pub regions: Vec<String>,
    /// Names and patterns.
    pub functions: Vec<Pattern>,
    pub tags: Vec<(String, String)>,
    /// The first fallback.
    pub firehose_stream: Option<String>,
    /// The next one.
    pub s3_bucket: Option<String>,
    /// Where that is, if not where the function is.
    pub s3_region: Option<String>,
}

/// Where records go.
#[derive(Debug, Clone)]
pub enum Primary {
    /// A backend with a name.
    Backend {
        name: String,
        options: BTreeMap<String, String>,
    },
    Address {
        /// The address; none if it is in a file.
        url: Option<String>,
        /// Where it is.
        url_file: Option<PathBuf>,
        /// The form of a batch.
        format: Option<Format>,
    },
}

impl Primary {
    /// What the extension would not accept.
    pub fn check(&self) -> Result<(), Vec<String>> {
        match self {
            Self::Backend { name, options } => {
                let backend = Backend::named(name).map_err(|problem| vec![problem])?;
                backend.resolve(options).map(|_| ())
            }
            Self::Address { url, format, .. } => {
                let Some(url) = url else {
                    return Ok(());
                };
                if url.contains(['?', '@']) {
                    let problem = "the address may contain a key: write it into a file, and give \
                        --url-file";
                    return Err(vec![problem.to_owned()]);
                }
                let format = format.unwrap_or(Format::Ndjson).as_str();
                let variables = BTreeMap::from([
                    (URL.to_owned(), url.clone()),
                    ("BACKSTOP_PRIMARY_FORMAT".to_owned(), format.to_owned()),
                ]);
                let (_, errors) = Settings::resolve(&variables);
                if errors.is_empty() {
                    return Ok(());
                }
                Err(errors.iter().map(ToString::to_string).collect())
            }
        }
    }

    /// Whether a token is needed; none if that is up to the server.
    fn needs_token(&self) -> Option<bool> {
        match self {
            Self::Backend { name, .. } => {
                let backend = Backend::named(name).ok();
                backend.map(|backend| backend.needs_token).filter(|is| *is)
            }
            Self::Address { .. } => None,
        }
    }
}

impl Answers {
    /// The text of the file, or everything that is wrong.
    pub fn text(&self) -> Result<String, Vec<String>> {
        let Some(primary) = &self.primary else {
            return Err(vec![
                "there is no primary: give --backend NAME or --url URL".to_owned(),
            ]);
        };
        primary.check()?;
        let mut wrong = Vec::new();
        if primary.needs_token() == Some(true) && self.token_file.is_none() {
            wrong.push(
                "the backend needs a token: give --token-file FILE; you can write the file later"
                    .to_owned(),
            );
        }
        let fallbacks = [
            ("BACKSTOP_FIREHOSE_STREAM", &self.firehose_stream),
            ("BACKSTOP_S3_BUCKET", &self.s3_bucket),
            ("BACKSTOP_S3_REGION", &self.s3_region),
        ];
        let mut variables: BTreeMap<String, String> = (fallbacks.into_iter())
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect();
        // The primary is checked; without any there would be an error about that.
        variables.insert(URL.to_owned(), "https://example.com/".to_owned());
        let (_, errors) = Settings::resolve(&variables);
        wrong.extend(errors.iter().map(ToString::to_string));
        if wrong.is_empty() {
            Ok(write::file(self, primary))
        } else {
            Err(wrong)
        }
    }

    /// The commands that follow.
    pub fn next(&self) -> Vec<String> {
        let mut next = Vec::new();
        if self.firehose_stream.is_none() && self.s3_bucket.is_none() {
            next.push("backstop archive template > archive.yaml".to_owned());
        }
        next.push("backstop layer publish".to_owned());
        next.push("backstop plan --grant --out plan.json".to_owned());
        next
    }
}

/// What was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub file: PathBuf,
    /// What is still missing.
    pub missing: Vec<String>,
    /// The commands that follow.
    pub next: Vec<String>,
}

impl Report for Written {
    fn text(&self, _: Style) -> String {
        let mut text = format!("{} written\n", self.file.display());
        for missing in &self.missing {
            writeln!(text, "Missing: {missing}").ok();
        }
        text.push_str("Next:\n");
        for command in &self.next {
            writeln!(text, "  {command}").ok();
        }
        text
    }
}
