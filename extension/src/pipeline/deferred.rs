//! What arrives before the transforms are known: no record leaves without them. Either they are in a parameter,
//! or a mistake leaves open what to redact.
//!
//! The parameter is asked for while an invocation is at hand, beside everything else. Until it is known, records
//! wait as they came, in memory only: a copy in `/tmp` would hold what is to be redacted. Then each is taken in,
//! in order, as if it had just arrived. After a mistake they wait until the end, and are dropped.
//!
//! Invariants: what waits is bounded, and each record is counted as received when it arrives; a parameter that
//! cannot be read holds `/next` once, and is asked for less and less often.

use std::time::Duration;

use backstop_config::ConfigError;
use backstop_delivery::{DropReason, NoSecret, Phase, Wall};
use backstop_sinks::otlp::Received;
use backstop_telemetry::Event;
use backstop_transform::Place;
use futures_util::future::select_all;
use serde_json::json;
use tokio::task::JoinHandle;

use self::queue::{Queue, Waiting};
use super::Pipeline;
use super::intake::FULL;
use super::parameter::{Answer, Ask, Failure, Unknown};
use crate::diagnostics::Log;
use crate::lifecycle::api::Lifecycle;
use crate::lifecycle::flush::{FlushMode, HIGH_WATER};
use crate::transform::Derived;

mod queue;

/// After a failure the next try comes no sooner; after each further one in twice the time.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(64);
/// Where there is no room, this part of the bound is freed as well, so that the next record has some. Once the
/// transforms are known it is what records may grow by.
const SPARE: usize = 16;

