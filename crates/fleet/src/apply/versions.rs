//! Publishes a version of a changed function.
//!
//! Invariant: it is published of what this run left there and of no one else's work: pinned to the revision
//! and to the code that were read.

use std::time::Duration;

use aws_sdk_lambda::operation::publish_version::PublishVersionError;
use aws_sdk_lambda::types::State;
use tokio::time::Instant;

use super::aliases::{Aliased, Goal};
use super::function::{Cause, FIRST_LOOK, LAST_LOOK, Outcome, Work};
use crate::aws::{Failure, Kind};
use crate::change::{Config, Conflict, is_ours};
use crate::fleet::Site;
use crate::journal::Step;
use crate::plan::{AliasBack, Reason};
use crate::select::{Environment, Function};

/// A version that starts from a snapshot takes minutes to be made.
const VERSION_WAIT: Duration = Duration::from_mins(15);

/// The result for a function's version and alias.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PublishOutcome {
    /// The version that was published, or that was there already.
    pub(super) version: Option<String>,
    /// The alias that leads somewhere else now.
    pub(super) alias: Option<String>,
    /// Why an alias stays where it is.
    pub(super) alias_left: Option<String>,
    pub(super) left: Option<Cause>,
}

impl Work<'_> {
    /// Publishes a version of what the function is now, and moves the alias where that was asked for.
    pub(super) async fn publish(&self) -> anyhow::Result<PublishOutcome> {
        let mut publishing = PublishOutcome::default();
        let site = match self.context.fleet.site(&self.planned.place) {
            Ok(site) => site,
            Err(failure) => return Ok(publishing.left(&failure)),
        };
        let key = version_key(&self.planned.arn);
        let before = self.context.progress.get(&key);
        let version = match before.and_then(|state| state.version.clone()) {
            Some(version) => version,
            None => match self.new_version(site, &key).await? {
                Ok(version) => version,
                Err(cause) => return Ok(publishing.left(cause)),
            },
        };
        publishing.version = Some(version.clone());
        if let Err(cause) = self.active(site, &version).await {
            return Ok(publishing.left(cause));
        }
        let Some(alias) = &self.extras.move_alias else {
            return Ok(publishing);
        };
        let aliased = self.move_alias(site, alias, &Goal::To(&version)).await?;
        Ok(publishing.with(alias, aliased))
    }

    /// Has an alias lead to where it did before.
    pub(super) async fn put_back(&self, back: &AliasBack) -> anyhow::Result<PublishOutcome> {
        let publishing = PublishOutcome::default();
        let site = match self.context.fleet.site(&self.planned.place) {
            Ok(site) => site,
            Err(failure) => return Ok(publishing.left(&failure)),
        };
        let goal = Goal::Back {
            ours: &back.ours,
            before: &back.before,
        };
        let aliased = self.move_alias(site, &back.alias, &goal).await?;
        Ok(publishing.with(&back.alias, aliased))
    }

    /// The outer error is one of the journal.
    async fn new_version(&self, site: &Site, key: &str) -> anyhow::Result<Result<String, Cause>> {
        let (journal, name) = (self.context.journal, &self.planned.name);
        let deadline = Instant::now() + self.context.options.wait;
        let earlier = self.context.progress.get(key);
        let mut may_be_done = earlier.is_some_and(|state| state.step.is_some());
        let mut code: Option<String> = None;
        let mut failures = 0;
        loop {
            let may = site
                .lambda
                .may::<PublishVersionError>(&publishing(site, name));
            let settled = match may {
                Ok(()) => self.settled(site, deadline).await,
                Err(failure) => Err(Cause::from(&failure)),
            };
            let function = match settled {
                Ok(function) if !self.is_as_changed(&function) => {
                    let reason = "the function changed again since: no version was published";
                    Err(Cause::from(reason.to_owned()))
                }
                Ok(function) if code.as_ref().is_some_and(|it| *it != function.code_sha256) => {
                    let reason = "the function's code was deployed in the meantime: no version was \
                        published";
                    Err(Cause::from(reason.to_owned()))
                }
                settled => settled,
            };
            let function = match function {
                Ok(function) => function,
                Err(cause) if may_be_done => {
                    journal.failed(key, &cause.reason).await?;
                    return Ok(Err(cause));
                }
                Err(cause) => return Ok(Err(cause)),
            };
            code = Some(function.code_sha256.clone());
            let arn = self.planned.arn.clone();
            journal.begin(Step::Version { arn }).await?;
            // Where nothing has changed since the last version, that one is the answer: what may have been
            // done is not done twice.
            let failure = match publish_version(site, &function).await {
                Ok(version) => {
                    journal.published(key, &version).await?;
                    return Ok(Ok(version));
                }
                Err(failure) => failure,
            };
            failures += 1;
            if failure.kind.may_be_done() {
                may_be_done = true;
            } else {
                journal.not_done(key, &failure.brief()).await?;
            }
            if !is_passing(&failure) || Instant::now() >= deadline {
                if may_be_done {
                    journal.failed(key, &failure.brief()).await?;
                }
                return Ok(Err(Cause::from(&failure)));
            }
            site.lambda.back_off(failures).await;
        }
    }

    /// Whether the function is what this run was to make of it.
    fn is_as_changed(&self, function: &Function) -> bool {
        let Environment::Readable(variables) = &function.environment else {
            return false;
        };
        let live = Config {
            layers: function.layers.clone(),
            variables: variables.clone(),
        };
        let Some(change) = &self.planned.change else {
            // It was as it should be when it was planned: with the extension, or without it.
            let is_there = live.layers.iter().any(|arn| is_ours(arn));
            return is_there != (self.planned.reason == Reason::Absent);
        };
        let wanted = change.redo_on(&live, self.context.vault);
        wanted.config == live && !wanted.conflicts.iter().any(Conflict::is_whole)
    }

    /// Waits until the version can be invoked.
    async fn active(&self, site: &Site, version: &str) -> Result<(), Cause> {
        let deadline = Instant::now() + self.context.options.wait.max(VERSION_WAIT);
        let mut pause = FIRST_LOOK;
        loop {
            let published = Function::get_version(site, &self.planned.name, version).await;
            let published = published.map_err(|failure| Cause::from(&failure))?;
            if published.is_settled() {
                return match published.live.filter(|live| live.state == State::Failed) {
                    Some(live) => Err(Cause::from(format!(
                        "Lambda could not create version {version}: {}",
                        live.reason.as_deref().unwrap_or("Lambda gave no reason")
                    ))),
                    None => Ok(()),
                };
            }
            if Instant::now() >= deadline {
                return Err(format!("version {version} is not ready yet").into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }
}

impl PublishOutcome {
    fn left(mut self, cause: impl Into<Cause>) -> Self {
        self.left = Some(cause.into());
        self
    }

    fn with(mut self, alias: &str, aliased: Aliased) -> Self {
        match aliased {
            Aliased::Absent | Aliased::There => {}
            Aliased::Moved => self.alias = Some(alias.to_owned()),
            Aliased::Stays(reason) => self.alias_left = Some(reason),
            Aliased::Left(cause) => self.left = Some(cause),
        }
        self
    }

    /// Whether a function with this outcome is to have a version.
    pub(super) fn follows(outcome: &Outcome) -> bool {
        matches!(
            outcome,
            Outcome::Done { .. } | Outcome::Already | Outcome::DoneBefore
        )
    }
}

/// What names the publishing of a version among the steps of a run.
pub(super) fn version_key(arn: &str) -> String {
    Step::version_key(arn)
}

/// Whether it may go well the next time.
pub(super) fn is_passing(failure: &Failure) -> bool {
    failure.kind.may_be_done() || matches!(failure.kind, Kind::Conflict | Kind::Stale)
}

fn publishing(site: &Site, name: &str) -> String {
    format!("publishing function {name} in {}", site.place)
}

async fn publish_version(site: &Site, function: &Function) -> Result<String, Failure> {
    let lambda = &site.lambda;
    let what = publishing(site, &function.name);
    let some = |text: &String| Some(text.clone()).filter(|it| !it.is_empty());
    let (revision, code) = (some(&function.revision), some(&function.code_sha256));
    let answer = lambda
        .write(&what, || {
            (lambda.client().publish_version())
                .function_name(&function.name)
                .set_revision_id(revision.clone())
                .set_code_sha256(code.clone())
                .send()
        })
        .await?;
    let version = answer.version().map(str::to_owned);
    version.ok_or_else(|| {
        Failure::new(
            &what,
            "Lambda's answer has no version number",
            Kind::Unavailable,
        )
    })
}
