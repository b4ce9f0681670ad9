//! The result of `layer prune`.

use serde::Serialize;

use super::{Fate, Unread, Version, Why};
use crate::fleet::{Place, Site, Skipped};
use crate::layer::report::{columns, problems};
use crate::layer::{Architecture, Release};
use crate::output::{Report, Style, plural};

/// A version and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedVersion {
    pub place: Place,
    /// The layer's name.
    pub name: String,
    pub release: Release,
    /// What it runs on.
    pub architecture: Architecture,
    pub version: i64,
    /// What a function names.
    pub arn: String,
    /// When it was published, as Lambda writes it.
    pub created: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What `backstop layer prune` did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PruneSummary {
    /// Nothing was changed.
    pub dry_run: bool,
    /// By account, region and architecture, the newest first.
    pub versions: Vec<PrunedVersion>,
    /// Places whose layers or functions could not be read.
    pub unread: Vec<Unread>,
    /// Places that were left out.
    pub skipped: Vec<Skipped>,
}

impl PrunedVersion {
    pub(super) fn new(site: &Site, version: &Version, fate: Fate) -> Self {
        Self {
            place: site.place.clone(),
            name: version.name.clone(),
            release: version.release.clone(),
            architecture: version.architecture,
            version: version.number,
            arn: version.arn.clone(),
            created: version.created.clone(),
            fate,
        }
    }

    /// In one word, and why.
    fn outcome(&self) -> (&'static str, String) {
        match &self.fate {
            Fate::WouldDelete => ("would delete", String::new()),
            Fate::Deleted => ("deleted", String::new()),
            Fate::Kept(Why::Newest) => ("kept", "among the newest".to_owned()),
            Fate::Kept(Why::Young) => ("kept", "too young".to_owned()),
            Fate::Kept(Why::Used(function)) => ("kept", format!("used by {function}")),
            Fate::Kept(Why::Named) => ("kept", "in the manifest".to_owned()),
            Fate::Kept(Why::Undo(command)) => ("kept", format!("needed by `backstop {command}`")),
            Fate::Kept(Why::Shared(with)) => {
                let with: Vec<String> = with.iter().map(ToString::to_string).collect();
                ("kept", format!("shared with {}", with.join(", ")))
            }
            Fate::Refused(reason) => ("refused", reason.clone()),
            Fate::Failed(reason) => ("failed", reason.clone()),
        }
    }
}

impl Serialize for PrunedVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Flat<'a> {
            #[serde(flatten)]
            place: &'a Place,
            name: &'a str,
            release: &'a Release,
            architecture: Architecture,
            version: i64,
            arn: &'a str,
            created: &'a str,
            outcome: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            because: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            used_by: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
        }
        let (outcome, because, used_by) = match &self.fate {
            Fate::WouldDelete => ("wouldDelete", None, None),
            Fate::Deleted => ("deleted", None, None),
            Fate::Kept(Why::Newest) => ("kept", Some("newest"), None),
            Fate::Kept(Why::Young) => ("kept", Some("young"), None),
            Fate::Kept(Why::Used(function)) => ("kept", Some("used"), Some(function.as_str())),
            Fate::Kept(Why::Named) => ("kept", Some("named"), None),
            Fate::Kept(Why::Undo(_)) => ("kept", Some("undo"), None),
            Fate::Kept(Why::Shared(_)) => ("kept", Some("shared"), None),
            Fate::Refused(_) => ("refused", None, None),
            Fate::Failed(_) => ("failed", None, None),
        };
        let reason = self.outcome().1;
        Flat {
            place: &self.place,
            name: &self.name,
            release: &self.release,
            architecture: self.architecture,
            version: self.version,
            arn: &self.arn,
            created: &self.created,
            outcome,
            because,
            used_by,
            reason: Some(reason.as_str()).filter(|reason| !reason.is_empty()),
        }
        .serialize(serializer)
    }
}

impl PruneSummary {
    /// How many versions would go.
    pub fn chosen(&self) -> usize {
        self.count("would delete")
    }

    /// Whether every place was read and nothing failed.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty()
            && !self.skipped.iter().any(|skipped| skipped.is_failure)
            && self.count("refused") + self.count("failed") == 0
    }

    /// Whether a deletion was not started.
    pub fn is_interrupted(&self) -> bool {
        !self.dry_run && self.chosen() > 0
    }

    fn count(&self, word: &str) -> usize {
        let outcomes = self.versions.iter().map(PrunedVersion::outcome);
        outcomes.filter(|(outcome, _)| *outcome == word).count()
    }

    fn verdict(&self) -> String {
        let mut parts = Vec::new();
        if self.dry_run || self.is_interrupted() {
            parts.push(format!(
                "{} to delete",
                plural(self.chosen() as u64, "version")
            ));
        }
        if !self.dry_run {
            parts.push(format!(
                "{} deleted",
                plural(self.count("deleted") as u64, "version")
            ));
        }
        for word in ["kept", "refused", "failed"] {
            let count = self.count(word);
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        let rest = match (self.dry_run, self.is_complete()) {
            (true, _) => "; nothing was changed",
            (false, true) => "",
            (false, false) => "; run the same command again to finish",
        };
        format!("{}{rest}", parts.join(", "))
    }
}

impl Report for PruneSummary {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if !self.versions.is_empty() {
            let rows = self.versions.iter().map(|it| {
                let (outcome, reason) = it.outcome();
                // What is long is below the table.
                let reason = if matches!(outcome, "refused" | "failed") {
                    String::new()
                } else {
                    reason
                };
                vec![
                    it.place.account.clone(),
                    it.place.region.clone(),
                    it.architecture.to_string(),
                    it.release.to_string(),
                    it.version.to_string(),
                    it.created.get(..10).unwrap_or(&it.created).to_owned(),
                    outcome.to_owned(),
                    reason,
                ]
            });
            text += &columns(
                style,
                &[
                    "account",
                    "region",
                    "architecture",
                    "release",
                    "version",
                    "created",
                    "outcome",
                    "because",
                ],
                rows,
            );
            text += "\n";
        }
        let reasons: Vec<(String, String)> = (self.versions.iter())
            .filter_map(|it| match it.outcome() {
                (word @ ("refused" | "failed"), reason) => {
                    Some((format!("{word}: {}", it.arn), reason))
                }
                _ => None,
            })
            .collect();
        let reasons = reasons
            .iter()
            .map(|(arn, reason)| (arn.clone(), reason.as_str()));
        let unread = self
            .unread
            .iter()
            .map(|it| (format!("not read: {}", it.place), it.reason.as_str()));
        text += &problems(reasons.chain(unread), &self.skipped);
        if self
            .versions
            .iter()
            .any(|it| matches!(it.fate, Fate::Kept(Why::Shared(_))))
        {
            text += "--include-shared also deletes versions that unchecked accounts may use\n";
        }
        if self
            .versions
            .iter()
            .any(|it| matches!(it.fate, Fate::Kept(Why::Undo(_))))
        {
            text += "--include-undoable also deletes versions that undo, detach and resume need\n";
        }
        text + &style.verdict(self.is_complete(), &self.verdict()) + "\n"
    }
}
