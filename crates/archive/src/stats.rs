//! Counts of an archive's records: by function, by hour, by type and by the reason they are there.
//!
//! Invariants: every record is in each of the four; what is held does not grow with the archive, as names
//! beyond the first ten thousand are counted together.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::key::{function_of, partition};
use crate::line::ArchivedLine;
use crate::moment::Moment;

/// Names of one kind that are counted each on their own.
const MOST_NAMES: usize = 10_000;
const OTHERS: &str = "(others)";
const UNKNOWN: &str = "unknown";
const NOT_DIVERTED: &str = "not diverted";

/// A number of records, and the bytes of their lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub records: u64,
    /// The bytes of their lines, unpacked.
    pub bytes: u64,
}

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    #[serde(flatten)]
    pub total: Count,
    /// The time of the first record.
    pub first: Option<String>,
    /// The time of the last record.
    pub last: Option<String>,
    /// By the function that emitted them.
    pub functions: BTreeMap<String, Count>,
    /// By the hour in which they were written, as `2026-01-31T08`.
    pub hours: BTreeMap<String, Count>,
    /// By their type.
    pub types: BTreeMap<String, Count>,
    /// By the reason they are in the archive.
    pub reasons: BTreeMap<String, Count>,
    #[serde(skip)]
    times: Option<(Moment, Moment)>,
}

impl Stats {
    /// Counts a record of this size in bytes, in the object of that key.
    pub fn add(&mut self, key: &str, bytes: usize, line: &ArchivedLine<'_>) {
        let count = Count {
            records: 1,
            bytes: bytes as u64,
        };
        let time = line.time();
        self.meet(time.map(|time| (time, time)));
        let hour = time.map(|time| {
            let mut text = time.to_string();
            text.truncate("2026-01-31T08".len());
            text
        });
        let partition = || {
            Some(format!(
                "{}T{}",
                partition(key, "dt")?,
                partition(key, "hour")?
            ))
        };
        let hour = hour.or_else(partition);
        let function = line.function_name().or_else(|| function_of(key));
        let reason = line.why();
        self.total.add(count);
        add(
            &mut self.functions,
            function.as_deref().unwrap_or(UNKNOWN),
            count,
        );
        add(&mut self.hours, hour.as_deref().unwrap_or(UNKNOWN), count);
        add(&mut self.types, &line.kind(), count);
        add(&mut self.reasons, reason.unwrap_or(NOT_DIVERTED), count);
    }

    /// Takes in the counts of a part.
    pub fn merge(&mut self, part: &Self) {
        self.total.add(part.total);
        self.meet(part.times);
        for (mine, parts) in [
            (&mut self.functions, &part.functions),
            (&mut self.hours, &part.hours),
            (&mut self.types, &part.types),
            (&mut self.reasons, &part.reasons),
        ] {
            for (name, count) in parts {
                add(mine, name, *count);
            }
        }
    }

    fn meet(&mut self, times: Option<(Moment, Moment)>) {
        let Some((first, last)) = times else { return };
        let (first, last) = self
            .times
            .map_or((first, last), |(a, b)| (a.min(first), b.max(last)));
        if self.times != Some((first, last)) {
            self.times = Some((first, last));
            self.first = Some(first.to_string());
            self.last = Some(last.to_string());
        }
    }
}

impl Count {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

fn add(counts: &mut BTreeMap<String, Count>, name: &str, count: Count) {
    if let Some(known) = counts.get_mut(name) {
        known.add(count);
        return;
    }
    let name = if counts.len() < MOST_NAMES {
        name
    } else {
        OTHERS
    };
    counts.entry(name.to_owned()).or_default().add(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: &str, function: &str, diverted: &str) -> String {
        format!(
            r#"{{"id":"1","time":"{time}","type":"function","record":"r","resource":{{"faas.name":"{function}"}}{diverted}}}"#
        )
    }

    fn of(lines: &[String], key: &str) -> Stats {
        let mut stats = Stats::default();
        for text in lines {
            stats.add(
                key,
                text.len(),
                &ArchivedLine::parse(text).expect("it is a line"),
            );
        }
        stats
    }

    #[test]
    fn records_are_counted_by_what_they_say_or_their_key_does() {
        let key = "v1/account=1/region=r/function=k/dt=2026-01-31/hour=07/x";
        let reason = r#","diverted":{"reason":"timeout"}"#;
        let lines = [
            line("2026-01-31T09:59:59.5Z", "f", reason),
            line("2026-01-31T10:00:00Z", "f", ""),
            line("soon", "g", reason),
            line("soon", "g", r#","route":"mirrored""#),
        ];
        let unnamed = line("2026-01-31T08:00:00+01:00", "g", "").replace("faas.name", "name");
        let mut stats = of(&lines, key);
        stats.merge(&of(&[unnamed], key));
        let records = |counts: &BTreeMap<String, Count>| -> Vec<(String, u64)> {
            (counts.iter())
                .map(|(name, count)| (name.clone(), count.records))
                .collect()
        };
        let owned = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
            pairs
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect()
        };
        assert_eq!(stats.total.records, 5);
        assert_eq!(
            records(&stats.functions),
            owned(&[("f", 2), ("g", 2), ("k", 1)])
        );
        assert_eq!(
            records(&stats.hours),
            owned(&[
                ("2026-01-31T07", 3),
                ("2026-01-31T09", 1),
                ("2026-01-31T10", 1)
            ])
        );
        assert_eq!(
            records(&stats.reasons),
            owned(&[("mirrored", 1), ("not diverted", 2), ("timeout", 2)])
        );
        assert_eq!(stats.first.as_deref(), Some("2026-01-31T07:00:00Z"));
        assert_eq!(stats.last.as_deref(), Some("2026-01-31T10:00:00Z"));
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let lines: Vec<String> = (0..MOST_NAMES + 50)
            .map(|it| line("soon", &format!("f{it}"), ""))
            .collect();
        let stats = of(&lines, "x");
        assert_eq!(stats.functions.len(), MOST_NAMES + 1);
        assert_eq!(stats.functions[OTHERS].records, 50);
        assert_eq!(stats.hours[UNKNOWN].records, MOST_NAMES as u64 + 50);
    }
}
