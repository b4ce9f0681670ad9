//! What arrives before the transforms are known: where they are in a parameter, no record leaves without them.
//!
//! The parameter is asked for while an invocation is at hand, beside everything else. Until it is known, records
//! wait as they came, in memory only: a copy in `/tmp` would hold what is to be redacted. Then each is taken in,
//! in order, as if it had just arrived.
//!
//! Invariants: what waits is bounded, and each record is counted as received when it arrives; a parameter that
//! cannot be read holds `/next` once, and is asked for ever less often.

use std::collections::VecDeque;
use std::time::Duration;

use backstop_config::ConfigError;
use backstop_delivery::{DropReason, NoSecret, Signal, Wall};
use backstop_sinks::otlp::Received;
use backstop_telemetry::{Event, Kind, Severity};
use backstop_transform::Place;
use bytes::Bytes;
use serde_json::json;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use super::Pipeline;
use super::parameter::{Ask, Late};
use crate::lifecycle::api::Lifecycle;
use crate::lifecycle::flush::{FlushMode, HIGH_WATER};
use crate::transform::Derived;

/// After a failure the next try comes no sooner; after each further one in twice the time.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(64);
/// What one that waits takes beside its text.
const OVERHEAD: usize = 128;
/// Where there is no room, this part of the bound is freed as well, so that the next record has some.
const SPARE: usize = 16;

/// Records that wait for the transforms, and the question for them.
pub(super) struct Deferred {
    ask: Ask,
    asking: Option<Asking>,
    failures: u32,
    /// No try before this time.
    not_before: Wall,
    /// The transforms are there: what waits is taken in, in turns.
    is_known: bool,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    records: usize,
    oldest: Option<Wall>,
}

/// A question under way; it ends with the pipeline.
struct Asking(JoinHandle<Result<Late, NoSecret>>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What arrived, in its order.
enum Waiting {
    /// With whether its text is its own, and not a slice of a body.
    Event(Event, bool),
    Posted {
        received: Received,
        /// The invocation at hand, and when it began.
        current: (String, Wall),
    },
    Derived(Derived),
    /// Telemetry was lost here.
    Gap,
}

impl Waiting {
    fn records(&self) -> usize {
        match self {
            Self::Event(..) | Self::Derived(_) => 1,
            Self::Posted { received, .. } => received.fragments.len(),
            Self::Gap => 0,
        }
    }

    fn cost(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Event(event, _) => event.fragment.len(),
                Self::Derived(derived) => derived.fragment.len(),
                Self::Posted { received, .. } => received.cost(),
                Self::Gap => 0,
            }
    }

    /// What goes first where there is no room: by severity, and what the platform says last.
    fn rank(&self) -> u8 {
        match self {
            Self::Event(event, _) => match event.kind {
                Kind::Platform(_) => 4,
                _ => Severity::of(&event.fragment) as u8,
            },
            Self::Posted { received, .. } => match received.signal {
                Signal::Log => {
                    let fragments = received.fragments.iter();
                    let ranks = fragments.map(|fragment| Severity::of(fragment) as u8);
                    ranks.max().unwrap_or_default()
                }
                Signal::Metric | Signal::Span => Severity::Info as u8,
            },
            Self::Derived(_) => Severity::Info as u8,
            Self::Gap => 5,
        }
    }
}

impl Deferred {
    pub(super) fn new(ask: Ask) -> Self {
        Self {
            ask,
            asking: None,
            failures: 0,
            not_before: Wall::default(),
            is_known: false,
            waiting: VecDeque::new(),
            bytes: 0,
            records: 0,
            oldest: None,
        }
    }

    fn push(&mut self, waiting: Waiting, now: Wall) {
        self.oldest.get_or_insert(now);
        self.bytes += waiting.cost();
        self.records += waiting.records();
        self.waiting.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= waiting.cost();
        self.records -= waiting.records();
        Some(waiting)
    }

