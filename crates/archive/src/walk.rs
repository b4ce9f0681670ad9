//! Which folders of an archive may hold what a filter wants.
//!
//! A folder is written as its path below the version folder, with its slash: `account=1/region=r/`.
//! Invariants: a folder is skipped only where its name proves that nothing in it is wanted; one whose name
//! says nothing is read as a whole. Must not: list anything.

use crate::filter::{CLOCKS_DIFFER_MS, Filter, HOUR_MS, LATEST_WRITE_MS, admits, named_in};
use crate::glob::Glob;
use crate::key::partition;
use crate::moment::Moment;

const DAY_MS: i64 = 24 * HOUR_MS;
/// How much later than the hour in its key a record of Firehose's object may be: S3 may have refused the
/// object for a day.
const STREAM_LATE_MS: i64 = DAY_MS;

/// What to do with a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing in it is wanted.
    Skip,
    /// Some of the folders in it may be left out.
    Open,
    /// All of it may be wanted.
    Take,
}

impl Filter {
    /// What to do with a folder of the archive; the version folder itself is empty.
    pub fn step(&self, folder: &str) -> Step {
        let names: Vec<&str> = (folder.split_terminator('/'))
            .map(|name| name.split_once('=').map_or("", |(name, _)| name))
            .collect();
        let has_time = self.since.is_some() || self.until.is_some();
        let has_source =
            !(self.functions.is_empty() && self.accounts.is_empty() && self.regions.is_empty());
        let open_if = |is_open: bool| if is_open { Step::Open } else { Step::Take };
        let is_foreign = |globs: &[Glob], name: &str| {
            named_in(folder, name).is_some_and(|value| !admits(globs, &value))
        };
        match names.as_slice() {
            [] => open_if(has_time || has_source),
            ["account"] if is_foreign(&self.accounts, "account") => Step::Skip,
            ["account"] => {
                open_if(has_time || !(self.functions.is_empty() && self.regions.is_empty()))
            }
            ["account", "region"] if is_foreign(&self.regions, "region") => Step::Skip,
            ["account", "region"] => open_if(has_time || !self.functions.is_empty()),
            ["account", "region", "function"] if is_foreign(&self.functions, "function") => {
                Step::Skip
            }
            ["account", "region", "function"] | ["stream"] => open_if(has_time),
            ["account", "region", "function", "dt"] | ["stream", "dt"] if has_time => {
                self.step_of_time(folder, DAY_MS)
            }
            ["account", "region", "function", "dt", "hour"] | ["stream", "dt", "hour"]
                if has_time =>
            {
                self.step_of_time(folder, HOUR_MS)
            }
            _ => Step::Take,
        }
    }

    /// Of a day or an hour, which is so long.
    fn step_of_time(&self, folder: &str, length: i64) -> Step {
        let hour = partition(folder, "hour").unwrap_or("00");
        let start = partition(folder, "dt")
            .and_then(|day| format!("{day}T{hour}:00:00Z").parse::<Moment>().ok());
        let Some(Moment(start)) = start else {
            return Step::Take;
        };
        let late = if folder.starts_with("stream=") {
            STREAM_LATE_MS
        } else {
            0
        };
        let wanted = |start: i64, end: i64| {
            let is_late_enough = (self.since)
                .is_none_or(|since| end.saturating_add(late + CLOCKS_DIFFER_MS) > since.0);
            let is_early_enough =
                (self.until).is_none_or(|until| start < until.0.saturating_add(LATEST_WRITE_MS));
            is_late_enough && is_early_enough
        };
        let end = start.saturating_add(length);
        if !wanted(start, end) {
            Step::Skip
        } else if length > HOUR_MS
            && !(wanted(start, start + HOUR_MS) && wanted(end - HOUR_MS, end))
        {
            Step::Open
        } else {
            Step::Take
        }
    }
}

