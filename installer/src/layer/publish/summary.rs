//! The result of `layer publish`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::PublishOptions;
use crate::fleet::{Fleet, Place, Skipped};
use crate::layer::report::{columns, problems};
use crate::layer::{Architecture, Manifest, ManifestEntry, Principal, Release};
use crate::output::{Report, Style, plural};

/// What became of a place and an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// There is a new version.
    Published,
    /// The newest version has the same bytes.
    Same,
    /// There would be a new version.
    WouldPublish,
    /// See the reason.
    Failed,
    /// Not started, because the command was interrupted.
    Stopped,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Same => "same",
            Self::WouldPublish => "would publish",
            Self::Failed => "failed",
            Self::Stopped => "not started",
        }
    }
}

/// One architecture in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedLayer {
    #[serde(flatten)]
    pub place: Place,
    pub architecture: Architecture,
    /// The layer's name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The version's number, where there is one with these bytes.
    pub version: Option<i64>,
    /// What a function names.
    pub arn: Option<String>,
    /// Of the zip, in hexadecimal digits.
    pub sha256: String,
    /// Who may use it, beside its account.
    pub shared_with: Vec<Principal>,
    /// Who of them could not before; in a dry run, who could not yet.
    pub newly_shared_with: Vec<Principal>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What `backstop layer publish` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishSummary {
    /// What was published.
    pub release: Release,
    /// Nothing was changed.
    pub dry_run: bool,
    /// By account, region and architecture.
    pub layers: Vec<PublishedLayer>,
    /// Places that were left out.
    pub skipped: Vec<Skipped>,
    /// Where the manifest is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<PathBuf>,
}

impl PublishSummary {
    pub(super) fn of(layers: Vec<PublishedLayer>, fleet: &Fleet, options: &PublishOptions) -> Self {
        Self {
            release: options.release.clone(),
            dry_run: options.dry_run,
            layers,
            skipped: fleet.skipped.clone(),
            manifest: None,
        }
    }

    /// Whether nothing is left to do.
    pub fn is_complete(&self) -> bool {
        !self.skipped.iter().any(|skipped| skipped.is_failure)
            && self.count(Outcome::Failed) + self.count(Outcome::Stopped) == 0
    }

    /// Whether something was not started.
    pub fn is_interrupted(&self) -> bool {
        self.count(Outcome::Stopped) > 0
    }

    /// Adds what can be attached to a manifest; whether there is any.
    pub fn add_to(&self, manifest: &mut Manifest) -> bool {
        let mut is_any = false;
        for layer in &self.layers {
            let is_there = matches!(layer.outcome, Outcome::Published | Outcome::Same);
            let version = layer
                .version
                .and_then(|version| u64::try_from(version).ok());
            if let (true, Some(arn), Some(version)) = (is_there, &layer.arn, version) {
                is_any = true;
                manifest.insert(ManifestEntry {
                    account: &layer.place.account,
                    region: &layer.place.region,
                    architecture: layer.architecture,
                    arn,
                    version,
                    sha256: &layer.sha256,
                });
            }
        }
        if is_any {
            manifest.release = Some(self.release.to_string());
        }
        is_any
    }

    fn count(&self, outcome: Outcome) -> usize {
        let layers = self.layers.iter();
        layers.filter(|layer| layer.outcome == outcome).count()
    }

    fn verdict(&self) -> String {
        let count = |outcome| self.count(outcome) as u64;
        let counted = |outcome, words: &str| {
            (count(outcome) > 0).then(|| format!("{} {words}", count(outcome)))
        };
        let left_out = self
            .skipped
            .iter()
            .filter(|skipped| skipped.is_failure)
            .count() as u64;
        let mut parts = vec![if self.dry_run {
            format!(
                "{} to publish",
                plural(count(Outcome::WouldPublish), "version")
            )
        } else {
            format!("{} published", plural(count(Outcome::Published), "version"))
        }];
        parts.extend(counted(Outcome::Same, "unchanged"));
        parts.extend(counted(Outcome::Failed, "failed"));
        parts.extend(counted(Outcome::Stopped, "not started"));
        parts.extend((left_out > 0).then(|| format!("{} not reached", plural(left_out, "place"))));
        let next = match (self.is_complete(), self.dry_run) {
            (true, true) => "; nothing was changed",
            (true, false) => "",
            (false, true) => "; nothing was changed, and some places could not be read",
            (false, false) => "; run the same command again to finish",
        };
        format!("{}{next}", parts.join(", "))
    }
}

impl Report for PublishSummary {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if !self.layers.is_empty() {
            let rows = self.layers.iter().map(|layer| {
                let shared = layer.shared_with.iter().map(ToString::to_string);
                let newly = layer.newly_shared_with.iter();
                let would = newly
                    .filter(|_| self.dry_run)
                    .map(|to| format!("would add {to}"));
                vec![
                    layer.place.account.clone(),
                    layer.place.region.clone(),
                    layer.architecture.to_string(),
                    layer.outcome.as_str().to_owned(),
                    layer
                        .version
                        .map(|version| version.to_string())
                        .unwrap_or_default(),
                    shared.chain(would).collect::<Vec<_>>().join(", "),
                ]
            });
            text += &columns(
                style,
                &[
                    "account",
                    "region",
                    "architecture",
                    "outcome",
                    "version",
                    "shared with",
                ],
                rows,
            );
            text += "\n";
        }
        text += &problems(
            (self.layers.iter()).filter_map(|layer| {
                let reason = layer.reason.as_deref()?;
                Some((
                    format!("failed: {} {}", layer.place, layer.architecture),
                    reason,
                ))
            }),
            &self.skipped,
        );
        if let Some(manifest) = &self.manifest {
            // A String takes whatever is written to it.
            writeln!(text, "manifest: {}", manifest.display()).ok();
        }
        text + &style.verdict(self.is_complete(), &self.verdict()) + "\n"
    }
}
