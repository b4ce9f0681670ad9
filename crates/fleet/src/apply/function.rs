//! Changes one function: read, merge, write the journal, update, wait.

use std::time::Duration;

use aws_sdk_lambda::operation::update_function_configuration::{
    UpdateFunctionConfigurationError, UpdateFunctionConfigurationOutput,
};
use aws_sdk_lambda::types::{Environment as SdkEnvironment, LastUpdateStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Context;
use crate::aws::{Failure, Kind};
use crate::change::{Change, Config, Conflict, Wanted, violation};
use crate::fleet::Site;
use crate::journal::Step;
use crate::plan::{Extras, Planned, Reason, joined};
use crate::select::{Environment, Function};
use crate::settings::is_secret;

/// The pause between two looks at an update: most are done within a second or two.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(500);
pub(super) const LAST_LOOK: Duration = Duration::from_secs(5);

/// What became of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was changed.
    Done {
        /// It had changed since it was planned.
        merged: bool,
        /// What could not be put back, because others changed it.
        conflicts: Option<String>,
        /// A Backstop layer that was attached after the plan and was replaced.
        replaced: Vec<String>,
    },
    /// It was as it should be.
    Already,
    /// It was not changed, or its update failed: it may go well another time.
    Left(Cause),
    /// It was not changed, and will not be however often the same is tried.
    Refused(String),
    /// It was changed before the run was taken up again.
    DoneBefore,
    /// The run was interrupted before its turn, or before another attempt.
    NotBegun,
}

/// What stood in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) reason: String,
    /// Whether it was not tried, as others were refused alike.
    pub(super) is_untried: bool,
    /// Whether the caller has to sign in again.
    pub(super) is_signed_out: bool,
}

impl From<String> for Cause {
    fn from(reason: String) -> Self {
        Self {
            reason,
            is_untried: false,
            is_signed_out: false,
        }
    }
}

impl From<&Failure> for Cause {
    fn from(failure: &Failure) -> Self {
        Self {
            reason: failure.to_string(),
            is_untried: failure.is_untried(),
            is_signed_out: failure.kind == Kind::Credentials,
        }
    }
}

/// How the attempts at one function went so far.
struct Attempts {
    /// Nothing more is tried after it.
    deadline: Instant,
    failures: u32,
    may_be_done: bool,
}

/// What became of one of them.
enum Attempt {
    Ended(Outcome),
    /// Lambda took the update.
    Updated(Update),
    /// Another attempt may go well.
    Failed,
}

/// An update that Lambda took.
struct Update {
    is_in_progress: bool,
    /// Whether the function had changed since it was planned.
    merged: bool,
    /// What could not be put back, because others changed it.
    conflicts: Option<String>,
    /// A Backstop layer that was attached after the plan and was replaced.
    replaced: Vec<String>,
}

/// One function's work.
pub(super) struct Work<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) planned: &'a Planned,
    pub(super) extras: &'a Extras,
    /// Whether to start nothing new.
    pub(super) stop: watch::Receiver<bool>,
}

