//! What a drill does when the function is restored: wait for the archive, read it, replay it.

use std::time::{Duration, SystemTime};

use backstop_archive::{Filter, Moment};
use backstop_config::ProcessEnvironment;
use tokio::time::Instant;

use super::course::Drill;
use crate::archive::{After, Archive};
use crate::aws::Access;
use crate::drill::{self, Extent, Found, Known, Summary};
use crate::replay::{self, Like, Selection, Target, TargetOptions};

/// Between two looks at the archive.
const PAUSE: Duration = Duration::from_secs(1);
/// The last report comes when Lambda ends the environment, which may take long: nobody waits for that if
/// nothing has come for this time.
const QUIET: Duration = Duration::from_secs(10);
/// The same where no record is known to be the last one.
const QUIET_WITHOUT_AN_END: Duration = Duration::from_secs(30);
/// How far this machine's clock may be from Lambda's.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);

impl Drill<'_> {
    /// The records of this function, from the change to its end.
    pub(super) fn filter(&self, since: SystemTime, until: SystemTime) -> Filter {
        let place = &self.function.place;
        let literal = |text: &str| text.parse().into_iter().collect();
        Filter {
            functions: literal(&self.function.name),
            accounts: literal(&place.account),
            regions: literal(&place.region),
            since: Some(moment(since - CLOCKS_DIFFER)),
            until: Some(moment(until + CLOCKS_DIFFER)),
            // Copies of records prove nothing about what the primary did not take.
            without_mirrored: true,
            ..Filter::default()
        }
    }

    /// What is there once it is whole and nothing more comes, or when the time is over.
    pub(super) async fn wait_for_archive(
        &self,
        archives: &[Archive],
        filter: &Filter,
        summary: &Summary,
        known: Known,
    ) -> anyhow::Result<Found> {
        let requests = summary.during.requests();
        let deadline = Instant::now() + self.args.archive_wait;
        let mut is_said = false;
        let mut last: Option<(Found, Instant)> = None;
        loop {
            let found = drill::look(archives, filter, &requests).await?;
            let now = Instant::now();
            let since = match &last {
                Some((before, since)) if *before == found => Some(now - *since),
                _ => None,
            };
            let is_over = match found.extent(&requests, known) {
                Extent::Reported => since.is_some(),
                Extent::Ended => since.is_some_and(|it| it >= QUIET),
                Extent::Unknown => since.is_some_and(|it| it >= QUIET_WITHOUT_AN_END),
                Extent::Part => false,
            };
            if is_over || now >= deadline {
                return Ok(found);
            }
            if since.is_none() {
                last = Some((found, now));
            }
            if !is_said {
                let output = self.session.output;
                let shown: Vec<String> = archives.iter().map(Archive::shown).collect();
                output.progress(&format!(
                    "Waiting for the records in {}",
                    shown.join(" and ")
                ));
                is_said = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// To the primary that the function has again.
    pub(super) async fn replay(
        &self,
        archive: &Archive,
        filter: Filter,
    ) -> anyhow::Result<replay::Summary> {
        let access = Access {
            region: Some(self.function.place.region.clone()),
            ..self.session.work.access.clone()
        };
        let like = Like::read(&access, &self.function.arn).await?;
        let url = like.url();
        let options = TargetOptions {
            url: &url,
            format: like.format().unwrap_or("ndjson"),
            headers: like.headers(),
            ..TargetOptions::default()
        };
        let target = Target::resolve(&options, &like.over(&ProcessEnvironment))?;
        let shared = access.shared(target.timeout()).await;
        let target = Box::pin(target.with_secrets(&shared, Some(&like.name))).await?;
        let after = if archive.is_directory() {
            After::Keep
        } else {
            After::Tag
        };
        let options = replay::Options {
            after,
            include_replayed: false,
            ..replay::Options::default()
        };
        let selection = Selection {
            archive: archive.clone(),
            filter,
        };
        Box::pin(replay::replay(selection, target, options, &())).await
    }
}

fn moment(at: SystemTime) -> Moment {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
