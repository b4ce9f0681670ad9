//! What the archive has of a drill's invocations.
//!
//! The drill changes the configuration, so its invocations run in environments of their own. Every record of
//! such an environment belongs to the drill, and each has a number: a number that is nowhere is a record that
//! is missing. Must not: change the archive.

use std::collections::{BTreeMap, BTreeSet};

use backstop_archive::Filter;

use crate::archive::{Archive, Listed};

/// The ids that are named; the others are counted.
const NAMED: usize = 20;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Records by the sink that took them.
    pub by_sink: BTreeMap<&'static str, u64>,
    /// Records, each once.
    pub records: u64,
    /// Invocations that are over, as far as the archive knows.
    pub ended: BTreeSet<String>,
    /// Invocations of which it has the platform's report, which comes last.
    pub reported: BTreeSet<String>,
    /// Invocations of which there is any record.
    pub seen: BTreeSet<String>,
    /// Records that are missing.
    pub missing: u64,
    /// The ids of the first of them.
    pub missing_ids: Vec<String>,
    /// Objects that could not be read, each with the reason.
    pub problems: Vec<String>,
}

/// How much of a drill is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Something is missing.
    Part,
    /// There is something, and no telling whether there will be more.
    Unknown,
    /// Every invocation ended, and no record is missing: the last report may still come.
    Ended,
    /// The last report is there, too.
    Reported,
}

/// What the function's settings let an archive prove.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Each invocation has records.
    pub is_whole: bool,
    /// A gap in the numbers is a record.
    pub is_numbered: bool,
}

impl Found {
    /// How much of these invocations is there.
    pub fn extent(&self, requests: &[String], known: Known) -> Extent {
        let all = |ids: &BTreeSet<String>| requests.iter().all(|id| ids.contains(id));
        if known.is_numbered && self.missing > 0 {
            Extent::Part
        } else if !known.is_whole {
            if self.records > 0 {
                Extent::Unknown
            } else {
                Extent::Part
            }
        } else if !all(&self.ended) {
            Extent::Part
        } else if all(&self.reported) {
            Extent::Reported
        } else {
            Extent::Ended
        }
    }
}

/// One environment's records.
#[derive(Debug, Default)]
struct Environment {
    is_of_the_drill: bool,
    numbers: BTreeSet<u64>,
    by_sink: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Tally {
    environments: BTreeMap<String, Environment>,
    found: Found,
}

/// Reads what is there now, in every archive: a record that is in two of them counts once.
pub async fn look(
    archives: &[Archive],
    filter: &Filter,
    requests: &[String],
) -> anyhow::Result<Found> {
    let mut tally = Tally::default();
    for archive in archives {
        tally.archive(archive, filter, requests).await?;
    }
    Ok(tally.end())
}

impl Tally {
    async fn archive(
        &mut self,
        archive: &Archive,
        filter: &Filter,
        requests: &[String],
    ) -> anyhow::Result<()> {
        let mut listing = archive.list(filter);
        while let Some(page) = listing.next().await? {
            let unreadable = page.unreadable.into_iter();
            (self.found.problems).extend(unreadable.map(|(key, why)| format!("{key}: {why}")));
            for object in page.objects {
                if filter.admits_object(&object.key, object.written)
                    && let Err(error) = self.object(archive, &object, filter, requests).await
                {
                    let problem = format!("{}: {error:#}", object.key);
                    self.found.problems.push(problem);
                }
            }
        }
        Ok(())
    }

    async fn object(
        &mut self,
        archive: &Archive,
        object: &Listed,
        filter: &Filter,
        requests: &[String],
    ) -> anyhow::Result<()> {
        let sink = sink(&object.key);
        let mut reader = archive.open(object).await?;
        loop {
            let is_more = reader.advance().await;
            while let Some((_, line)) = reader.next_line() {
                let line = line.map_err(anyhow::Error::msg)?;
                if filter.judge(&object.key, &line.record).is_wanted {
                    self.line(sink, line.record.id(), line.text, requests);
                }
            }
            if !is_more {
                break;
            }
        }
        match reader.problem() {
            Some(problem) => anyhow::bail!("{problem}"),
            None => Ok(()),
        }
    }

    fn line(&mut self, sink: &'static str, id: &str, text: &str, requests: &[String]) {
        let Some((environment, number)) = id.rsplit_once('-') else {
            return;
        };
        let Ok(number) = number.parse::<u64>() else {
            return;
        };
        let environment = self.environments.entry(environment.to_owned()).or_default();
        if environment.numbers.insert(number) {
            *environment.by_sink.entry(sink).or_default() += 1;
        }
        for request in requests.iter().filter(|it| text.contains(it.as_str())) {
            environment.is_of_the_drill = true;
            self.found.seen.insert(request.clone());
            if text.contains("\"platform.report\"") {
                self.found.reported.insert(request.clone());
            }
            if text.contains("\"platform.runtimeDone\"") || text.contains("\"platform.report\"") {
                self.found.ended.insert(request.clone());
            }
        }
    }