/// Records that wait for the transforms, and the question for them.
pub(super) struct Deferred {
    /// None where nobody can be asked.
    ask: Option<Ask>,
    /// Questions under way: one, and at the end another beside it.
    asking: Vec<Asking>,
    failures: u32,
    /// `/next` was held for the first question.
    was_held: bool,
    /// At the end: a failure that may pass is worth another question.
    has_another_try: bool,
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
            asking: Vec::new(),
            failures: 0,
            was_held: false,
            has_another_try: false,
            said: None,
            not_before: Wall::default(),
            is_known: false,
            queue: Queue::default(),
        }
    }

    fn ask(&mut self) {
        if let Some(ask) = &self.ask {
            self.asking.push(Asking(tokio::spawn(ask())));
        }
    }

    /// A question failed just now: the next one waits, from here on and not from when this one began.
    fn failed(&mut self, now: Wall) {
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(6));
        self.not_before = now + rest.min(LONGEST_REST);
        self.failures = self.failures.saturating_add(1);
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

    /// Those for which something else is to wait. Not where nobody can be asked what to redact: they will
    /// not leave, and would slow the function down for as long as the environment lives.
    pub(super) fn deferred_bytes_to_leave(&self) -> usize {
        let may_leave = self.deferred.as_ref().is_some_and(|it| it.ask.is_some());
        if may_leave { self.deferred_bytes() } else { 0 }
    }

    /// Whether what had to wait is being taken in.
    pub(super) fn is_taking_deferred(&self) -> bool {
        self.deferred.as_ref().is_some_and(|it| it.is_known)
    }

    /// Whether a question for the parameter is under way.
    pub(super) fn is_asking(&self) -> bool {
        let deferred = self.deferred.as_ref();
        deferred.is_some_and(|it| !it.asking.is_empty())
    }

    /// Whether `/next` is worth holding for the answer: it is once, for the first question.
    pub(super) fn is_asking_first(&self) -> bool {
        let deferred = self.deferred.as_ref();
        self.is_asking() && deferred.is_some_and(|it| it.failures == 0 && !it.was_held)
    }

    /// `/next` is called.
    pub(super) fn note_held_for_parameter(&mut self) {
        let is_asking = self.is_asking();
        if let Some(deferred) = &mut self.deferred {
            deferred.was_held |= is_asking;
        }
    }

    pub(super) fn defer_event(&mut self, event: Event) {
        self.defer(Waiting::Event {
            event,
            is_detached: false,
        });
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
        let Some(deferred) = &mut self.deferred else {
            return;
        };
        let spare = self.buffer.max_bytes() / SPARE;
        let shed = if deferred.is_known {
            deferred.queue.shed(room + spare, room + spare)
        } else {
            deferred.queue.shed(room, room.saturating_sub(spare))
        };
        if shed > 0 {
            let message = if deferred.is_known {
                FULL
            } else {
                "Dropped records: the buffer is full, and none may leave before it is known what to redact"
            };
            let mut ledger = self.ledger.lock();
            ledger.drop_records(DropReason::BufferFull, shed as u64);
            drop(ledger);
            let details = json!({"records": shed, "bufferMaxBytes": self.buffer.max_bytes()});
            self.log.error(message, &details);
        }
    }

    /// Another environment goes on from here, with connections of its own.
    pub(super) fn ask_again(&mut self) {
        if let Some(deferred) = &mut self.deferred {
            deferred.asking.clear();
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
            deferred.ask();
        }
    }

    /// How long until the parameter is to be asked for; `None` where something else has to happen first.
    pub(super) fn parameter_due_in(&self, now: Wall) -> Option<Duration> {
        let deferred = self.deferred.as_ref()?;
        if deferred.is_known || !deferred.asking.is_empty() || deferred.ask.is_none() {
            return None;
        }
        // Never during init. Managed Instances hear of no invocation.
        if !self.managed_instances && self.invocation.is_init() {
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
        match answer {
            Ok(late) => {
                deferred.asking.clear();
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
                deferred.failed(self.clock.wall());
                if why.is_another_than(deferred.said.as_ref()) {
                    report(&self.log, &why);
                    deferred.said = Some(why);
                }
            }
        }
    }

    /// Whether the rest of what had to wait is taken in after the flush under way, which makes room for it.
    pub(super) fn waits_for_room(&self) -> bool {
        let is_last = self.window.current().phase == Phase::Shutdown;
        self.flush.is_some() && !is_last && self.buffer.held_bytes() > self.buffer.max_bytes() / 2
    }

    /// Takes in what had to wait, as far as one turn goes; says how many bytes.
    pub(super) fn take_deferred(&mut self, most: usize) -> usize {
        if !self.is_taking_deferred() {
            return 0;
        }
        let mut taken = 0;
        while taken < most && !self.waits_for_room() {
            let next = self.deferred.as_mut().and_then(|it| it.queue.pop());
            let Some(waiting) = next else {
                self.deferred = None;
                break;
            };
            taken += waiting.cost();
            match waiting {
                Waiting::Event { event, .. } => {
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

    /// At the end: asks beside a question under way, which may be from before a freeze and over a connection that
    /// nobody answers on any more.
    pub(super) fn ask_at_last(&mut self) {
        if let Some(deferred) = self.deferred.as_mut().filter(|it| !it.is_known) {
            deferred.has_another_try = true;
            deferred.ask();
        }
    }

    /// The answer to a question at the end.
    pub(super) fn heard_at_last(&mut self, answer: Answer) {
        let may_pass = matches!(&answer, Err(Failure::Unreadable(why)) if why.may_pass);
        self.heard(answer);
        // All of it before the sampling ends, which keeps what comes after.
        while self.is_taking_deferred() {
            self.receive();
        }
        self.end_sampling();
        if let Some(deferred) = self.deferred.as_mut().filter(|it| it.asking.is_empty())
            && may_pass
            && std::mem::take(&mut deferred.has_another_try)
        {
            deferred.ask();
        }
    }

    /// The ledger is closed, and what waits was not to leave.
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

/// Waits for an answer; without end where nothing was asked.
pub(super) async fn asked(deferred: &mut Option<Deferred>) -> Answer {
    let asking = deferred.as_mut().map(|it| &mut it.asking);
    let Some(asking) = asking.filter(|it| !it.is_empty()) else {
        return std::future::pending().await;
    };
    let each = asking.iter_mut().map(|it| &mut it.0);
    let (answer, index, _) = select_all(each).await;
    asking.swap_remove(index);
    answer.unwrap_or_else(|_| Err(NoSecret::passing("the question", "came to no end").into()))
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
