//! Which objects and records are wanted: by function, reason and time.
//!
//! Invariants: an object is passed over only where its key or its age proves that nothing in it is
//! wanted; a record that does not say what is asked for is wanted, and counted apart. Must not: guess from a
//! key what only a line can say.

use std::fmt;
use std::str::FromStr as _;

use crate::glob::Glob;
use crate::key::{is_mirrored, partition, percent_decoded};
use crate::line::{ArchivedLine, Origin};
use crate::moment::Moment;

pub(crate) const HOUR_MS: i64 = 3_600_000;
/// How much later than its records an object may have been written: an environment can be frozen with a
/// record in its buffer for as long as it lives, which is 14 days at most.
pub const LATEST_WRITE_MS: i64 = 15 * 24 * HOUR_MS;
/// How far the clock of a record's writer may be ahead of that of S3.
pub(crate) const CLOCKS_DIFFER_MS: i64 = HOUR_MS;

/// The reasons of records that no retry can save.
const DEAD_LETTERS: [&str; 3] = ["rejected", "too_large", "too_old"];

/// What is wanted; the default is everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Names of functions; any when empty.
    pub functions: Vec<Glob>,
    /// Accounts of functions; any when empty.
    pub accounts: Vec<Glob>,
    /// Regions of functions; any when empty.
    pub regions: Vec<Glob>,
    /// Types of records, such as `function` or `platform.*`; any when empty.
    pub kinds: Vec<Glob>,
    /// Reasons of diversion; any when empty.
    pub reasons: Vec<String>,
    /// Only records that no retry can save.
    pub dead_letters: bool,
    /// Not what is for the archive only: it was delivered, or the primary was not to get it.
    pub without_mirrored: bool,
    /// From this moment on.
    pub since: Option<Moment>,
    /// Before this moment.
    pub until: Option<Moment>,
}

/// As it would be typed: the same text for the same filter.
impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        for (option, globs) in [
            ("--function", &self.functions),
            ("--function-account", &self.accounts),
            ("--function-region", &self.regions),
            ("--type", &self.kinds),
        ] {
            words.extend(globs.iter().map(|glob| format!("{option} {glob}")));
        }
        words.extend(self.reasons.iter().map(|it| format!("--reason {it}")));
        words.extend(self.dead_letters.then(|| "--dead-letters".to_owned()));
        words.extend(self.since.map(|it| format!("--since {it}")));
        words.extend(self.until.map(|it| format!("--until {it}")));
        formatter.write_str(&words.join(" "))
    }
}

/// What is made of a record.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is wanted.
    pub is_wanted: bool,
    /// It is not, as it is for the archive only.
    pub is_mirrored: bool,
    /// Its time was asked for, and cannot be read.
    pub has_no_time: bool,
    /// Its function, account or region was asked for, and neither line nor key names it.
    pub has_no_function: bool,
}

impl Filter {
    /// Whether the object may hold what is wanted, by its key and by when it was written last.
    pub fn admits_object(&self, key: &str, written: Option<Moment>) -> bool {
        let is_foreign = self.sources().any(|(globs, folder, _)| {
            let value = named_in(key, folder);
            value.is_some_and(|value| !admits(globs, &value))
        });
        if is_foreign || (self.without_mirrored && is_mirrored(key)) {
            return false;
        }
        // Of a Firehose object the key names the hour of the oldest record: the others may be later, but
        // none is later than the object.
        let is_too_early = self
            .since
            .zip(written)
            .is_some_and(|(since, written)| written.0.saturating_add(CLOCKS_DIFFER_MS) < since.0);
        let is_too_late = self
            .until
            .zip(partition_start(key))
            .is_some_and(|(until, start)| start >= until.0.saturating_add(LATEST_WRITE_MS));
        !is_too_early && !is_too_late
    }

