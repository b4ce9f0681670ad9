//! What arrives before the transforms are known: no record leaves without them. Either they are in a parameter,
//! or a mistake leaves open what to redact.
//!
//! The parameter is asked for while an invocation is at hand, beside everything else. Until it is known, records
//! wait as they came, in memory only: a copy in `/tmp` would hold what is to be redacted. Then each is taken in,
//! in order, as if it had just arrived. After a mistake they wait until the end, and are dropped.
//!
//! Invariants: what waits is bounded, and each record is counted as received when it arrives; a parameter that
//! cannot be read holds `/next` once, and is asked for ever less often.

use std::time::Duration;

use backstop_config::ConfigError;
use backstop_delivery::{DropReason, NoSecret, Wall};
use backstop_sinks::otlp::Received;
use backstop_telemetry::Event;
use backstop_transform::Place;
use serde_json::json;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use self::queue::{Queue, Waiting};
use super::Pipeline;
use super::parameter::{Answer, Ask, Failure, Unknown};
use crate::diagnostics::Log;
use crate::lifecycle::api::Lifecycle;
use crate::lifecycle::flush::{FlushMode, HIGH_WATER};
use crate::transform::Derived;

mod queue;

/// After a failure the next try comes no sooner; after each further one in twice the time.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(64);
/// Records that wait for the transforms, and the question for them.
pub(super) struct Deferred {
    /// None where nobody can be asked.
    ask: Option<Ask>,
    asking: Option<Asking>,
    failures: u32,
    /// The last failure that was logged.
    said: Option<Failure>,
    /// No try before this time.
    not_before: Wall,
    /// The transforms are there: what waits is taken in, in turns.
    is_known: bool,
    queue: Queue,
}

/// A question under way; it ends with the pipeline.
struct Asking(JoinHandle<Answer>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Deferred {
    pub(super) fn new(unknown: Unknown) -> Self {
        Self {
            ask: match unknown {
                Unknown::Parameter(ask) => Some(ask),
                Unknown::Invalid => None,
            },
            asking: None,
            failures: 0,
            said: None,
            not_before: Wall::default(),
            is_known: false,
            queue: Queue::default(),
        }
    }

    fn ask(&mut self, now: Wall) {
        let Some(ask) = &self.ask else { return };
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(6));
        self.not_before = now + rest.min(LONGEST_REST);
        self.asking = Some(Asking(tokio::spawn(ask())));
    }

    /// How long until the next try, as far as time decides. Where the clock was set back, it is due.
    fn rest(&self, now: Wall) -> Duration {
        let rest = self.not_before.since(now);
        if rest > LONGEST_REST {
            return Duration::ZERO;
        }
        rest
    }
}

impl<L: Lifecycle> Pipeline<L> {
    /// Whether what arrives has to wait.
    pub(super) fn defers(&self) -> bool {
        self.deferred.is_some()
    }

    /// Records that wait for the transforms.
    pub(crate) fn deferred_records(&self) -> usize {
        self.deferred.as_ref().map_or(0, |it| it.queue.records())
    }

    pub(super) fn deferred_bytes(&self) -> usize {
        self.deferred.as_ref().map_or(0, |it| it.queue.bytes())
    }

    /// Whether what had to wait is being taken in.
    pub(super) fn is_taking_deferred(&self) -> bool {
        self.deferred.as_ref().is_some_and(|it| it.is_known)
    }

    /// Whether `/next` is worth holding for the answer: a parameter that could not be read is not waited for.
    pub(super) fn is_asking_first(&self) -> bool {
        let deferred = self.deferred.as_ref();
        deferred.is_some_and(|it| it.asking.is_some() && it.failures == 0)
    }

    pub(super) fn defer_event(&mut self, event: Event) {
        self.defer(Waiting::Event(event, false));
    }

    pub(super) fn defer_posted(&mut self, received: Received) {
        let current = (self.invocation.request_id.clone(), self.invocation.began());
        self.defer(Waiting::Posted { received, current });
    }