impl Work<'_> {
    /// To its end; an error is one of the journal, without which nothing is done.
    pub(super) async fn run(&self) -> anyhow::Result<Outcome> {
        let site = match self.context.fleet.site(&self.planned.place) {
            Ok(site) => site,
            Err(failure) => return Ok(Outcome::Left(Cause::from(&failure))),
        };
        let Some(change) = &self.planned.change else {
            return Ok(Outcome::Already);
        };
        let what = format!("changing function {} in {}", self.planned.name, site.place);
        // A write of an earlier attempt, or of the run that was interrupted, may have been made.
        let earlier = self.context.progress.get(&self.planned.arn);
        let mut attempts = Attempts {
            deadline: Instant::now() + self.context.options.wait,
            failures: 0,
            may_be_done: earlier.is_some_and(|state| state.step.is_some()),
        };
        loop {
            // What is read is as fresh as can be when it is written.
            let mut interrupt = self.stop.clone();
            let turn = tokio::select! {
                biased;
                Ok(_) = interrupt.wait_for(|it| *it) => return Ok(Outcome::NotBegun),
                turn = site.lambda.turn_to_write::<UpdateFunctionConfigurationError>(&what) => turn,
            };
            if let Err(failure) = turn {
                return self.leave(attempts.may_be_done, &failure).await;
            }
            // In boxes: thousands are under way, and most of them wait for their turn, or for their update's
            // end, which needs none of what was read.
            match Box::pin(self.attempt(site, &what, change, &mut attempts)).await? {
                Attempt::Ended(outcome) => return Ok(outcome),
                Attempt::Updated(update) => return Box::pin(self.finish(site, update)).await,
                // Read again, merge again.
                Attempt::Failed => site.lambda.back_off(attempts.failures).await,
            }
        }
    }

    /// Reads, merges and writes.
    async fn attempt(
        &self,
        site: &Site,
        what: &str,
        change: &Change,
        attempts: &mut Attempts,
    ) -> anyhow::Result<Attempt> {
        let may_be_done = attempts.may_be_done;
        let function = match self.settled(site, attempts.deadline).await {
            Ok(function) => function,
            Err(cause) => return self.leave(may_be_done, cause).await.map(Attempt::Ended),
        };
        let live = match &function.environment {
            Environment::Readable(variables) => Config {
                layers: function.layers.clone(),
                variables: variables.clone(),
            },
            Environment::Unreadable(reason) => {
                return self
                    .leave(may_be_done, reason.clone())
                    .await
                    .map(Attempt::Ended);
            }
        };
        let wanted = change.redo_on(&live, self.context.vault);
        if wanted.conflicts.iter().any(Conflict::is_whole) {
            // Another change came first: this one no longer applies.
            let reason = joined(&wanted.conflicts);
            return self.refuse(may_be_done, reason).await.map(Attempt::Ended);
        }
        if wanted.config == live {
            let outcome = self.nothing_left(may_be_done, &function, wanted).await;
            return outcome.map(Attempt::Ended);
        }
        if let Some(violation) = violation(&live, &wanted.config, &function.revision) {
            let reason = format!(
                "the function has changed since, and the change would now exceed a limit: \
                 {violation}"
            );
            return self.refuse(may_be_done, reason).await.map(Attempt::Ended);
        }
        // The turn and the look took a while: what is not begun by now is not begun.
        if *self.stop.borrow() {
            return Ok(Attempt::Ended(Outcome::NotBegun));
        }
        let step = Step::Function {
            arn: self.planned.arn.clone(),
            change: Change::between(
                &live,
                &wanted.config,
                self.context.history.get(&self.planned.arn),
                is_secret,
            ),
        };
        self.context.journal.begin(step).await?;
        let updated = self.update(site, what, &function, &live, &wanted.config);
        match updated.await {
            Ok(answer) => Ok(Attempt::Updated(Update {
                is_in_progress: answer.last_update_status() == Some(&LastUpdateStatus::InProgress),
                merged: function.revision != self.planned.revision,
                conflicts: conflicts(&wanted),
                replaced: wanted.replaced,
            })),
            Err(failure) => self.fail_attempt(&failure, attempts).await,
        }
    }

    /// What a failed update comes to.
    async fn fail_attempt(
        &self,
        failure: &Failure,
        attempts: &mut Attempts,
    ) -> anyhow::Result<Attempt> {
        attempts.failures += 1;
        if failure.kind.may_be_done() {
            attempts.may_be_done = true;
        } else {
            self.not_done(failure).await?;
        }
        let may_be_done = attempts.may_be_done;
        let is_passing =
            failure.kind.may_be_done() || matches!(failure.kind, Kind::Conflict | Kind::Stale);
        if matches!(failure.kind, Kind::Invalid | Kind::NotFound) {
            return self
                .refuse(may_be_done, failure.to_string())
                .await
                .map(Attempt::Ended);
        }
        if names_a_layer(failure) {
            let reason = format!("{}: {}", Reason::LayerUnavailable, failure.brief());
            return self.refuse(may_be_done, reason).await.map(Attempt::Ended);
        }
        if !is_passing || Instant::now() >= attempts.deadline {
            return self.leave(may_be_done, failure).await.map(Attempt::Ended);
        }
        Ok(Attempt::Failed)
    }

    /// The function, once no update of it is in progress.
    pub(super) async fn settled(&self, site: &Site, deadline: Instant) -> Result<Function, Cause> {
        let mut pause = FIRST_LOOK;
        loop {
            let function = (Function::get(site, &self.planned.name).await)
                .map_err(|failure| Cause::from(&failure))?;
            if function.is_settled() {
                return Ok(function);
            }
            if Instant::now() >= deadline {
                let reason = "the function's current update did not finish in time: wait for the \
                    deployment, or raise --wait";
                return Err(Cause::from(reason.to_owned()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }

    /// Only what changes is sent.
    async fn update(
        &self,
        site: &Site,
        what: &str,
        function: &Function,
        live: &Config,
        wanted: &Config,
    ) -> Result<UpdateFunctionConfigurationOutput, Failure> {
        let lambda = &site.lambda;
        let layers = (wanted.layers != live.layers).then(|| wanted.layers.clone());
        let environment = (wanted.variables != live.variables).then(|| {
            let variables = wanted.variables.clone().into_iter().collect();
            SdkEnvironment::builder()
                .set_variables(Some(variables))
                .build()
        });
        let revision = Some(function.revision.clone()).filter(|it| !it.is_empty());
        lambda
            .write_in_turn(what, || {
                (lambda.client().update_function_configuration())
                    .function_name(&function.name)
                    .set_layers(layers.clone())
                    .set_environment(environment.clone())
                    .set_revision_id(revision.clone())
                    .send()
            })
            .await
    }

    /// Waits for the update's end.
    async fn finish(&self, site: &Site, update: Update) -> anyhow::Result<Outcome> {
        let key = &self.planned.arn;
        // The change is made; an update that never ends is reported, and not repeated.
        let deadline = Instant::now() + self.context.options.wait;
        if update.is_in_progress {
            tokio::time::sleep(FIRST_LOOK).await;
            let ended = match self.settled(site, deadline).await {
                Ok(function) => failed_update(&function).map(Cause::from),
                Err(cause) => Some(cause),
            };
            if let Some(cause) = ended {
                return self.fail(cause).await;
            }
        }
        self.context.journal.done(key).await?;
        Ok(Outcome::Done {
            merged: update.merged,
            conflicts: update.conflicts,
            replaced: update.replaced,
        })
    }

    async fn nothing_left(
        &self,
        may_be_done: bool,
        function: &Function,
        wanted: Wanted,
    ) -> anyhow::Result<Outcome> {
        if let Some(reason) = failed_update(function) {
            return self.leave(may_be_done, reason).await;
        }
        if may_be_done {
            self.context.journal.done(&self.planned.arn).await?;
            return Ok(Outcome::Done {
                merged: false,
                conflicts: conflicts(&wanted),
                replaced: Vec::new(),
            });
        }
        Ok(conflicts(&wanted).map_or(Outcome::Already, Outcome::Refused))
    }

    async fn not_done(&self, failure: &Failure) -> anyhow::Result<()> {
        let key = &self.planned.arn;
        self.context.journal.not_done(key, &failure.brief()).await
    }

    async fn leave(&self, may_be_done: bool, cause: impl Into<Cause>) -> anyhow::Result<Outcome> {
        let cause = cause.into();
        if may_be_done {
            return self.fail(cause).await;
        }
        Ok(Outcome::Left(cause))
    }

    /// What is tried again comes to the same.
    async fn refuse(&self, may_be_done: bool, reason: String) -> anyhow::Result<Outcome> {
        Ok(match self.leave(may_be_done, reason).await? {
            Outcome::Left(cause) => Outcome::Refused(cause.reason),
            outcome => outcome,
        })
    }

    async fn fail(&self, cause: Cause) -> anyhow::Result<Outcome> {
        self.context
            .journal
            .failed(&self.planned.arn, &cause.reason)
            .await?;
        Ok(Outcome::Left(cause))
    }
}

/// Whether Lambda refuses a layer of the list: one that is not there and one that is not shared look alike.
fn names_a_layer(failure: &Failure) -> bool {
    failure.kind == Kind::Denied && failure.reason().contains("lambda:GetLayerVersion")
}

/// Lambda keeps the old configuration in use when an update fails, and shows the new one.
fn failed_update(function: &Function) -> Option<String> {
    let live = function.live.as_ref()?;
    (live.last_update == LastUpdateStatus::Failed).then(|| {
        let reason = live.reason.as_deref().unwrap_or("Lambda gave no reason");
        format!("the update failed: {reason}")
    })
}

fn conflicts(wanted: &Wanted) -> Option<String> {
    (!wanted.conflicts.is_empty()).then(|| joined(&wanted.conflicts))
}
