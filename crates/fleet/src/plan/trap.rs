//! Traps: changes that succeed and still lose records. The plan reports them.
//!
//! A function can be attached, with exit code 0, and no record of it reach anyone. Each such case is one
//! [`Trap`], a note of the plan and a member of its JSON. Must not: refuse anything.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use backstop_config::{Fallback, Settings};
use serde::{Deserialize, Serialize};

use super::facts::PlaceFacts;
use super::{Extras, Intent};
use crate::aws::{Failure, Kind};
use crate::change::{Config, is_ours};
use crate::fleet::Site;
use crate::grants::{self, Decision, Permission};
use crate::select::{self, FullConfiguration, Function, LATEST};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trap", rename_all = "camelCase")]
pub enum Trap {
    /// The layer without any place to send to.
    NoSink,
    /// A primary alone: when it is down, records are lost.
    NoFallback,
    /// The bucket does not exist.
    BucketMissing { bucket: String },
    /// The extension looks for the bucket in another region than it is in.
    BucketElsewhere {
        bucket: String,
        /// Where it is.
        region: String,
    },
    /// Aliases on published versions, which a change of `$LATEST` does not reach.
    AliasesKeep { aliases: Vec<String> },
    /// The alias that is to be moved will not be.
    AliasStays { alias: String, reason: String },
    /// Whether there are such aliases is not known.
    AliasesUnread { reason: String },
    /// The execution role may not write to the fallback.
    RoleMayNot {
        /// What it lacks.
        permissions: Vec<Permission>,
    },
    /// Whether it may is not known.
    RoleUnread { reason: String },
}

impl fmt::Display for Trap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSink => formatter.write_str(
                "no sink: neither a primary nor a fallback is set, so every record is dropped",
            ),
            Self::NoFallback => formatter.write_str(
                "no fallback: records that the primary does not accept are lost; set \
                 BACKSTOP_S3_BUCKET or BACKSTOP_FIREHOSE_STREAM",
            ),
            Self::BucketMissing { bucket } => {
                write!(
                    formatter,
                    "bucket {bucket} does not exist: create it, or correct BACKSTOP_S3_BUCKET"
                )
            }
            Self::BucketElsewhere { bucket, region } => {
                write!(
                    formatter,
                    "bucket {bucket} is in {region}: set BACKSTOP_S3_REGION={region}, or use \
                     another bucket"
                )
            }
            Self::AliasesKeep { aliases } => {
                let (names, keep) = match &aliases[..] {
                    [one] => (format!("alias {one}"), "keeps"),
                    all => (format!("aliases {}", all.join(", ")), "keep"),
                };
                write!(
                    formatter,
                    "traffic goes through {names}, which {keep} the current version; --move-alias \
                     moves one"
                )
            }
            Self::AliasStays { reason, .. } => formatter.write_str(reason),
            Self::AliasesUnread { reason } => {
                write!(formatter, "cannot check the aliases: {reason}")
            }
            Self::RoleMayNot { permissions } => {
                let permissions: Vec<String> =
                    permissions.iter().map(Permission::to_string).collect();
                write!(
                    formatter,
                    "its role may not {}, unless the resource's policy allows it; --grant grants it",
                    permissions.join(" and ")
                )
            }
            Self::RoleUnread { reason } => {
                write!(
                    formatter,
                    "cannot check whether its role may write to the fallback: {reason}"
                )
            }
        }
    }
}

/// Those of a function that is to have this configuration, whether or not it is changed.
pub(super) async fn of(
    site: &Site,
    function: &Function,
    wanted: &Config,
    extras: &Extras,
    facts: &PlaceFacts<'_>,
) -> Vec<Trap> {
    if !wanted.layers.iter().any(|arn| is_ours(arn)) {
        return Vec::new();
    }
    let settings = settings(&wanted.variables, function);
    let mut traps: Vec<Trap> = sinks(&settings).into_iter().collect();
    for fallback in &settings.fallbacks {
        if let Fallback::S3(archive) = fallback {
            traps.extend(facts.bucket(site, archive).await);
        }
    }
    if !extras.grant {
        traps.extend(role(site, function, &wanted.variables, facts).await);
    }
    traps
}

/// As the extension resolves them there.
fn settings(variables: &BTreeMap<String, String>, function: &Function) -> Settings {
    let mut variables = variables.clone();
    variables.insert("AWS_REGION".to_owned(), function.place.region.clone());
    let (mut settings, _) = Settings::resolve(&variables);
    settings.keep_to_account(&function.place.account);
    settings
}