/// The first text behind all keys of a folder, which ends with a slash.
pub fn after_folder(folder: &str) -> String {
    format!("{}0", folder.strip_suffix('/').unwrap_or(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(text: &str) -> Vec<Glob> {
        vec![text.parse().expect("it is a pattern")]
    }

    fn steps(filter: &Filter, folders: &[(&str, Step)]) {
        for (folder, step) in folders {
            assert_eq!(filter.step(folder), *step, "{folder}");
        }
    }

    const FUNCTION: &str = "account=1/region=eu-west-1/function=check%2Fout/";

    #[test]
    fn without_a_filter_everything_is_taken_at_once() {
        steps(
            &Filter::default(),
            &[
                ("", Step::Take),
                ("account=1/", Step::Take),
                (FUNCTION, Step::Take),
            ],
        );
        let by_records = Filter {
            reasons: vec!["timeout".to_owned()],
            kinds: globs("function"),
            ..Filter::default()
        };
        steps(&by_records, &[("", Step::Take)]);
    }

    #[test]
    fn folders_of_other_sources_are_skipped() {
        let filter = Filter {
            accounts: globs("1"),
            regions: globs("eu-*"),
            functions: globs("check/*"),
            ..Filter::default()
        };
        steps(
            &filter,
            &[
                ("", Step::Open),
                ("account=1/", Step::Open),
                ("account=2/", Step::Skip),
                ("account=unknown/", Step::Open),
                ("account=1/region=eu-west-1/", Step::Open),
                ("account=1/region=us-east-1/", Step::Skip),
                (FUNCTION, Step::Take),
                ("account=1/region=eu-west-1/function=other/", Step::Skip),
                // The platform does not always name it.
                ("account=1/region=eu-west-1/function=/", Step::Take),
                // Nothing is known of what is in a stream.
                ("stream=s/", Step::Take),
                ("somebody/", Step::Take),
                ("account=1/2026/", Step::Take),
            ],
        );
    }

    #[test]
    fn days_and_hours_are_skipped_where_nothing_in_them_can_be_wanted() {
        let filter = Filter {
            since: "2026-01-31T10:00:00Z".parse().ok(),
            until: "2026-01-31T11:30:00Z".parse().ok(),
            ..Filter::default()
        };
        let day = |day: &str| format!("{FUNCTION}dt={day}/");
        let hour = |day: &str, hour: &str| format!("{FUNCTION}dt={day}/hour={hour}/");
        let stream = |rest: &str| format!("stream=s/{rest}/");
        steps(
            &filter,
            &[
                ("", Step::Open),
                (FUNCTION, Step::Open),
                ("stream=s/", Step::Open),
            ],
        );
        for (folder, step) in [
            (day("2026-01-30"), Step::Skip),
            (day("2026-01-31"), Step::Open),
            (hour("2026-01-31", "07"), Step::Skip),
            // Clocks differ.
            (hour("2026-01-31", "08"), Step::Skip),
            (hour("2026-01-31", "09"), Step::Take),
            (hour("2026-01-31", "10"), Step::Take),
            (day("2026-02-01"), Step::Take),
            // A record may have waited in a frozen environment.
            (day("2026-02-14"), Step::Take),
            (day("2026-02-15"), Step::Open),
            (hour("2026-02-15", "11"), Step::Take),
            (hour("2026-02-15", "12"), Step::Skip),
            (day("2026-02-16"), Step::Skip),
            (stream("dt=2026-01-29"), Step::Skip),
            (stream("dt=2026-01-30"), Step::Open),
            (stream("dt=2026-01-30/hour=07"), Step::Skip),
            (stream("dt=2026-01-30/hour=09"), Step::Take),
            // Nothing is known of these.
            (stream("2026"), Step::Take),
            (stream("dt=soon"), Step::Take),
            (stream("dt=2026-01-31/hour=x"), Step::Take),
        ] {
            assert_eq!(filter.step(&folder), step, "{folder}");
        }
    }

    #[test]
    fn what_follows_a_folder_is_behind_all_of_its_keys() {
        let after = after_folder("a/b/");
        assert!(*"a/b/\u{10ffff}" < *after && *"a/b0" >= *after);
    }
}
