//! Decides the verdict for one function.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_lambda::types::{LastUpdateStatus, State};

use super::facts::{Choice, PlaceFacts, Release};
use super::{Action, Extras, Planned, Reason, Verdict, owner, trap};
use crate::aws::Failure;
use crate::change::{
    Attach, Change, Config, Conflict, Detach, MOST_UNZIPPED_BYTES, Vault, Violation, Wanted,
    is_ours, violation,
};
use crate::fleet::Site;
use crate::grants;
use crate::select::{self, Environment, FullConfiguration, Function, LATEST, Tags};
use crate::settings::is_secret;

/// What is wanted of the functions.
#[derive(Debug)]
pub enum Intent {
    /// To have the layer and the settings.
    Attach {
        /// The layer versions to choose from.
        choice: Choice,
        /// Variables of the extension.
        variables: BTreeMap<String, String>,
        /// Variables to replace even if someone else set them.
        overwrite: BTreeSet<String>,
        /// What our own changes did so far, by function.
        history: BTreeMap<String, Change>,
        /// What is usually refused and is allowed here.
        allowed: Allowed,
        /// Versions, aliases and grants.
        extras: Extras,
    },
    /// To have neither.
    Detach {
        /// What our own changes did so far, by function.
        history: BTreeMap<String, Change>,
        /// Secrets that were there before.
        vault: Vault,
        /// What is usually refused and is allowed here.
        allowed: Allowed,
        /// Versions, aliases and grants.
        extras: Extras,
    },
    /// To have what was there before a run.
    Undo {
        run: String,
        /// What it did, by function.
        changes: BTreeMap<String, Change>,
        /// Secrets that were there before.
        vault: Vault,
    },
}

/// What is usually refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Functions that a tool manages which would revert the change.
    pub managed: bool,
    /// Functions in state Inactive.
    pub inactive: bool,
    /// Functions with another vendor's extension.
    pub beside_others: bool,
}

impl Intent {
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Attach { .. } => Action::Attach,
            Self::Detach { .. } => Action::Detach,
            Self::Undo { run, .. } => Action::Undo { run: run.clone() },
        }
    }

    pub(super) fn extras(&self) -> Extras {
        match self {
            Self::Attach { extras, .. } | Self::Detach { extras, .. } => extras.clone(),
            Self::Undo { .. } => Extras::default(),
        }
    }

    /// The secrets that it puts back.
    pub fn into_vault(self) -> Vault {
        match self {
            Self::Detach { vault, .. } | Self::Undo { vault, .. } => vault,
            Self::Attach { .. } => Vault::default(),
        }
    }

    fn allowed(&self) -> Allowed {
        match self {
            Self::Attach { allowed, .. } | Self::Detach { allowed, .. } => *allowed,
            Self::Undo { .. } => Allowed::default(),
        }
    }
}

/// A function that is not changed, and why.
struct Exclusion(Reason, Option<String>);

impl Exclusion {
    fn detail(reason: Reason, detail: impl Into<String>) -> Self {
        Self(reason, Some(detail.into()))
    }
}

impl From<Reason> for Exclusion {
    fn from(reason: Reason) -> Self {
        Self(reason, None)
    }
}

/// A function that was found, as far as it is kept until its turn comes.
#[derive(Debug)]
pub(super) enum Listed {
    /// It has to be read.
    Name(String),
    /// All that is needed is known.
    Known(Box<Function>),
}

impl Listed {
    pub(super) fn of(function: Function) -> Self {
        let is_known = function.is_replica || function.is_image || function.live.is_some();
        if is_known {
            Self::Known(Box::new(function))
        } else {
            Self::Name(function.name)
        }
    }

    /// The whole function; its place in the plan where there is nothing to decide.
    pub(super) async fn read(self, site: &Site) -> Result<Function, Planned> {
        let function = match self {
            Self::Known(function) => *function,
            Self::Name(name) => {
                let read = Function::get(site, &name).await;
                return read.map_err(|failure| Planned::unreadable(site, &name, &failure.brief()));
            }
        };
        if function.is_replica {
            let reason = Reason::EdgeReplica;
            return Err(Planned::without_change(&function, reason, None));
        }
        if function.is_image {
            return Err(Planned::without_change(&function, Reason::Image, None));
        }
        Ok(function)
    }
}

pub(super) async fn decide(
    site: &Site,
    function: &Function,
    intent: &Intent,
    facts: &PlaceFacts<'_>,
) -> Planned {
    match look(site, function, intent, facts).await {
        Ok(mut planned) => {
            // A plan has many.
            planned.traps.shrink_to_fit();
            planned.notes.shrink_to_fit();
            planned
        }
        Err(Exclusion(reason, detail)) => Planned::without_change(function, reason, detail),
    }
}