fn sinks(settings: &Settings) -> Option<Trap> {
    if !settings.fallbacks.is_empty() {
        return None;
    }
    Some(if settings.primary.is_some() {
        Trap::NoFallback
    } else {
        Trap::NoSink
    })
}

/// What the role lacks; each role is asked about once, also when many functions share it.
async fn role(
    site: &Site,
    function: &Function,
    variables: &BTreeMap<String, String>,
    facts: &PlaceFacts<'_>,
) -> Option<Trap> {
    let mut lacking = Vec::new();
    for need in grants::needs(variables, &function.place, &site.partition) {
        match facts.may(site, function, &need).await {
            Ok(Decision::Allowed) => {}
            Ok(Decision::NotAllowed | Decision::Forbidden) => lacking.push(need),
            Err(reason) => return Some(Trap::RoleUnread { reason }),
        }
    }
    (!lacking.is_empty()).then_some(Trap::RoleMayNot {
        permissions: lacking,
    })
}

/// Aliases that do not follow: those that go on with a published version that has not what `$LATEST` has, or is
/// to have where it is changed; and the one that is to be moved, where it will not be.
pub(super) async fn aliases(
    site: &Site,
    function: &Function,
    intent: &Intent,
    is_changed: bool,
    facts: &PlaceFacts<'_>,
) -> Vec<Trap> {
    // An undoing puts back those that its run moved, and the others never had anything of it.
    if matches!(intent, Intent::Undo { .. }) || !facts.may_have_aliases(function) {
        return Vec::new();
    }
    if let Some(reason) = facts.first_denial() {
        return vec![Trap::AliasesUnread { reason }];
    }
    match found(site, function, intent, is_changed).await {
        Ok(traps) => traps,
        Err(failure) => {
            let reason = failure.reason();
            if failure.kind == Kind::Denied {
                facts.deny(&reason);
            }
            vec![Trap::AliasesUnread { reason }]
        }
    }
}

async fn found(
    site: &Site,
    function: &Function,
    intent: &Intent,
    is_changed: bool,
) -> Result<Vec<Trap>, Failure> {
    let name = &function.name;
    let aliases = select::aliases(site, name).await?;
    let aliases = aliases
        .into_iter()
        .filter(|alias| alias.versions.iter().any(|it| it != LATEST));
    let aliases: Vec<select::Alias> = aliases.collect();
    if aliases.is_empty() {
        return Ok(Vec::new());
    }
    let moved = intent.extras().move_alias;
    let mut versions = Versions::of(site, name);
    let (mut keep, mut traps) = (Vec::new(), Vec::new());
    for alias in aliases {
        // What `$LATEST` is to have no version has yet.
        if !is_changed && versions.have_what_latest_has(&alias).await? {
            continue;
        }
        if Some(&alias.name) != moved.as_ref() {
            keep.push(alias.name);
        } else if let Some(reason) = versions.why_it_stays(&alias).await? {
            traps.push(Trap::AliasStays {
                alias: alias.name,
                reason,
            });
        }
    }
    traps.extend((!keep.is_empty()).then_some(Trap::AliasesKeep { aliases: keep }));
    Ok(traps)
}

/// Versions of one function; each is read once, and only where it matters.
struct Versions<'a> {
    site: &'a Site,
    name: &'a str,
    known: BTreeMap<String, FullConfiguration>,
}

impl<'a> Versions<'a> {
    fn of(site: &'a Site, name: &'a str) -> Self {
        Self {
            site,
            name,
            known: BTreeMap::new(),
        }
    }

    async fn read(&mut self, version: &str) -> Result<&FullConfiguration, Failure> {
        match self.known.entry(version.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                Ok(place.insert(FullConfiguration::of(self.site, self.name, version).await?))
            }
        }
    }

    async fn have_what_latest_has(&mut self, alias: &select::Alias) -> Result<bool, Failure> {
        let latest = self.read(LATEST).await?.clone();
        for version in &alias.versions {
            if !self.read(version).await?.has_same_extension(&latest) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// As `apply` will find it.
    async fn why_it_stays(&mut self, alias: &select::Alias) -> Result<Option<String>, Failure> {
        if let Some(reason) = alias.divided() {
            return Ok(Some(reason));
        }
        let latest = self.read(LATEST).await?.clone();
        let (site, name) = (self.site, self.name);
        let there = self.read(alias.version()).await?;
        let differences = there.unreleased(site, name, &latest).await?;
        Ok(alias.unreleased(&differences))
    }
}
