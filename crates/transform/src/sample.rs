//! Which invocations are kept: those that are worth it, and a stable share of the others.
//!
//! The decision falls when an invocation ends. Until then its records are held by the caller, who may
//! have one decided early. What comes later follows the decision, unless it says that the invocation
//! has failed: from there on it is kept.
//!
//! Invariants: every held record is released or dropped by a decision; an invocation that is known to
//! have failed is kept whole; what names no invocation passes; memory is bounded.
//!
//! Must not: hold a record.

use std::collections::VecDeque;
use std::time::Duration;

use backstop_config::{Level, SampleSettings};
use backstop_json::Fnv;

use crate::fields::{Field, fields};
use crate::filter::level;
use crate::parts::Parts;

/// Invocations remembered: late records of older ones pass.
const MOST_REMEMBERED: usize = 16;
/// Invocations whose end has not been reported by the time that this many more have started are kept.
const MOST_OPEN: usize = 2;
/// No id and no header of a trace is longer.
const LONGEST_ID: usize = 128;

/// An invocation whose records are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

impl Handle {
    /// As bytes, which no other handle has.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is kept.
    Keep,
    /// It waits for the decision on its invocation.
    Hold(Handle),
    /// Its invocation was dropped.
    Drop,
}

/// The decision on an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub handle: Handle,
    /// Whether its records are kept.
    pub keep: bool,
}

/// The invocations of an environment.
#[derive(Debug)]
pub struct Sampler {
    settings: SampleSettings,
    invocations: VecDeque<Invocation>,
    next: u64,
    /// No invocation has started yet.
    is_cold: bool,
    decisions: Vec<Decision>,
    /// An invocation that posted an error before the platform said that it had started.
    failed_ahead: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Invocation {
    handle: Handle,
    request_id: Vec<u8>,
    /// The text of its start's time, as JSON.
    time: Vec<u8>,
    /// Whether it is kept whatever its end is: by its trace, its share, or as the first one.
    is_chosen: bool,
    has_error: bool,
    keeps: Option<bool>,
}

/// What the platform says of an invocation, by the index of its path.
const PATHS: [&str; 4] = ["requestId", "tracing.value", "status", "metrics.durationMs"];

impl Sampler {
    /// A sampler of a new environment.
    pub fn new(settings: SampleSettings) -> Self {
        Self {
            settings,
            invocations: VecDeque::new(),
            next: 0,
            is_cold: true,
            decisions: Vec::new(),
            failed_ahead: None,
        }
    }

    /// Where a record goes. Every record must be shown, also those that are dropped for other reasons.
    pub fn place(&mut self, fragment: &[u8]) -> Place {
        let Some(parts) = Parts::of(fragment) else {
            return Place::Keep;
        };
        if parts.is_platform() {
            return self.platform(&parts);
        }
        if !parts.is_output() {
            return Place::Keep;
        }
        let mut all = self.invocations.iter_mut().rev();
        let Some(invocation) = all.find(|it| !it.is_after(parts.time)) else {
            return Place::Keep;
        };
        let looks = invocation.keeps != Some(true) && self.settings.keep.error;
        let is_error = looks && parts.kind == b"function" && level(fragment) == Level::Error;
        invocation.place_with(is_error)
    }

    /// Where what the function posted goes, while this invocation is at hand: to that one, or to one that has started
    /// after it and whose INVOKE is still to come. Of one that the platform has not spoken of yet it is kept, and an
    /// error is not forgotten.
    pub fn place_posted(&mut self, fragment: &[u8], request_id: &[u8]) -> Place {
        let is_log = Parts::of(fragment).is_some_and(|parts| parts.is_output());
        let is_error = is_log && self.settings.keep.error && level(fragment) == Level::Error;
        let is_known = (self.invocations.iter()).any(|it| it.request_id == request_id);
        if is_error && !is_known && request_id.len() <= LONGEST_ID {
            self.failed_ahead = Some(request_id.to_owned());
        }
        match self.invocations.back_mut() {
            Some(latest) if is_known => latest.place_with(is_error),
            Some(latest) => {
                // It may be of this one: where nothing is decided yet, that is reason enough to keep it.
                latest.has_error |= is_error;
                Place::Keep
            }
            None => Place::Keep,
        }
    }

    fn platform(&mut self, parts: &Parts<'_>) -> Place {
        let paths = PATHS.map(str::to_owned);
        let found = fields(parts.record, &paths);
        let text = |path: usize| -> &[u8] {
            let mut found = found.iter().filter(|field: &&Field| field.path == path);
            found
                .next()
                .map(|field| &field.text[..])
                .unwrap_or_default()
        };
        let request_id = text(0);
        if request_id.is_empty() || request_id.len() > LONGEST_ID {
            return Place::Keep;
        }
        if parts.kind == b"platform.start" {
            self.started(request_id, parts.time, text(1));
        }
        let mut all = self.invocations.iter_mut().rev();
        let Some(invocation) = all.find(|it| it.request_id == request_id) else {
            return Place::Keep;
        };
        let place = invocation.place();
        if matches!(parts.kind, b"platform.runtimeDone" | b"platform.report") {
            let ended = End::of(text(2), text(3));
            let keep = invocation.is_chosen || ended.is_kept(&self.settings, invocation.has_error);
            match invocation.keeps {
                None => {
                    invocation.keeps = Some(keep);
                    let handle = invocation.handle;
                    self.decisions.push(Decision { handle, keep });
                }
                // The report knows of a failure that the runtime's end did not.
                Some(false) if keep => return invocation.kept_after_all(),
                Some(_) => {}
            }
        }
        place
    }