    /// Whether the record is wanted, which is in the object of that key.
    pub fn judge(&self, key: &str, line: &ArchivedLine<'_>) -> Verdict {
        let is_mirrored = self.without_mirrored && line.is_archive_only();
        let mut verdict = Verdict {
            is_mirrored,
            is_wanted: !is_mirrored
                && self.admits_reason(line)
                && (self.kinds.is_empty() || admits(&self.kinds, &line.kind())),
            ..Verdict::default()
        };
        if self.since.is_some() || self.until.is_some() {
            match line.time() {
                Some(time) => verdict.is_wanted &= self.admits_time(time),
                None => verdict.has_no_time = true,
            }
        }
        if self.sources().next().is_some() {
            let origin = line.origin();
            for (globs, folder, member) in self.sources() {
                let named = member(&origin).or_else(|| named_in(key, folder));
                match named {
                    Some(name) => verdict.is_wanted &= admits(globs, &name),
                    None => verdict.has_no_function = true,
                }
            }
        }
        verdict
    }

    /// What is asked for of a record's source: the patterns, the folder whose name says it, and the
    /// member of a line that does.
    fn sources(&self) -> impl Iterator<Item = (&[Glob], &'static str, Member)> {
        let function: Member = |origin| origin.function.clone();
        let account: Member = |origin| origin.account.clone();
        let region: Member = |origin| origin.region.clone();
        let all = [
            (self.functions.as_slice(), "function", function),
            (self.accounts.as_slice(), "account", account),
            (self.regions.as_slice(), "region", region),
        ];
        all.into_iter().filter(|(globs, ..)| !globs.is_empty())
    }

    fn admits_reason(&self, line: &ArchivedLine<'_>) -> bool {
        let reason = line.why();
        let is_among = |reason: &str| self.reasons.iter().any(|wanted| wanted == reason);
        (self.reasons.is_empty() || reason.is_some_and(is_among))
            && (!self.dead_letters || reason.is_some_and(|it| DEAD_LETTERS.contains(&it)))
    }

    fn admits_time(&self, time: Moment) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// A member of what a line says of its source.
type Member = fn(&Origin) -> Option<String>;

pub(crate) fn admits(globs: &[Glob], value: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob.matches(value))
}

/// The value of a folder in a key, unless it is empty, or the platform did not tell.
pub(crate) fn named_in(key: &str, folder: &str) -> Option<String> {
    let value = partition(key, folder).map(percent_decoded)?;
    let is_unknown = value.is_empty() || folder == "account" && value == "unknown";
    (!is_unknown).then_some(value)
}

