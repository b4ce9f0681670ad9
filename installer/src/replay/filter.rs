//! Which objects and records are wanted: by function, reason and time.
//!
//! Invariants: an object is passed over only where its key proves that nothing in it is wanted; a
//! record whose time cannot be read is wanted. Must not: guess from a key what only a line can say.

use std::borrow::Cow;
use std::str::FromStr;

use aws_smithy_types::date_time::{DateTime, Format};
use backstop_sinks::codec::archive::ArchivedLine;
use serde::Deserialize;

use crate::glob::Glob;

const HOUR_MS: i64 = 3_600_000;
/// How much later than its records an object may have been written: an environment can be frozen
/// for hours with a record in its buffer.
const LATEST_WRITE_MS: i64 = 24 * HOUR_MS;

/// What is wanted; the default is everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Names of functions; any when empty.
    pub functions: Vec<Glob>,
    /// Reasons of diversion; any when empty.
    pub reasons: Vec<String>,
    /// From this moment on.
    pub since: Option<Moment>,
    /// Before this moment.
    pub until: Option<Moment>,
}

impl Filter {
    /// Whether the object may hold what is wanted, by its key.
    pub fn admits_key(&self, key: &str) -> bool {
        let name = partition(key, "function").map(percent_decoded);
        if name.is_some_and(|name| !self.admits_function(&name)) {
            return false;
        }
        let Some(start) = partition_start(key) else {
            return true;
        };
        // An object holds nothing later than the hour it was written in.
        let too_early = self.since.is_some_and(|since| start + HOUR_MS <= since.0);
        let too_late = self
            .until
            .is_some_and(|until| start >= until.0.saturating_add(LATEST_WRITE_MS));
        !too_early && !too_late
    }

    /// Whether the record is wanted. `text` is the line that `line` was read from.
    pub fn admits(&self, text: &str, line: &ArchivedLine<'_>) -> bool {
        self.admits_reason(line) && self.admits_time(text) && {
            self.functions.is_empty()
                || self.admits_function(&line.function_name().unwrap_or_default())
        }
    }

    fn admits_function(&self, name: &str) -> bool {
        self.functions.is_empty() || self.functions.iter().any(|glob| glob.matches(name))
    }

    fn admits_reason(&self, line: &ArchivedLine<'_>) -> bool {
        let reason = line.diverted.as_ref().map(|diverted| &diverted.reason);
        self.reasons.is_empty() || reason.is_some_and(|reason| self.reasons.contains(reason))
    }

    fn admits_time(&self, text: &str) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Some(time) = time_of(text) else {
            return true;
        };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// A moment, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let midnight = format!("{text}T00:00:00Z");
        let full = if text.len() == "2026-01-31".len() {
            &midnight
        } else {
            text
        };
        DateTime::from_str(full, Format::DateTimeWithOffset)
            .ok()
            .and_then(|time| time.to_millis().ok())
            .map(Self)
            .ok_or_else(|| "write it as 2026-01-31T08:00:00Z or 2026-01-31".to_owned())
    }
}

/// The value of `name=` in a key.
fn partition<'a>(key: &'a str, name: &str) -> Option<&'a str> {
    key.split('/')
        .filter_map(|folder| folder.split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// The first moment of the hour in which an object was written.
fn partition_start(key: &str) -> Option<i64> {
    let (day, hour) = (partition(key, "dt")?, partition(key, "hour")?);
    Moment::from_str(&format!("{day}T{hour}:00:00Z"))
        .ok()
        .map(|start| start.0)
}

fn time_of(line: &str) -> Option<Moment> {
    #[derive(Deserialize)]
    struct Time<'a> {
        #[serde(borrow)]
        time: Cow<'a, str>,
    }
    serde_json::from_str::<Time<'_>>(line)
        .ok()?
        .time
        .parse()
        .ok()
}

/// Undoes the percent-encoding of a partition's value; what is not encoded stays as it is.
fn percent_decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let encoded = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(encoded.unwrap_or(*first));
        rest = if encoded.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "backstop/v1/account=1/region=r/function=check%2Fout/dt=2026-01-31/hour=08/b.ndjson.gz";

    fn moment(text: &str) -> Moment {
        text.parse().expect("it is a time")
    }

    #[test]
    fn times_are_rfc_3339_or_dates() {
        let of = |text: &str| text.parse::<Moment>().map(|moment| moment.0);
        assert_eq!(of("1970-01-02"), Ok(86_400_000));
        assert_eq!(of("1970-01-01T00:00:01.5Z"), Ok(1_500));
        assert_eq!(of("1970-01-01T01:00:00+01:00"), Ok(0));
        for bad in ["", "yesterday", "2026-13-01", "2026-01-31T08:00"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_passed_over_only_where_it_proves_that_nothing_is_wanted() {
        let admits = |filter: Filter| filter.admits_key(KEY);
        let functions = |glob: &str| Filter {
            functions: vec![glob.parse().expect("it is a pattern")],
            ..Filter::default()
        };
        assert!(admits(Filter::default()));
        assert!(admits(functions("check/*")));
        assert!(!admits(functions("other")));
        assert!(functions("other").admits_key("v1/stream=s/dt=2026-01-31/hour=08/x.gz"));
        for (since, until, admitted) in [
            ("2026-01-31T08:59:00Z", None, true),
            ("2026-01-31T09:00:00Z", None, false),
            ("2026-01-30", Some("2026-01-31"), true),
            ("2026-01-29", Some("2026-01-30T08:00:00Z"), false),
        ] {
            let filter = Filter {
                since: Some(moment(since)),
                until: until.map(moment),
                ..Filter::default()
            };
            assert_eq!(admits(filter), admitted, "{since} {until:?}");
        }
    }

    #[test]
    fn records_are_chosen_by_function_reason_and_time() {
        let text = r#"{"id":"1","time":"2026-01-31T08:00:00.5Z","type":"function","record":"r",
            "resource":{"faas.name":"f"},"diverted":{"reason":"server_error"}}"#;
        let line = ArchivedLine::parse(text).expect("it is a line");
        let wants = |filter: Filter| filter.admits(text, &line);
        assert!(wants(Filter {
            functions: vec!["f".parse().expect("it is a pattern")],
            reasons: vec!["server_error".to_owned()],
            since: Some(moment("2026-01-31T08:00:00.5Z")),
            until: Some(moment("2026-01-31T08:00:01Z")),
        }));
        assert!(!wants(Filter {
            functions: vec!["g".parse().expect("it is a pattern")],
            ..Filter::default()
        }));
        assert!(!wants(Filter {
            reasons: vec!["breaker_open".to_owned()],
            ..Filter::default()
        }));
        assert!(!wants(Filter {
            until: Some(moment("2026-01-31T08:00:00.5Z")),
            ..Filter::default()
        }));
    }

    #[test]
    fn percent_encoding_is_undone_and_stray_percents_stay() {
        assert_eq!(percent_decoded("a%2Fb%20c"), "a/b c");
        assert_eq!(percent_decoded("50%"), "50%");
        assert_eq!(percent_decoded("%zz"), "%zz");
    }
}