    fn started(&mut self, request_id: &[u8], time: &[u8], trace: &[u8]) {
        // Lambda may send a request again whose acknowledgement it missed.
        if self
            .invocations
            .iter()
            .any(|it| it.request_id == request_id && it.time == time)
        {
            return;
        }
        let has_error = (self.failed_ahead)
            .take_if(|known| known == request_id)
            .is_some();
        let keep = &self.settings.keep;
        let (trace, is_sampled) = trace_of(trace);
        let is_first = std::mem::take(&mut self.is_cold);
        let share = self.settings.millionths;
        let is_chosen = is_sampled
            || (is_first && keep.cold)
            || is_in_share(trace.unwrap_or(request_id), share);
        let handle = Handle(self.next);
        self.next += 1;
        self.invocations.push_back(Invocation {
            handle,
            request_id: request_id.to_owned(),
            time: time.to_owned(),
            is_chosen,
            has_error,
            // Nothing has to be waited for.
            keeps: is_chosen.then_some(true),
        });
        let mut open = self
            .invocations
            .iter_mut()
            .rev()
            .filter(|it| it.keeps.is_none());
        if let Some(oldest) = open.nth(MOST_OPEN) {
            oldest.keep(&mut self.decisions);
        }
        if self.invocations.len() > MOST_REMEMBERED
            && let Some(mut oldest) = self.invocations.pop_front()
        {
            oldest.keep(&mut self.decisions);
        }
    }

    /// Decides on the oldest invocation that is held, before its end: it is kept. False where none is.
    pub fn decide_early(&mut self) -> bool {
        let mut open = self.invocations.iter_mut().filter(|it| it.keeps.is_none());
        let Some(oldest) = open.next() else {
            return false;
        };
        oldest.keep(&mut self.decisions);
        true
    }

    /// The environment ends, or becomes another one: what is still held is kept.
    pub fn finish(&mut self) {
        while self.decide_early() {}
        self.invocations.clear();
        self.is_cold = true;
    }

    /// The decisions since the last call.
    pub fn take_decisions(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.decisions)
    }
}

impl Invocation {
    /// Whether it started later than this time. Texts of one form are in the order of their times.
    fn is_after(&self, time: &[u8]) -> bool {
        self.time.len() == time.len() && self.time.as_slice() > time
    }

    fn place(&self) -> Place {
        match self.keeps {
            None => Place::Hold(self.handle),
            Some(true) => Place::Keep,
            Some(false) => Place::Drop,
        }
    }

    /// Where a record of it goes, which may be an error.
    fn place_with(&mut self, is_error: bool) -> Place {
        self.has_error |= is_error;
        match self.place() {
            Place::Drop if is_error => self.kept_after_all(),
            place => place,
        }
    }

    /// It had been dropped, and has failed: too late for what came before, and still worth seeing from here on.
    fn kept_after_all(&mut self) -> Place {
        self.keeps = Some(true);
        Place::Keep
    }

    fn keep(&mut self, decisions: &mut Vec<Decision>) {
        if self.keeps.is_none() {
            self.keeps = Some(true);
            let (handle, keep) = (self.handle, true);
            decisions.push(Decision { handle, keep });
        }
    }
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy)]
struct End {
    has_failed: bool,
    has_timed_out: bool,
    took: Duration,
}

impl End {
    fn of(status: &[u8], milliseconds: &[u8]) -> Self {
        let number = std::str::from_utf8(milliseconds).ok();
        let number: Option<f64> = number.and_then(|text| text.parse().ok());
        let seconds = number.filter(|it| it.is_finite()).unwrap_or_default() / 1000.0;
        Self {
            // Without a status, as from an older schema, nothing is known to have failed.
            has_failed: !matches!(status, b"" | b"success" | b"timeout"),
            has_timed_out: status == b"timeout",
            took: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        }
    }

    fn is_kept(self, settings: &SampleSettings, has_error: bool) -> bool {
        let keep = &settings.keep;
        keep.error && (self.has_failed || has_error)
            || keep.timeout && self.has_timed_out
            || keep.slow.is_some_and(|slow| self.took > slow)
    }
}

/// The id of a trace, and whether it is sampled: X-Ray's header, or W3C's `traceparent`.
fn trace_of(header: &[u8]) -> (Option<&[u8]>, bool) {
    if header.len() > 2 * LONGEST_ID {
        return (None, false);
    }
    if let [b'0', b'0', b'-', rest @ ..] = header {
        let is_sampled = match rest {
            [.., b'-', _, flags] => {
                flags.is_ascii_hexdigit()
                    && char::from(*flags)
                        .to_digit(16)
                        .is_some_and(|it| it & 1 == 1)
            }
            _ => false,
        };
        return (rest.get(..32), is_sampled);
    }
    let (mut root, mut is_sampled) = (None, false);
    for part in header.split(|byte| *byte == b';') {
        match part {
            [b'R', b'o', b'o', b't', b'=', id @ ..] => root = Some(id),
            b"Sampled=1" => is_sampled = true,
            _ => {}
        }
    }
    (root, is_sampled)
}

/// Whether an id is in the share: the same everywhere and for good, so that all functions of a trace agree.
fn is_in_share(id: &[u8], millionths: u32) -> bool {
    // FNV-1a, and the finalizer of MurmurHash3, which spreads what the last bytes say over all bits.
    let hash = Fnv::of(id);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let hash = hash ^ hash >> 33;
    ((u128::from(hash) * 1_000_000) >> 64) < u128::from(millionths)
}

#[cfg(test)]
mod tests;