/// The first moment of the hour in which an object was written.
fn partition_start(key: &str) -> Option<i64> {
    let (day, hour) = (partition(key, "dt")?, partition(key, "hour")?);
    Moment::from_str(&format!("{day}T{hour}:00:00Z"))
        .ok()
        .map(|start| start.0)
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
    fn an_object_is_passed_over_only_where_it_is_proved_that_nothing_is_wanted() {
        let admits = |filter: Filter| filter.admits_object(KEY, None);
        let functions = |glob: &str| Filter {
            functions: vec![glob.parse().expect("it is a pattern")],
            ..Filter::default()
        };
        assert!(admits(Filter::default()));
        assert!(admits(functions("check/*")));
        assert!(!admits(functions("other")));
        for unknown in [
            "v1/stream=s/dt=2026-01-31/hour=08/x.gz",
            "v1/function=/x.gz",
        ] {
            assert!(functions("other").admits_object(unknown, None), "{unknown}");
        }
        let written = "2026-01-31T09:03:00Z";
        for (since, until, admitted) in [
            // Its hour is that of its oldest record: later ones may be in it until it was written.
            (Some("2026-01-31T09:00:00Z"), None, true),
            (Some("2026-01-31T09:03:00Z"), None, true),
            // Clocks differ.
            (Some("2026-01-31T10:03:00Z"), None, true),
            (Some("2026-01-31T10:03:01Z"), None, false),
            (Some("2026-02-01"), None, false),
            (None, Some("2026-01-31"), true),
            // A record may have waited in an environment's buffer for as long as that lives.
            (None, Some("2026-01-17"), true),
            (None, Some("2026-01-16T08:00:00Z"), false),
        ] {
            let filter = Filter {
                since: since.map(moment),
                until: until.map(moment),
                ..Filter::default()
            };
            let admits = filter.admits_object(KEY, Some(moment(written)));
            assert_eq!(admits, admitted, "{since:?} {until:?}");
            let is_unknown = filter.admits_object("v1/stream=s/x.gz", None);
            assert!(is_unknown, "nothing is known of it");
        }
    }

    #[test]
    fn records_are_chosen_by_function_reason_and_time() {
        let text = r#"{"id":"1","time":"2026-01-31T08:00:00.5Z","type":"function","record":"r",
            "resource":{"faas.name":"f"},"diverted":{"reason":"server_error"}}"#;
        let line = ArchivedLine::parse(text).expect("it is a line");
        let wants = |filter: Filter| filter.judge("v1/stream=s/x.gz", &line).is_wanted;
        assert!(wants(Filter {
            functions: vec!["f".parse().expect("it is a pattern")],
            reasons: vec!["server_error".to_owned()],
            since: Some(moment("2026-01-31T08:00:00.5Z")),
            until: Some(moment("2026-01-31T08:00:01Z")),
            kinds: vec!["func*".parse().expect("it is a pattern")],
            ..Filter::default()
        }));
        assert!(!wants(Filter {
            kinds: vec!["platform.*".parse().expect("it is a pattern")],
            ..Filter::default()
        }));
        assert!(!wants(Filter {
            dead_letters: true,
            ..Filter::default()
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
    fn what_is_for_the_archive_only_is_passed_over_where_that_is_asked() {
        let key = "v1/function=f/dt=2026-01-31/hour=08/b.mirrored.ndjson.gz";
        let text = r#"{"id":"1","time":"t","type":"function","record":"r","route":"mirrored"}"#;
        let line = ArchivedLine::parse(text).expect("it is a line");
        for without_mirrored in [false, true] {
            let filter = Filter {
                without_mirrored,
                ..Filter::default()
            };
            assert_eq!(filter.admits_object(key, None), !without_mirrored);
            assert!(filter.admits_object(KEY, None));
            // As in an object of Firehose's, whose key does not tell.
            let verdict = filter.judge(KEY, &line);
            assert_eq!(verdict.is_wanted, !without_mirrored);
            assert_eq!(verdict.is_mirrored, without_mirrored);
        }
        for other in ["\"x\"", "null", "1", "[\"mirrored\"]"] {
            let text = text.replace("\"mirrored\"", other);
            let line = ArchivedLine::parse(&text).expect("it is a line");
            assert!(!line.is_archive_only(), "{other}");
        }
    }

    #[test]
    fn a_record_that_does_not_say_what_is_asked_for_is_wanted_and_told_apart() {
        let filter = Filter {
            functions: vec!["check/*".parse().expect("it is a pattern")],
            since: Some(moment("2026-01-31")),
            ..Filter::default()
        };
        for (time, resource, key, expected) in [
            ("\"soon\"", "{}", "v1/stream=s/x.gz", (true, true, true)),
            (
                "17",
                r#"{"faas.name":"check/out"}"#,
                "x.gz",
                (true, true, false),
            ),
            ("null", "{}", KEY, (true, true, false)),
            ("\"2026-02-01T00:00:00Z\"", "3", "x.gz", (true, false, true)),
            (
                "\"2026-01-30T00:00:00Z\"",
                "{}",
                "x.gz",
                (false, false, true),
            ),
            (
                "null",
                r#"{"faas.name":"other"}"#,
                KEY,
                (false, true, false),
            ),
        ] {
            let text = format!(
                r#"{{"id":"1","time":{time},"type":"function","record":"r","resource":{resource}}}"#
            );
            let line = ArchivedLine::parse(&text).expect("it is a line");
            let found = filter.judge(key, &line);
            let found = (found.is_wanted, found.has_no_time, found.has_no_function);
            assert_eq!(found, expected, "{text} {key}");
        }
    }
}
