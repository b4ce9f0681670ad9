//! Moves an alias to a newly published version, and back.
//!
//! Invariants: it is moved to a version whose whole configuration is that of the one before but for the
//! extension, never while it divides invocations between two, and back only where it still leads to where it was
//! moved. Where Lambda itself divides them, while it moves provisioned concurrency, that is waited for.

use aws_sdk_lambda::operation::update_alias::UpdateAliasError;
use tokio::time::Instant;

use super::function::{Cause, FIRST_LOOK, LAST_LOOK, Work};
use super::versions::is_passing;
use crate::aws::Failure;
use crate::change::AliasState;
use crate::fleet::Site;
use crate::journal::Step;
use crate::select::{self, Alias, FullConfiguration, LATEST};

/// Where an alias is to lead.
pub(super) enum Goal<'a> {
    /// To a version that was published for it.
    To(&'a str),
    /// Back, if it leads to where it was moved.
    Back {
        ours: &'a AliasState,
        before: &'a AliasState,
    },
}

/// What became of an alias.
pub(super) enum Aliased {
    /// The function has none of this name.
    Absent,
    /// It leads there already.
    There,
    /// It does now.
    Moved,
    /// It has to stay where it is.
    Stays(String),
    /// It could not be moved.
    Left(Cause),
}

impl Work<'_> {
    /// To its end; an error is one of the journal.
    pub(super) async fn move_alias(
        &self,
        site: &Site,
        alias: &str,
        goal: &Goal<'_>,
    ) -> anyhow::Result<Aliased> {
        let (journal, name) = (self.context.journal, &self.planned.name);
        let key = alias_key(&self.planned.arn, alias);
        let deadline = Instant::now() + self.context.options.wait;
        let earlier = self.context.progress.get(&key);
        let mut may_be_done = earlier.is_some_and(|state| state.step.is_some());
        let (mut failures, mut pause, mut is_ready) = (0, FIRST_LOOK, false);
        loop {
            if let Err(failure) = site
                .lambda
                .may::<UpdateAliasError>(&moving(site, alias, name))
            {
                return Ok(Aliased::Left(Cause::from(&failure)));
            }
            let live = match select::alias(site, &self.planned.name, alias).await {
                Ok(Some(live)) => live,
                Ok(None) => {
                    return Ok(match goal {
                        Goal::To(_) => Aliased::Absent,
                        Goal::Back { .. } => Aliased::Stays(format!("alias {alias} was deleted")),
                    });
                }
                Err(failure) => return Ok(Aliased::Left(Cause::from(&failure))),
            };
            let target = goal.version();
            if matches!(goal, Goal::To(_)) && live.version() == LATEST {
                // It sees every change as it is made.
                return Ok(Aliased::There);
            }
            if live.version() == target && live.divided().is_none() {
                if !may_be_done {
                    return Ok(Aliased::There);
                }
                journal.done(&key).await?;
                return Ok(Aliased::Moved);
            }
            let moving = match live.divided() {
                Some(_) => self.is_provisioning(site, alias).await,
                None => None,
            };
            let is_moving = moving == Some(true);
            if is_moving && Instant::now() < deadline {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_LOOK);
                continue;
            }
            if moving == Some(false) && !is_ready {
                // It may have ended since the alias was read: another look shows that.
                is_ready = true;
                continue;
            }
            let stays = if is_moving {
                Some(format!(
                    "alias {alias} was left unchanged: Lambda is still moving its provisioned \
                     concurrency to another version"
                ))
            } else {
                self.stays(site, &live, goal).await
            };
            if let Some(reason) = stays {
                if may_be_done {
                    journal.failed(&key, &reason).await?;
                }
                return Ok(Aliased::Stays(reason));
            }
            let state = |version: &str| AliasState {
                version: version.to_owned(),
            };
            let step = Step::Alias {
                arn: self.planned.arn.clone(),
                alias: alias.to_owned(),
                before: state(live.version()),
                after: state(target),
            };
            journal.begin(step).await?;
            let Err(failure) = self.update_alias(site, alias, &live, target).await else {
                journal.done(&key).await?;
                return Ok(Aliased::Moved);
            };
            failures += 1;
            if failure.kind.may_be_done() {
                may_be_done = true;
            } else {
                journal.not_done(&key, &failure.brief()).await?;
            }
            if !is_passing(&failure) || Instant::now() >= deadline {
                if may_be_done {
                    journal.failed(&key, &failure.brief()).await?;
                }
                return Ok(Aliased::Left(Cause::from(&failure)));
            }
            site.lambda.back_off(failures).await;
        }
    }

    /// Whether Lambda is moving the alias's provisioned concurrency, for which it divides invocations for some
    /// minutes; none where there is none, or where that cannot be read: then it is a deployment that divides them.
    async fn is_provisioning(&self, site: &Site, alias: &str) -> Option<bool> {
        let provisioned = select::provisioned(site, &self.planned.name).await.ok()?;
        let ours = provisioned.iter().find(|it| it.qualifier == alias)?;
        Some(ours.is_under_way)
    }

    /// Why an alias has to stay where it is.
    async fn stays(&self, site: &Site, live: &Alias, goal: &Goal<'_>) -> Option<String> {
        let (name, from) = (&self.planned.name, live.version());
        if let Some(reason) = live.divided() {
            return Some(reason);
        }
        match goal {
            Goal::Back { ours, .. } => (from != ours.version).then(|| {
                format!(
                    "alias {} was moved to version {from} since, and was left there",
                    live.name
                )
            }),
            Goal::To(to) => {
                let both = futures_util::future::try_join(
                    FullConfiguration::of(site, name, from),
                    FullConfiguration::of(site, name, to),
                );
                let differences = match both.await {
                    Ok((from, to)) => from.unreleased(site, name, &to).await,
                    Err(failure) => Err(failure),
                };
                match differences {
                    Ok(differences) => live.unreleased(&differences),
                    Err(failure) => Some(failure.to_string()),
                }
            }
        }
    }

    async fn update_alias(
        &self,
        site: &Site,
        alias: &str,
        live: &Alias,
        version: &str,
    ) -> Result<(), Failure> {
        let lambda = &site.lambda;
        let name = &self.planned.name;
        let what = moving(site, alias, name);
        let send = || {
            (lambda.client().update_alias())
                .function_name(name)
                .name(alias)
                .function_version(version)
                .set_revision_id(live.revision.clone())
                .send()
        };
        lambda.write(&what, send).await.map(|_| ())
    }
}

impl Goal<'_> {
    fn version(&self) -> &str {
        match self {
            Self::To(version) => version,
            Self::Back { before, .. } => &before.version,
        }
    }
}

fn moving(site: &Site, alias: &str, name: &str) -> String {
    format!("moving alias {alias} of function {name} in {}", site.place)
}

/// What names the moving of an alias among the steps of a run.
pub(super) fn alias_key(arn: &str, alias: &str) -> String {
    Step::alias_key(arn, alias)
}
