//! Every version of our layers, everywhere.

use serde::Serialize;

use super::places::{Done, each};
use super::remote::Layers;
use super::report::{columns, problems};
use super::{Architecture, Principal, Release};
use crate::aws::Failure;
use crate::fleet::{Fleet, Place, Site, Skipped};
use crate::output::{Report, Style, grouped, plural};

/// So much of a checksum tells versions apart.
const SHORT: usize = 8;

/// A version of a Backstop layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedVersion {
    #[serde(flatten)]
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
    /// Of the zip, in hexadecimal digits.
    pub sha256: String,
    /// The size of the zip.
    pub bytes: u64,
    /// Who may use it, beside its account; none where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<Vec<Principal>>,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    #[serde(flatten)]
    pub place: Place,
    pub reason: String,
}

/// What `backstop layer list` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionList {
    /// By account, region and name, the newest version first.
    pub versions: Vec<ListedVersion>,
    /// Places whose layers could not be read.
    pub unread: Vec<Unread>,
    /// Places that were left out.
    pub skipped: Vec<Skipped>,
}

/// Lists them, with who may use them where `permissions` is set.
pub async fn list(fleet: &Fleet, permissions: bool, done: Done<'_>) -> VersionList {
    let found = each(fleet, done, |site| async move {
        let listed = list_in(&site, permissions).await;
        (site.place.clone(), listed)
    })
    .await;
    let (mut versions, mut unread) = (Vec::new(), Vec::new());
    for (place, listed) in found {
        match listed {
            Ok(listed) => versions.extend(listed),
            Err(failure) => unread.push(Unread {
                place,
                reason: failure.to_string(),
            }),
        }
    }
    VersionList {
        versions,
        unread,
        skipped: fleet.skipped.clone(),
    }
}

async fn list_in(site: &Site, permissions: bool) -> Result<Vec<ListedVersion>, Failure> {
    let (layers, mut listed) = (Layers(site), Vec::new());
    for name in layers.names().await? {
        for version in layers.versions(&name).await? {
            let content = layers.content(&name, version.number).await?;
            let shared_with = if permissions {
                Some(layers.shared_with(&name, version.number).await?)
            } else {
                None
            };
            listed.push(ListedVersion {
                place: site.place.clone(),
                name: version.name,
                release: version.release,
                architecture: version.architecture,
                version: version.number,
                arn: version.arn,
                created: version.created,
                sha256: content.sha256(),
                bytes: content.bytes,
                shared_with,
            });
        }
    }
    Ok(listed)
}

impl VersionList {
    /// Whether every place was read.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty() && !self.skipped.iter().any(|skipped| skipped.is_failure)
    }
}

impl Report for VersionList {
    fn text(&self, style: Style) -> String {
        let is_shared_known = self.versions.iter().any(|it| it.shared_with.is_some());
        let mut heading = vec![
            "account", "region", "release", "arch", "version", "created", ">bytes", "sha256",
            "name",
        ];
        heading.extend(is_shared_known.then_some("shared with"));
        let rows = self.versions.iter().map(|it| {
            let mut row = vec![
                it.place.account.clone(),
                it.place.region.clone(),
                it.release.to_string(),
                it.architecture.to_string(),
                it.version.to_string(),
                it.created.get(..10).unwrap_or(&it.created).to_owned(),
                grouped(it.bytes),
                it.sha256.get(..SHORT).unwrap_or(&it.sha256).to_owned(),
                it.name.clone(),
            ];
            if let Some(shared_with) = &it.shared_with {
                let shared_with: Vec<String> =
                    shared_with.iter().map(ToString::to_string).collect();
                row.push(shared_with.join(", "));
            }
            row
        });
        let mut text = String::new();
        if !self.versions.is_empty() {
            text = columns(style, &heading, rows) + "\n";
        }
        let unread = self.unread.iter();
        text += &problems(
            unread.map(|it| (format!("not read: {}", it.place), it.reason.as_str())),
            &self.skipped,
        );
        let count = plural(self.versions.len() as u64, "version");
        let rest = if self.is_complete() {
            ""
        } else {
            "; some places could not be read"
        };
        text + &style.verdict(self.is_complete(), &format!("{count}{rest}")) + "\n"
    }
}