    pub(super) fn defer_derived(&mut self, derived: Derived) {
        self.defer(Waiting::Derived(derived));
    }

    /// Telemetry was lost: of which invocation the next lines are, nobody knows.
    pub(super) fn note_gap(&mut self) {
        if self.defers() {
            self.defer(Waiting::Gap);
        } else {
            self.enricher.invocations.lose();
        }
    }

    fn defer(&mut self, waiting: Waiting) {
        let now = self.clock.wall();
        if let Some(deferred) = &mut self.deferred {
            deferred.queue.push(waiting, now);
        }
    }

    /// Drops what there is no room for.
    pub(super) fn shed_deferred(&mut self) {
        let room = (self.buffer.max_bytes()).saturating_sub(self.buffer.held_bytes());
        let shed = self.deferred.as_mut().map_or(0, |it| it.queue.shed(room));
        if shed > 0 {
            let mut ledger = self.ledger.lock();
            ledger.drop_records(DropReason::BufferFull, shed as u64);
            drop(ledger);
            self.log.error(
                "Dropped records: the buffer is full, and none may leave before it is known what to redact",
                &json!({"records": shed, "bufferMaxBytes": self.buffer.max_bytes()}),
            );
        }
    }

    /// Another environment goes on from here, with connections of its own.
    pub(super) fn ask_anew(&mut self) {
        if let Some(deferred) = &mut self.deferred {
            deferred.asking = None;
            deferred.not_before = Wall::default();
        }
    }

    /// Asks for the parameter, where it is time to. By choice nothing is under way when Lambda freezes us, so
    /// that it begins while an invocation is at hand; but memory comes first.
    pub(super) fn ask_when_due(&mut self) {
        let now = self.clock.wall();
        if self.parameter_due_in(now) == Some(Duration::ZERO)
            && let Some(deferred) = &mut self.deferred
        {
            deferred.ask(now);
        }
    }

    /// How long until the parameter is to be asked for; `None` where something else has to happen first.
    pub(super) fn parameter_due_in(&self, now: Wall) -> Option<Duration> {
        let deferred = self.deferred.as_ref()?;
        if deferred.is_known || deferred.asking.is_some() || deferred.ask.is_none() {
            return None;
        }
        let rest = deferred.rest(now);
        if self.api.is_some() || deferred.queue.bytes() >= HIGH_WATER {
            return Some(rest);
        }
        let oldest = deferred.queue.oldest()?;
        let age = self.settings.interval.saturating_sub(now.since(oldest));
        (self.invocation.mode == FlushMode::Continuous).then(|| rest.max(age))
    }

    /// The answer to the question.
    pub(super) fn heard(&mut self, answer: Answer) {
        let Some(deferred) = &mut self.deferred else {
            return;
        };
        deferred.asking = None;
        match answer {
            Ok(late) => {
                deferred.is_known = true;
                let failures = deferred.failures;
                self.transforms = late.transforms;
                self.routes = late.routes;
                if !late.errors.is_empty() {
                    report_invalid(&self.log, &late.errors);
                }
                if failures > 0 {
                    let message =
                        "Read the parameter in BACKSTOP_CONFIG: records are sent from now on";
                    self.log.info(message, &json!({"failures": failures}));
                }
                self.receive();
            }
            Err(why) => {
                deferred.failures = deferred.failures.saturating_add(1);
                if why.is_another_than(deferred.said.as_ref()) {
                    report(&self.log, &why);
                    deferred.said = Some(why);
                }
            }
        }
    }

    /// Takes in what had to wait, as far as one turn goes; says how many bytes.
    pub(super) fn take_deferred(&mut self, most: usize) -> usize {
        if !self.is_taking_deferred() {
            return 0;
        }
        let mut taken = 0;
        while taken < most {
            let next = self.deferred.as_mut().and_then(|it| it.queue.pop());
            let Some(waiting) = next else {
                self.deferred = None;
                break;
            };
            taken += waiting.cost();
            match waiting {
                Waiting::Event(event, _) => {
                    self.treat_event(&event);
                    self.decide_invocations();
                }
                Waiting::Posted { received, current } => self.treat_posted(received, &current),
                Waiting::Derived(derived) => self.admit_derived(derived, Place::Keep),
                Waiting::Gap => self.enricher.invocations.lose(),
            }
            self.shed();
        }
        taken
    }