async fn look(
    site: &Site,
    function: &Function,
    intent: &Intent,
    facts: &PlaceFacts<'_>,
) -> Result<Planned, Exclusion> {
    let live = match &function.environment {
        Environment::Readable(variables) => Config {
            layers: function.layers.clone(),
            variables: variables.clone(),
        },
        Environment::Unreadable(reason) => {
            return Err(Exclusion::detail(Reason::EnvUnreadable, reason));
        }
    };
    let (wanted, release) = match intent {
        Intent::Attach {
            variables,
            overwrite,
            history,
            ..
        } => {
            let release = release(function, facts)?;
            let attach = Attach {
                layer: release.arn.clone(),
                variables: variables.clone(),
                base: (history.get(&function.arn))
                    .map(|change| change.after.variables.clone())
                    .unwrap_or_default(),
                overwrite: overwrite.clone(),
            };
            (attach.on(&live), Some(release))
        }
        Intent::Detach { history, vault, .. } => {
            let detach = Detach {
                history: history.get(&function.arn),
                vault,
            };
            (detach.on(&live), None)
        }
        Intent::Undo { changes, vault, .. } => {
            let change = changes.get(&function.arn).ok_or(Reason::Absent)?;
            (change.undo_on(&live, vault), None)
        }
    };
    let change = Change::between(&live, &wanted.config, None, is_secret);
    if change.is_empty() {
        return unchanged(site, function, intent, facts, wanted).await;
    }
    may_be_changed(function, intent)?;
    fits(function, &live, &wanted.config)?;
    let mut notes = Vec::new();
    if wanted.config.layers != live.layers {
        // The whole list is sent, and Lambda looks at each of them.
        let problem = facts.unusable(site, &wanted.config.layers).await;
        if let Some(problem) = problem {
            return Err(Exclusion::detail(Reason::LayerUnavailable, problem));
        }
        notes.extend(facts.unread(site, &wanted.config.layers).await);
    }
    if let Some(release) = release {
        suits(function, intent, facts, release)?;
        let others = facts.unzipped(site, function).await;
        match others.zip(release.unzipped) {
            Some((others, ours)) if others + ours > MOST_UNZIPPED_BYTES => {
                let detail = format!(
                    "{} bytes unpacked; Lambda allows {MOST_UNZIPPED_BYTES}",
                    others + ours
                );
                return Err(Exclusion::detail(Reason::SizeOver250Mb, detail));
            }
            Some(_) => {}
            None => notes.push("cannot read its unpacked size".to_owned()),
        }
    }
    if function.is_snap_start && !intent.extras().publish_version {
        notes.push(
            "SnapStart: the published versions do not change; publish one with --publish-version"
                .to_owned(),
        );
    }
    let is_there = live.layers.iter().any(|arn| is_ours(arn));
    let reason = if matches!(intent, Intent::Attach { .. }) && is_there {
        Reason::Outdated
    } else {
        Reason::Ok
    };
    let aliases = trap::aliases(site, function, intent, true, facts).await;
    let mut planned = with_extras(site, function, intent, facts, wanted, reason).await;
    planned.verdict = Verdict::Change;
    planned.change = Some(change.sealed(is_secret));
    planned.notes = notes;
    planned.traps.extend(aliases);
    Ok(planned)
}

/// A function whose layers and variables stay: versions, aliases and grants still apply.
async fn unchanged(
    site: &Site,
    function: &Function,
    intent: &Intent,
    facts: &PlaceFacts<'_>,
    wanted: Wanted,
) -> Result<Planned, Exclusion> {
    let reason = match intent {
        _ if !wanted.conflicts.is_empty() => Reason::ChangedSince,
        Intent::Attach { .. } => Reason::Already,
        Intent::Detach { .. } | Intent::Undo { .. } => Reason::Absent,
    };
    let mut planned = with_extras(site, function, intent, facts, wanted, reason).await;
    if reason == Reason::ChangedSince {
        planned.detail = Some(joined(&planned.conflicts));
        return Ok(planned);
    }
    planned
        .traps
        .extend(trap::aliases(site, function, intent, false, facts).await);
    let extras = intent.extras();
    if extras.publish_version {
        may_be_changed(function, intent)?;
        match is_published(site, function, &extras).await {
            Ok(true) => {}
            Ok(false) => planned.verdict = Verdict::Change,
            Err(failure) => return Err(Exclusion::detail(Reason::Unreadable, failure.brief())),
        }
    }
    Ok(planned)
}

