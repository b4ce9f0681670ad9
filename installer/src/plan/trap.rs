//! What would go well and still not do what was meant: told before it is done.
//!
//! A function can be attached, with exit code 0, and no record of it reach anyone. Each such case is one
//! [`Trap`], a note of the plan and a member of its JSON. Must not: refuse anything.

use std::collections::BTreeMap;
use std::fmt;

use backstop_config::{Fallback, Settings};
use serde::{Deserialize, Serialize};

use super::survey::Survey;
use super::{Extras, Wish};
use crate::aws::Kind;
use crate::change::{Config, is_ours};
use crate::fleet::Site;
use crate::grants::{self, Decision, Permission};
use crate::select::{self, Function, LATEST};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trap", rename_all = "camelCase")]
pub enum Trap {
    /// The layer without any place to send to.
    NoSink,
    /// A primary alone: when it is down, records are lost.
    NoFallback,
    /// The bucket does not exist.
    BucketMissing {
        /// Its name.
        bucket: String,
    },
    /// The extension looks for the bucket in another region than it is in.
    BucketElsewhere {
        /// Its name.
        bucket: String,
        /// Where it is.
        region: String,
    },
    /// Aliases on published versions, which a change of `$LATEST` does not reach.
    AliasesKeep {
        /// Their names.
        aliases: Vec<String>,
    },
    /// Whether there are such aliases is not known.
    AliasesUnread {
        /// Why.
        reason: String,
    },
    /// The execution role may not write to the fallback.
    RoleMayNot {
        /// What it lacks.
        permissions: Vec<Permission>,
    },
    /// Whether it may is not known.
    RoleUnread {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Trap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSink => formatter.write_str(
                "no sink: neither a primary nor a fallback is set, and every record is dropped",
            ),
            Self::NoFallback => formatter.write_str(
                "no fallback: what the primary does not take is lost; set BACKSTOP_S3_BUCKET or \
                 BACKSTOP_FIREHOSE_STREAM",
            ),
            Self::BucketMissing { bucket } => {
                write!(
                    formatter,
                    "there is no bucket {bucket}: create it, or correct BACKSTOP_S3_BUCKET"
                )
            }
            Self::BucketElsewhere { bucket, region } => {
                write!(
                    formatter,
                    "bucket {bucket} is in {region}: set BACKSTOP_S3_REGION={region}, or use another one"
                )
            }
            Self::AliasesKeep { aliases } => {
                let (names, keep) = match &aliases[..] {
                    [one] => (format!("alias {one}"), "keeps"),
                    all => (format!("aliases {}", all.join(", ")), "keep"),
                };
                write!(
                    formatter,
                    "traffic goes through {names}, which {keep} the version there is; --move-alias moves one"
                )
            }
            Self::AliasesUnread { reason } => {
                write!(
                    formatter,
                    "whether aliases keep what they have is not known: {reason}"
                )
            }
            Self::RoleMayNot { permissions } => {
                let permissions: Vec<String> = (permissions.iter())
                    .map(|it| format!("{} on {}", it.action, it.resource))
                    .collect();
                write!(
                    formatter,
                    "its role may not {}, unless the resource's own policy allows it; --grant grants it",
                    permissions.join(" and ")
                )
            }
            Self::RoleUnread { reason } => {
                write!(
                    formatter,
                    "whether its role may write to the fallback is not known: {reason}"
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
    survey: &Survey<'_>,
) -> Vec<Trap> {
    if !wanted.layers.iter().any(|arn| is_ours(arn)) {
        return Vec::new();
    }
    let settings = settings(&wanted.variables, function);
    let mut traps: Vec<Trap> = sinks(&settings).into_iter().collect();
    for fallback in &settings.fallbacks {
        if let Fallback::S3(archive) = fallback {
            traps.extend(survey.bucket(site, archive).await);
        }
    }
    if !extras.grant {
        traps.extend(role(site, function, &wanted.variables, survey).await);
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
    survey: &Survey<'_>,
) -> Option<Trap> {
    let mut lacking = Vec::new();
    for need in grants::needs(variables, &function.place, &site.partition) {
        match survey.may(site, function, &need).await {
            Ok(Decision::Allowed) => {}
            Ok(Decision::NotAllowed | Decision::Forbidden) => lacking.push(need),
            Err(reason) => return Some(Trap::RoleUnread { reason }),
        }
    }
    (!lacking.is_empty()).then_some(Trap::RoleMayNot {
        permissions: lacking,
    })
}

/// Aliases that go on with a published version when `$LATEST` is changed.
pub(super) async fn aliases(
    site: &Site,
    function: &Function,
    wish: &Wish,
    survey: &Survey<'_>,
) -> Option<Trap> {
    // An undoing puts back those that its run moved, and the others never had anything of it.
    if matches!(wish, Wish::Undo { .. }) || !survey.may_have_aliases(function) {
        return None;
    }
    let moved = wish.extras().move_alias;
    let found = match survey.first_denial() {
        Some(reason) => Err(reason),
        None => match select::aliases(site, &function.name).await {
            Ok(aliases) => Ok(aliases),
            Err(failure) => {
                let reason = failure.reason();
                if failure.kind == Kind::Denied {
                    survey.deny(&reason);
                }
                Err(reason)
            }
        },
    };
    let aliases = match found {
        Ok(aliases) => aliases,
        Err(reason) => return Some(Trap::AliasesUnread { reason }),
    };
    let keeps = |alias: &&select::Alias| {
        Some(&alias.name) != moved.as_ref() && alias.versions.iter().any(|it| it != LATEST)
    };
    let aliases: Vec<String> = (aliases.iter().filter(keeps))
        .map(|alias| alias.name.clone())
        .collect();
    (!aliases.is_empty()).then_some(Trap::AliasesKeep { aliases })
}
