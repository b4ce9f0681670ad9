//! Prunes layer versions that nothing uses.
//!
//! [`assess`] reads what there is and who names it, `decide` says what may go (pure), [`delete`] does
//! that and nothing else. Invariants: a version that any function in scope names stays, as does the
//! newest of each architecture and what undoing a run would put back; where a place could not be read, nothing goes that could be used
//! there; a version that unchecked accounts may use is deleted only on request. Lambda cannot
//! restore a deleted version: functions with it still run, but cannot be updated.

mod decide;
mod summary;
mod undo;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_smithy_types::date_time::{DateTime, Format};
use tokio::sync::watch;

pub use decide::{Fate, Return, Why};
pub use summary::{PruneSummary, PrunedVersion};
pub use undo::returns;

use super::list::Unread;
use super::places::{Done, each};
use super::remote::{Layers, Version};
use super::{Manifest, Principal};
use crate::aws::Failure;
use crate::fleet::{Fleet, Site};
use decide::{Rules, Seen, Use};

/// What may go.
#[derive(Debug)]
pub struct PruneOptions {
    /// Number of newest versions to keep, of each architecture in each place.
    pub keep: usize,
    /// What is younger stays.
    pub older_than: Option<Duration>,
    /// Also delete versions that unchecked accounts may use.
    pub include_shared: bool,
    /// What it names stays.
    pub manifest: Manifest,
    /// ARNs of versions that stay.
    pub named: Vec<String>,
    /// What undoing this machine's runs puts back.
    pub returns: Vec<Return>,
}

/// Reads everything, and says what may go.
pub async fn assess(
    fleet: &Fleet,
    options: &PruneOptions,
    now: DateTime,
    done: Done<'_>,
) -> PruneSummary {
    let read = each(fleet, done, |site| async move {
        let read = read(&site).await;
        (site, read)
    })
    .await;
    let (mut seen, mut versions, mut unread) = (Seen::default(), Vec::new(), Vec::new());
    for skipped in fleet.skipped.iter().filter(|skipped| skipped.is_failure) {
        seen.blind(skipped.region.as_deref(), &skipped.account);
    }
    for (site, read) in &read {
        match read {
            Ok((found, named)) => {
                versions.extend(found.iter().map(|version| (site, version)));
                seen.seen(&site.place);
                seen.named(named);
            }
            Err(failure) => {
                seen.blind(Some(&site.place.region), &site.place.account);
                unread.push(Unread {
                    place: site.place.clone(),
                    reason: failure.to_string(),
                });
            }
        }
    }
    let rules = Rules {
        keep: options.keep,
        older_than: options.older_than.map(|age| {
            now.secs()
                .saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
        }),
        named: (options.manifest.entries().map(|entry| entry.arn.to_owned()))
            .chain(options.named.iter().cloned())
            .collect(),
        undone: seen.undone(&options.returns),
    };
    let mut summary = PruneSummary {
        dry_run: true,
        versions: Vec::new(),
        unread,
        skipped: fleet.skipped.clone(),
    };
    for (site, version, mut fate) in decide::decide(versions, &rules, &seen) {
        if fate == Fate::WouldDelete && !options.include_shared {
            fate = match strangers(fleet, site, version).await {
                Ok(strangers) if strangers.is_empty() => Fate::WouldDelete,
                Ok(strangers) => Fate::Kept(Why::Shared(strangers)),
                Err(failure) => Fate::Refused(failure.to_string()),
            };
        }
        summary
            .versions
            .push(PrunedVersion::new(site, version, fate));
    }
    summary
}

/// Deletes what would be deleted, until `stop` turns true.
pub async fn delete(
    fleet: &Fleet,
    mut summary: PruneSummary,
    done: Done<'_>,
    stop: &watch::Receiver<bool>,
) -> PruneSummary {
    summary.dry_run = false;
    let mut chosen: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, version) in summary.versions.iter().enumerate() {
        if version.fate == Fate::WouldDelete {
            chosen.entry(version.place.clone()).or_default().push(index);
        }
    }
    let (versions, chosen) = (&summary.versions, &chosen);
    let fates = each(fleet, done, |site| async move {
        let mut fates = Vec::new();
        for index in chosen.get(&site.place).into_iter().flatten() {
            if *stop.borrow() {
                break;
            }
            let version = &versions[*index];
            let fate = match Layers(&site).delete(&version.name, version.version).await {
                Ok(()) => Fate::Deleted,
                Err(failure) => Fate::Failed(failure.to_string()),
            };
            fates.push((*index, fate));
        }
        fates
    })
    .await;
    for (index, fate) in fates.into_iter().flatten() {
        summary.versions[index].fate = fate;
    }
    summary
}

async fn read(site: &Site) -> Result<(Vec<Version>, Vec<Use>), Failure> {
    let (layers, mut versions) = (Layers(site), Vec::new());
    for name in layers.names().await? {
        versions.extend(layers.versions(&name).await?);
    }
    Ok((versions, layers.named_by_functions().await?))
}

/// Unchecked accounts that may use the version.
async fn strangers(
    fleet: &Fleet,
    site: &Site,
    version: &Version,
) -> Result<Vec<Principal>, Failure> {
    let accounts: BTreeSet<&String> = fleet.sites.keys().map(|place| &place.account).collect();
    let mut strangers = Layers(site)
        .shared_with(&version.name, version.number)
        .await?;
    strangers.retain(
        |principal| !matches!(principal, Principal::Account(account) if accounts.contains(account)),
    );
    Ok(strangers)
}

/// A moment as Lambda writes it: `2026-01-31T08:00:00.000+0000`.
fn seconds(created: &str) -> Option<i64> {
    // RFC 3339 has a colon in the offset.
    let (time, minutes) = created.split_at_checked(created.len().checked_sub(2)?)?;
    let colon = if time.ends_with(':') || created.ends_with('Z') {
        ""
    } else {
        ":"
    };
    let moment = DateTime::from_str(
        &format!("{time}{colon}{minutes}"),
        Format::DateTimeWithOffset,
    );
    Some(moment.ok()?.secs())
}