/// What is known of a function whether or not it is changed.
async fn with_extras(
    site: &Site,
    function: &Function,
    intent: &Intent,
    facts: &PlaceFacts<'_>,
    wanted: Wanted,
    reason: Reason,
) -> Planned {
    let extras = intent.extras();
    let traps = trap::of(site, function, &wanted.config, &extras, facts).await;
    let mut needs = BTreeSet::new();
    if extras.grant {
        needs = grants::needs(&wanted.config.variables, &function.place, &site.partition);
    }
    Planned {
        needs,
        kept: wanted.kept,
        conflicts: wanted.conflicts,
        traps,
        ..Planned::without_change(function, reason, None)
    }
}

/// Whether what was asked for is published already: the alias that is to be moved, or where the function
/// has none the newest version, has the extension and the settings that `$LATEST` has. Where nothing was
/// ever published, that is so without the extension.
async fn is_published(site: &Site, function: &Function, extras: &Extras) -> Result<bool, Failure> {
    let name = &function.name;
    let latest = FullConfiguration::of(site, name, LATEST).await?;
    if let Some(alias) = &extras.move_alias
        && let Some(alias) = select::alias(site, name, alias).await?
    {
        let there = FullConfiguration::of(site, name, alias.version()).await?;
        return Ok(alias.divided().is_none() && there.has_same_extension(&latest));
    }
    Ok(match FullConfiguration::newest(site, name).await? {
        Some(newest) => newest.has_same_extension(&latest),
        None => !latest.has_layer(),
    })
}

/// As one line.
pub fn joined(conflicts: &[Conflict]) -> String {
    let joined: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
    joined.join("; ")
}

/// The layer version for the function's architecture.
fn release<'a>(function: &Function, facts: &'a PlaceFacts<'_>) -> Result<&'a Release, Exclusion> {
    facts.release(&function.architecture).ok_or_else(|| {
        if facts.problems.is_empty() {
            let detail = format!(
                "no layer for {} in {}",
                function.architecture, function.place
            );
            Exclusion::detail(Reason::ArchUnsupported, detail)
        } else {
            Exclusion::detail(Reason::LayerUnavailable, facts.problems.join("; "))
        }
    })
}

/// Whether anybody else would mind.
fn may_be_changed(function: &Function, intent: &Intent) -> Result<(), Exclusion> {
    let allowed = intent.allowed();
    let live = match (&function.live, intent) {
        // Undo may change any function; it waits for an update in progress.
        (_, Intent::Undo { .. }) | (None, _) => return Ok(()),
        (Some(live), _) => live,
    };
    if !allowed.managed {
        match &live.tags {
            Tags::Readable(tags) => {
                if let Some((reason, detail)) = owner::manager(tags) {
                    return Err(Exclusion::detail(reason, detail));
                }
            }
            // It may be anybody's.
            Tags::Unreadable(reason) => {
                return Err(Exclusion::detail(Reason::Unreadable, reason));
            }
        }
    }
    let because = || live.reason.clone();
    if !function.is_settled() {
        return Err(Exclusion(Reason::UpdateInProgress, because()));
    }
    match live.state {
        State::Inactive if !allowed.inactive => return Err(Reason::Inactive.into()),
        State::Failed => return Err(Exclusion(Reason::Failed, because())),
        _ => {}
    }
    if live.last_update == LastUpdateStatus::Failed {
        return Err(Exclusion(Reason::Failed, because()));
    }
    Ok(())
}

/// Whether the extension can run there.
fn suits(
    function: &Function,
    intent: &Intent,
    facts: &PlaceFacts<'_>,
    release: &Release,
) -> Result<(), Exclusion> {
    if let Some(runtime) = (function.runtime.as_deref()).filter(|it| owner::is_too_old(it)) {
        return Err(Exclusion::detail(Reason::RuntimeTooOld, runtime));
    }
    if facts.refuses_signature(function, release) {
        return Err(Reason::CodeSigningEnforced.into());
    }
    match owner::other_extension(&function.layers) {
        Some(vendor) if !intent.allowed().beside_others => {
            Err(Exclusion::detail(Reason::OtherTelemetryExtension, vendor))
        }
        _ => Ok(()),
    }
}

/// Lambda's limits on what is written.
fn fits(function: &Function, live: &Config, wanted: &Config) -> Result<(), Exclusion> {
    let Some(violation) = violation(live, wanted, &function.revision) else {
        return Ok(());
    };
    Err(broken(violation))
}

fn broken(violation: Violation) -> Exclusion {
    let reason = match violation {
        Violation::Layers(_) => Reason::LayersFull,
        Violation::Environment(_) => Reason::EnvTooBig,
        Violation::Request(_) => Reason::RequestTooBig,
    };
    Exclusion::detail(reason, violation.to_string())
}
