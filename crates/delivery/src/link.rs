//! One sink in the chain, and what is learnt of it as it answers: its breaker, how long it takes, the
//! size of body that it calls too large.
//!
//! Must not act: the chain and the attempts do. State is behind a lock that is never held across an
//! await.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::batch::Batch;
use crate::breaker::{Breaker, Permit};
use crate::cause::Cause;
use crate::clock::Wall;
use crate::detail::Detail;
use crate::phase::Phase;
use crate::record::Signal;
use crate::role::Role;
use crate::sink::Sink;
use crate::turn::LinkView;

/// No attempt starts with less, unless it is the last chance.
pub(crate) const LEAST_BUDGET: Duration = Duration::from_millis(100);
/// The least time that is reserved for each fallback.
const LEAST_RESERVE: Duration = Duration::from_millis(150);
/// The least time after a thaw to wait for the answer to a request from before the freeze.
/// Answers that had arrived are read at once; this covers a slow first turn of the runtime.
const THAW_GRACE: Duration = Duration::from_millis(250);
/// The same of a sink that has not answered yet: there is a handshake, and nobody knows how slow it is.
const FIRST_THAW_GRACE: Duration = Duration::from_millis(500);
/// What a sink that has never answered is thought to take at the most, whatever it was waited for.
const LONGEST_SILENCE: Duration = Duration::from_millis(500);
/// However slow a sink usually is, this much time is worth an attempt: a slow spell must be able to end.
const LONGEST_NEED: Duration = Duration::from_secs(1);

/// A sink with what the chain needs to know of it.
#[derive(Debug)]
pub struct LinkSettings {
    pub sink: Box<dyn Sink>,
    /// What it is in the chain. The primary, where there is one, comes first; it may be one link for each
    /// signal.
    pub role: Role,
    /// The signal that it takes; `None` where it takes each.
    pub signal: Option<Signal>,
    /// The longest a single attempt may take, whatever the window leaves.
    pub timeout: Duration,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) role: Role,
    pub(crate) signal: Option<Signal>,
    pub(crate) timeout: Duration,
    state: Mutex<LinkState>,
}

/// What is learnt of a sink as it answers.
#[derive(Debug, Default)]
pub(crate) struct LinkState {
    pub(crate) breaker: Breaker,
    /// A running estimate of how long an answer takes.
    estimate: Option<Duration>,
    /// The longest wait without an answer, before it ever answered.
    silence: Duration,
    /// The smallest body it called too large, and until when that is believed: larger ones are split
    /// before they are sent.
    pub(crate) too_large: Option<(usize, Wall)>,
    /// It refused the last body as a whole, and has taken nothing since.
    pub(crate) refuses_all: bool,
    /// It took something when it was last asked.
    pub(crate) took_last: bool,
    /// Why its breaker is open, as far as an operator was shown.
    pub(crate) reported: Option<Cause>,
    /// When an attempt was last cut short.
    last_cut: Option<Instant>,
}

impl LinkState {
    /// The sink took something. The estimate of its time rises at once and falls slowly: an attempt in
    /// too little time costs more than one not made.
    pub(crate) fn observe(&mut self, took: Duration) {
        self.refuses_all = false;
        self.took_last = true;
        let mean = self.estimate.unwrap_or(took);
        self.estimate = Some(took.max((mean / 8).saturating_mul(7).saturating_add(took / 8)));
    }

    /// The sink answered, but took nothing: it takes at least that time.
    pub(crate) fn observe_at_least(&mut self, took: Duration) {
        self.took_last = false;
        self.estimate = Some(took.max(self.estimate.unwrap_or_default()));
    }

    /// Twice the usual time, so that an ordinary answer fits well.
    pub(crate) fn reserve(&self) -> Duration {
        (self.estimate.unwrap_or_default().saturating_mul(2)).max(LEAST_RESERVE)
    }

    /// Less than this is not worth an attempt: it would only be counted against a sink that is well.
    pub(crate) fn needs(&self) -> Duration {
        (self.estimate.unwrap_or_default().saturating_mul(3) / 2)
            .min(LONGEST_NEED)
            .max(LEAST_BUDGET)
    }

    /// What a request from before a freeze gets after the thaw: the sink may still be at work.
    pub(crate) fn thaw_grace(&self) -> Duration {
        self.estimate
            .map_or(FIRST_THAW_GRACE, |_| self.needs().max(THAW_GRACE))
    }

    /// It did not answer in time. Where it has never answered, that is all there is to judge it by: it may
    /// be slow, so that the first probes get more time than that, and the later ones less and less.
    pub(crate) fn was_silent(&mut self, took: Duration, permit: Permit) {
        self.silence = match permit {
            Permit::Normal => self.silence.max(took.min(LONGEST_SILENCE)),
            Permit::Probe => self.silence / 2,
        };
    }

    /// Whether a sink that was reported as failing has a secret's trouble now that it had not, or has another
    /// one: a person may have fixed the first of two permissions.
    pub(crate) fn is_other_secret(&self, cause: Cause) -> bool {
        let of_secret = |cause: Cause| matches!(cause.detail, Some(Detail::NoSecret(_)));
        self.reported
            .is_some_and(|before| before != cause && (of_secret(before) || of_secret(cause)))
    }

    /// Whether an attempt cut short is not just another one of the same moment.
    pub(crate) fn is_new_cut(&mut self, now: Instant) -> bool {
        let last = self.last_cut.replace(now);
        last.is_none_or(|last| now.duration_since(last) >= LEAST_BUDGET / 2)
    }

    /// The time a probe may take beyond the handler's run. Short handlers would otherwise never find
    /// a primary again whose answers take longer than they do.
    pub(crate) fn probe_grace(&self) -> Duration {
        let twice = |time: Duration| time.saturating_mul(2);
        self.estimate
            .map_or(twice(self.silence).max(LEAST_RESERVE), twice)
    }
}

impl Link {
    /// The batch goes on without it, for this reason; only of a primary is that written beside the records.
    pub(crate) fn divert(&self, batch: &mut Batch, cause: Cause) {
        if self.role == Role::Primary {
            batch.divert(self.sink.name(), cause);
        }
    }

    pub(crate) fn new(settings: LinkSettings) -> Self {
        Self {
            sink: settings.sink,
            role: settings.role,
            signal: settings.signal,
            timeout: settings.timeout,
            state: Mutex::default(),
        }
    }

    /// Whether it takes records of this signal at all.
    pub(crate) fn takes(&self, signal: Signal) -> bool {
        self.signal.is_none_or(|its| its == signal)
    }

    /// What decides about it at this moment.
    pub(crate) fn view(&self, now: Wall, phase: Phase) -> LinkView {
        let state = self.state();
        LinkView {
            role: self.role,
            breaker: state.breaker.state(now),
            would_probe: state.breaker.would_probe(now, phase),
            took_last: state.took_last,
            needs: state.needs(),
            reserve: state.reserve(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
