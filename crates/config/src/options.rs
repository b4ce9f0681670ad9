//! `BACKSTOP_PRIMARY_OPTIONS`: what a format lets the user choose.
//!
//! Must not: know what a choice does to a body; `crates/sinks` does.

use crate::error::Invalid;
use crate::format::Format;
use crate::parse::{entries, pair};
use crate::register::PRIMARY_OPTIONS;

/// `BACKSTOP_PRIMARY_OPTIONS`: what a format lets the user choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// `encoding=json`: JSON where protobuf is the default.
    pub is_json: bool,
    /// `emf=both`: a line in the embedded metric format that becomes points of metrics stays a log too.
    pub keeps_emf_logs: bool,
    /// `ids=false`: documents without `_id`.
    pub without_ids: bool,
    /// `index`: a data stream or an index; empty where the address says it.
    pub index: Option<String>,
    /// `source`.
    pub source: Option<String>,
    /// `sourcetype`.
    pub sourcetype: Option<String>,
    /// `labels`: resource attributes that become labels, beside those that always do.
    pub labels: Vec<String>,
    /// `max_age_hours`: records that are older are dead letters; 0 for no bound.
    pub max_age_hours: Option<u64>,
}

impl FormatOptions {
    pub(crate) fn parse(format: Format, text: &str) -> Result<Self, Invalid> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for (index, entry) in entries(text).enumerate() {
            let position = index + 1;
            let Some((name, value)) = pair(entry) else {
                return Err(Invalid::new(format!(
                    "has no \"=\" in entry {position}: write name=value pairs, separated by commas"
                )));
            };
            if !format.options().contains(&name) {
                let shown = PRIMARY_OPTIONS.shown(name);
                let known = format.options().join(", ");
                let advice = if known.is_empty() {
                    format!("the format {} has no options: remove it", format.as_str())
                } else {
                    format!("the format {} has {known}", format.as_str())
                };
                return Err(Invalid::new(format!("names {shown}: {advice}")));
            }
            if seen.contains(&name) {
                let shown = PRIMARY_OPTIONS.shown(name);
                return Err(Invalid::new(format!("sets {shown} twice: set it once")));
            }
            seen.push(name);
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        let wrong = |use_this: &str| {
            let shown = PRIMARY_OPTIONS.shown(value);
            Err(Invalid::new(format!("sets {name} to {shown}: {use_this}")))
        };
        match (name, value) {
            ("encoding", "protobuf") => self.is_json = false,
            ("encoding", "json") => self.is_json = true,
            ("encoding", _) => return wrong("use protobuf or json"),
            ("emf", "metrics") => self.keeps_emf_logs = false,
            ("emf", "both") => self.keeps_emf_logs = true,
            ("emf", _) => return wrong("use metrics or both"),
            ("ids", "true") => self.without_ids = false,
            ("ids", "false") => self.without_ids = true,
            ("ids", _) => return wrong("use true or false"),
            ("labels", _) => {
                // A comma separates options.
                let labels = value.split('+').map(str::trim);
                self.labels = labels.map(str::to_owned).collect();
                if self.labels.iter().any(String::is_empty) {
                    return wrong("name resource attributes, separated by +");
                }
            }
            ("max_age_hours", _) => match value.parse() {
                Ok(hours) => self.max_age_hours = Some(hours),
                Err(_) => return wrong("use a whole number, 0 for no bound"),
            },
            ("index", _) if !is_index(value) => {
                return wrong("use lower case letters, digits and ._- only");
            }
            ("index", _) => self.index = Some(value.to_owned()),
            ("source", _) => self.source = Some(value.to_owned()),
            _ => self.sourcetype = Some(value.to_owned()),
        }
        Ok(())
    }
}

/// Elasticsearch's rule for an index, which is stricter than Splunk's.
fn is_index(text: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    text.len() <= 255 && text.bytes().all(is_plain) && !text.starts_with(['_', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_the_format_and_a_wrong_one_is_named() {
        let good = FormatOptions::parse(Format::Elastic, "index=logs-x-prod, ids=false");
        assert_eq!(
            good.ok(),
            Some(FormatOptions {
                index: Some("logs-x-prod".to_owned()),
                without_ids: true,
                ..FormatOptions::default()
            })
        );
        let labels = FormatOptions::parse(Format::Loki, "labels=team+env,encoding=json");
        assert_eq!(
            labels.ok().map(|it| it.labels),
            Some(vec!["team".to_owned(), "env".to_owned()])
        );
        for (format, text, words) in [
            (Format::Ndjson, "index=x", "has no options"),
            (Format::Otlp, "index=x", "the format otlp has emf, encoding"),
            (Format::Otlp, "encoding=xml", "use protobuf or json"),
            (Format::Otlp, "encoding", "no \"=\" in entry 1"),
            (Format::Elastic, "index=Logs", "lower case"),
            (Format::Elastic, "index=a,index=b", "twice"),
            (Format::Elastic, "ids=no", "use true or false"),
            (Format::Loki, "labels=a++b", "separated by +"),
            (Format::Loki, "max_age_hours=7d", "whole number"),
        ] {
            let error = FormatOptions::parse(format, text).err();
            let message = error.map(|it| it.to_string()).unwrap_or_default();
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
