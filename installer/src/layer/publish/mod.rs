//! Publishing: the same layer in every place, each on its own.
//!
//! A place and an architecture at a time: look at what is there, publish what is not, share it,
//! read back whether it is shared. Invariants: the same bytes are never published twice in a row; an
//! answer that is lost is looked for and not asked for again; a version counts as published when it
//! can be used by all with whom it is to be shared; a place that fails costs the others nothing, and
//! the same command again does what is left. Must not: delete anything.

mod share;
mod summary;

use futures_util::future::join_all;
use tokio::sync::watch;

pub use summary::{Outcome, PublishSummary, PublishedLayer};

use super::places::{Done, each};
use super::remote::{Content, Layers};
use super::{Package, Release, Share};
use crate::aws::{Failure, Kind};
use crate::fleet::{Fleet, Site};

/// So often a version whose answer was lost is looked for, and a permission read back.
const LOOKS: u32 = 4;

/// What is to be published.
#[derive(Debug)]
pub struct PublishOptions {
    /// One for each architecture.
    pub packages: Vec<Package>,
    /// The release they are of.
    pub release: Release,
    pub share: Share,
    pub dry_run: bool,
}

/// Publishes in every reachable place; starts no place after `stop` turns true.
pub async fn publish(
    fleet: &Fleet,
    options: &PublishOptions,
    done: Done<'_>,
    stop: &watch::Receiver<bool>,
) -> PublishSummary {
    let layers = each(fleet, done, |site| async move {
        let is_stopped = *stop.borrow();
        let all = options.packages.iter().map(|package| {
            let job = Job {
                site: &site,
                package,
                options,
            };
            async move {
                let mut layer = job.nothing_yet();
                if is_stopped {
                    layer.outcome = Outcome::Stopped;
                } else if let Err(failure) = job.run(&mut layer).await {
                    layer.outcome = Outcome::Failed;
                    layer.reason = Some(explained(&failure));
                }
                layer
            }
        });
        join_all(all).await
    })
    .await;
    PublishSummary::of(layers.into_iter().flatten().collect(), fleet, options)
}

/// One architecture in one place.
struct Job<'a> {
    site: &'a Site,
    package: &'a Package,
    options: &'a PublishOptions,
}

impl Job<'_> {
    fn nothing_yet(&self) -> PublishedLayer {
        PublishedLayer {
            place: self.site.place.clone(),
            architecture: self.package.architecture,
            name: self.options.release.layer_name(self.package.architecture),
            outcome: Outcome::WouldPublish,
            version: None,
            arn: None,
            sha256: self.package.sha256.clone(),
            shared_with: Vec::new(),
            newly_shared_with: Vec::new(),
            reason: None,
        }
    }

    async fn run(&self, layer: &mut PublishedLayer) -> Result<(), Failure> {
        let wanted = self.options.share.principals(&self.site.place.account);
        let layers = Layers(self.site);
        let newest = self.newest(layers, &layer.name).await?;
        let known = newest.as_ref().map_or(0, |(number, _)| *number);
        let (number, content) = match newest {
            Some(same) if same.1.code_sha256 == self.package.code_sha256 => {
                layer.outcome = Outcome::Same;
                same
            }
            _ if self.options.dry_run => {
                layer.newly_shared_with = wanted;
                return Ok(());
            }
            _ => {
                layer.outcome = Outcome::Published;
                self.publish(layers, &layer.name, known).await?
            }
        };
        layer.version = Some(number);
        layer.arn = Some(content.arn);
        if content.code_sha256 != self.package.code_sha256 {
            let reason = "Lambda stored bytes other than those sent: publish again";
            let what = format!("publishing {}:{number}", layer.name);
            return Err(Failure::new(&what, reason, Kind::Invalid));
        }
        let shared = if self.options.dry_run {
            share::look(layers, &layer.name, number, &wanted).await?
        } else {
            share::ensure(layers, &layer.name, number, &wanted).await?
        };
        layer.shared_with = shared.with;
        layer.newly_shared_with = shared.newly;
        Ok(())
    }

    /// The newest version, with what is in it.
    async fn newest(
        &self,
        layers: Layers<'_>,
        name: &str,
    ) -> Result<Option<(i64, Content)>, Failure> {
        match layers.versions(name).await?.first() {
            Some(version) => {
                let content = layers.content(name, version.number).await?;
                Ok(Some((version.number, content)))
            }
            None => Ok(None),
        }
    }

    async fn publish(
        &self,
        layers: Layers<'_>,
        name: &str,
        known: i64,
    ) -> Result<(i64, Content), Failure> {
        let failure = match layers.publish(self.package, &self.options.release).await {
            Err(failure) if failure.kind.may_be_done() => failure,
            answer => return answer,
        };
        // What was done without an answer shows up in the list, perhaps a little later.
        for look in 1..=LOOKS {
            let Ok(newest) = self.newest(layers, name).await else {
                break;
            };
            if let Some(found) = newest.filter(|(number, content)| {
                *number > known && content.code_sha256 == self.package.code_sha256
            }) {
                return Ok(found);
            }
            self.site.lambda.back_off(look).await;
        }
        Err(failure)
    }
}

/// With what to do about it, where we know better than the service.
fn explained(failure: &Failure) -> String {
    match failure.code() {
        Some("CodeStorageExceededException") => format!(
            "{}\nfree some space: `backstop layer prune` deletes the versions that no function uses",
            failure.brief()
        ),
        _ => failure.to_string(),
    }
}