    /// At the end: half of the time is for the parameter. A question from before a freeze may be one that nobody
    /// answers, so that it is asked once more where that one fails.
    pub(super) async fn know_at_last(&mut self, ends: Instant) {
        let now = Instant::now();
        let half = now + ends.saturating_duration_since(now) / 2;
        let mut asks_again = self.is_asking_first();
        loop {
            self.receive();
            let wall = self.clock.wall();
            let unknown = |it: &&mut Deferred| !it.is_known && it.ask.is_some();
            let Some(deferred) = self.deferred.as_mut().filter(unknown) else {
                return;
            };
            if deferred.asking.is_none() {
                deferred.ask(wall);
            }
            tokio::select! {
                biased;
                answer = asked(&mut self.deferred) => {
                    let is_over = answer.is_ok() || !std::mem::take(&mut asks_again);
                    self.heard(answer);
                    // All of it before the sampling ends, which keeps what comes after.
                    while self.is_taking_deferred() {
                        self.receive();
                    }
                    if is_over {
                        return;
                    }
                }
                () = self.inbox.arrival() => yield_now().await,
                () = sleep_until(half) => return,
            }
        }
    }

    /// The books are closed, and what waits was not to leave.
    pub(super) fn lose_deferred(&mut self) {
        let lost = self.deferred.take().map_or(0, |it| it.queue.records()) as u64;
        if lost > 0 {
            self.ledger.lock().drop_records(DropReason::Shutdown, lost);
            self.log.error(
                "Lost records: the environment ends, and none may leave before it is known what to redact",
                &json!({"records": lost}),
            );
        }
    }
}

/// Waits for the answer; for ever where nothing was asked.
pub(super) async fn asked(deferred: &mut Option<Deferred>) -> Answer {
    let asking = deferred.as_mut().and_then(|it| it.asking.as_mut());
    match asking {
        Some(asking) => (&mut asking.0)
            .await
            .unwrap_or_else(|_| Err(NoSecret::passing("the question", "came to no end").into())),
        None => std::future::pending().await,
    }
}

/// Says why a parameter is not known.
fn report(log: &Log, why: &Failure) {
    match why {
        Failure::Unreadable(why) => {
            let details = json!({
                "detail": format!("{} {}", why.store, why.what),
                "status": why.status,
                "code": why.code,
            });
            log.warn(advice(*why), &details);
        }
        Failure::Invalid(errors) => report_invalid(log, errors),
    }
}

fn report_invalid(log: &Log, errors: &[ConfigError]) {
    let details = json!({"errors": ConfigError::summary(errors)});
    log.error("Invalid configuration", &details);
}

/// What an operator does about a parameter that cannot be read.
fn advice(why: NoSecret) -> &'static str {
    match why.code {
        Some("AccessDenied" | "AccessDeniedException") => {
            "Parameter Store denied access to the parameter in BACKSTOP_CONFIG: allow the function's role \
             ssm:GetParameter on it; records wait in memory until it can be read"
        }
        Some("ParameterNotFound" | "ParameterVersionNotFound") => {
            "The parameter in BACKSTOP_CONFIG does not exist in this region: check its name, or use its ARN; \
             records wait in memory until it can be read"
        }
        _ if why.may_pass => {
            "The parameter in BACKSTOP_CONFIG cannot be read: a function in a VPC needs an endpoint or a NAT \
             gateway to reach Systems Manager; records wait in memory until it answers"
        }
        _ => {
            "The parameter in BACKSTOP_CONFIG cannot be read: the detail says why; records wait in memory until \
             it can"
        }
    }
}