    /// Drops what there is no room for; says how many records.
    fn shed(&mut self, room: usize) -> usize {
        if self.bytes <= room {
            return 0;
        }
        let before = self.records;
        let room = room - room / SPARE;
        for rank in 0..=5 {
            let (bytes, records) = (&mut self.bytes, &mut self.records);
            self.waiting.retain(|waiting| {
                let stays = *bytes <= room || waiting.rank() > rank;
                if !stays {
                    *bytes -= waiting.cost();
                    *records -= waiting.records();
                }
                stays
            });
            if self.bytes <= room {
                break;
            }
        }
        // A slice would keep the bodies of those that were dropped in memory.
        for waiting in &mut self.waiting {
            if let Waiting::Event(event, is_own @ false) = waiting {
                event.fragment = Bytes::copy_from_slice(&event.fragment);
                event.request_id = None;
                *is_own = true;
            }
        }
        before - self.records
    }

    fn ask(&mut self, now: Wall) {
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(6));
        self.not_before = now + rest.min(LONGEST_REST);
        self.asking = Some(Asking(tokio::spawn((self.ask)())));
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
        self.deferred.as_ref().map_or(0, |it| it.records)
    }

    pub(super) fn deferred_bytes(&self) -> usize {
        self.deferred.as_ref().map_or(0, |it| it.bytes)
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
            deferred.push(waiting, now);
        }
    }

    /// Drops what there is no room for.
    pub(super) fn shed_deferred(&mut self) {
        let room = (self.buffer.max_bytes()).saturating_sub(self.buffer.held_bytes());
        let shed = self.deferred.as_mut().map_or(0, |it| it.shed(room));
        if shed > 0 {
            let mut ledger = self.ledger.lock();
            ledger.drop_records(DropReason::BufferFull, shed as u64);
            drop(ledger);
            self.log.error(
                "Dropped records: the buffer is full, and the parameter in BACKSTOP_CONFIG cannot be read",
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
        if deferred.is_known || deferred.asking.is_some() {
            return None;
        }
        let rest = deferred.rest(now);
        if self.api.is_some() || deferred.bytes >= HIGH_WATER {
            return Some(rest);
        }
        let oldest = deferred.oldest?;
        let age = self.settings.interval.saturating_sub(now.since(oldest));
        (self.invocation.mode == FlushMode::Continuous).then(|| rest.max(age))
    }

    /// The answer to the question.
    pub(super) fn heard(&mut self, answer: Result<Late, NoSecret>) {
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
                    let summary = ConfigError::summary(&late.errors);
                    let details = json!({"errors": summary});
                    self.log.error("Invalid configuration", &details);
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
                if deferred.failures == 1 {
                    let details = json!({
                        "detail": format!("{} {}", why.store, why.what),
                        "status": why.status,
                        "code": why.code,
                    });
                    self.log.warn(advice(why), &details);
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
            let next = self.deferred.as_mut().and_then(Deferred::pop);
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
            let Some(deferred) = self.deferred.as_mut().filter(|it| !it.is_known) else {
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
        let lost = self.deferred.take().map_or(0, |it| it.records) as u64;
        if lost > 0 {
            self.ledger.lock().drop_records(DropReason::Shutdown, lost);
            self.log.error(
                "Lost records: the environment ends, and without the parameter in BACKSTOP_CONFIG none may leave",
                &json!({"records": lost}),
            );
        }
    }
}

/// Waits for the answer; for ever where nothing was asked.
pub(super) async fn asked(deferred: &mut Option<Deferred>) -> Result<Late, NoSecret> {
    let asking = deferred.as_mut().and_then(|it| it.asking.as_mut());
    match asking {
        Some(asking) => (&mut asking.0)
            .await
            .unwrap_or_else(|_| Err(NoSecret::passing("the question", "came to no end"))),
        None => std::future::pending().await,
    }
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