    fn end(mut self) -> Found {
        let mut found = std::mem::take(&mut self.found);
        let of_drill = self
            .environments
            .iter()
            .filter(|(_, it)| it.is_of_the_drill);
        for (name, environment) in of_drill {
            found.records += environment.numbers.len() as u64;
            for (sink, count) in &environment.by_sink {
                *found.by_sink.entry(sink).or_default() += count;
            }
            let last = environment.numbers.last().copied().unwrap_or(0);
            let missing = last.saturating_sub(environment.numbers.len() as u64);
            found.missing += missing;
            if missing > 0 {
                let room = NAMED.saturating_sub(found.missing_ids.len());
                let numbers = (1..=last).filter(|it| !environment.numbers.contains(it));
                let ids = numbers.take(room).map(|number| format!("{name}-{number}"));
                found.missing_ids.extend(ids);
            }
        }
        found
    }
}

/// Who wrote an object.
fn sink(key: &str) -> &'static str {
    if key.contains("/stream=") || key.starts_with("stream=") {
        "firehose"
    } else {
        "s3"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Known = Known {
        is_whole: true,
        is_numbered: true,
    };

    #[test]
    fn a_number_that_is_nowhere_is_missing_and_other_environments_are_not_of_the_drill() {
        let requests = vec!["request-a".to_owned(), "request-b".to_owned()];
        let mut tally = Tally::default();
        let done = r#"{"type":"platform.runtimeDone","record":{"requestId":"request-a"}}"#;
        for (sink, id, text) in [
            ("s3", "0a-1", "a line"),
            ("s3", "0a-2", done),
            // The same record at both.
            ("firehose", "0a-2", done),
            ("firehose", "0a-5", "a line of request-b"),
            ("s3", "ff-9", "somebody else's"),
            ("s3", "no number", "request-a"),
        ] {
            tally.line(sink, id, text, &requests);
        }
        let found = tally.end();
        assert_eq!(found.records, 3);
        assert_eq!(found.by_sink, BTreeMap::from([("s3", 2), ("firehose", 1)]));
        assert_eq!((found.missing, found.missing_ids.len()), (2, 2));
        assert_eq!(found.missing_ids, ["0a-3", "0a-4"]);
        assert_eq!(found.seen.len(), 2);
        assert_eq!((found.ended.len(), found.reported.len()), (1, 0));
        assert_eq!(found.extent(&requests, ALL), Extent::Part);
    }

    #[test]
    fn the_last_report_is_more_than_the_last_end() {
        let requests = vec!["request-a".to_owned()];
        let mut tally = Tally::default();
        tally.line(
            "s3",
            "0a-1",
            r#"{"type":"platform.runtimeDone","record":"request-a"}"#,
            &requests,
        );
        let environments = std::mem::take(&mut tally.environments);
        assert_eq!(tally.found.extent(&requests, ALL), Extent::Ended);
        tally.environments = environments;
        tally.line(
            "s3",
            "0a-2",
            r#"{"type":"platform.report","record":"request-a"}"#,
            &requests,
        );
        assert_eq!(tally.end().extent(&requests, ALL), Extent::Reported);
    }

    /// Waiting for a gap to close that proves nothing would wait until the time is over.
    #[test]
    fn what_cannot_be_known_is_not_waited_for() {
        let requests = vec!["request-a".to_owned()];
        let mut found = Found {
            records: 3,
            missing: 1,
            ended: requests.iter().cloned().collect(),
            reported: requests.iter().cloned().collect(),
            ..Found::default()
        };
        let known = |is_whole, is_numbered| Known {
            is_whole,
            is_numbered,
        };
        assert_eq!(found.extent(&requests, ALL), Extent::Part);
        assert_eq!(
            found.extent(&requests, known(true, false)),
            Extent::Reported
        );
        found.ended.clear();
        assert_eq!(found.extent(&requests, known(true, false)), Extent::Part);
        assert_eq!(
            found.extent(&requests, known(false, false)),
            Extent::Unknown
        );
        found.records = 0;
        assert_eq!(found.extent(&requests, known(false, false)), Extent::Part);
    }

    #[test]
    fn the_folder_says_who_wrote_it() {
        assert_eq!(
            sink("backstop/v1/stream=telemetry/dt=2026-01-31/x"),
            "firehose"
        );
        assert_eq!(sink("backstop/v1/account=1/region=r/function=f/x"), "s3");
    }
}
