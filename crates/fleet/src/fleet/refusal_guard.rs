//! Stops repeating calls that AWS has denied many times in one account and region.
//!
//! A caller without a permission would otherwise be refused ten thousand times, and one whose credentials
//! have expired as often. Invariants: only equal refusals in a row count; a permission may be for some
//! resources only, so that some calls are let through all the same, and after one success every call is;
//! what is refused for a layer's sake is never counted; what was not asked for says so.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::aws::{Failure, Kind};

/// This many equal refusals in a row: chance and single policies are ruled out, and little time is lost.
const EQUAL_REFUSALS: u32 = 10;
/// This many calls at most are not made between two that are: with 10,000 functions and 15 calls a second
/// those cost 20 s.
const LONGEST_GAP: u32 = 32;

/// How often the same was refused, and whether another call is worth making.
#[derive(Debug, Default)]
pub struct Refusals {
    action: String,
    times: u32,
    /// Some call was allowed: the others are refused each for its own resource.
    has_passed: bool,
    /// How many calls are not made before the next one is, and how many were not.
    gap: u32,
    skipped: u32,
}

impl Refusals {
    /// Whether a call is to be made: each one, or after enough refusals one in a growing number.
    pub fn lets_through(&mut self) -> bool {
        if !self.stand() {
            return true;
        }
        if self.skipped < self.gap {
            self.skipped += 1;
            return false;
        }
        self.skipped = 0;
        self.gap = (self.gap * 2).min(LONGEST_GAP);
        true
    }

    /// Whether this refusal was the last that it takes.
    pub fn refused(&mut self, action: &str) -> bool {
        if self.action != action {
            action.clone_into(&mut self.action);
            self.times = 0;
        }
        self.times += 1;
        let is_enough = self.times == EQUAL_REFUSALS && !self.has_passed;
        if is_enough {
            (self.gap, self.skipped) = (1, 0);
        }
        is_enough
    }

    /// Whether that shows that some calls succeed.
    pub fn passed(&mut self) -> bool {
        let stood = self.stand();
        *self = Self {
            has_passed: true,
            ..Self::default()
        };
        stood
    }

    /// Whether a call was allowed.
    pub fn has_passed(&self) -> bool {
        self.has_passed
    }

    /// What was refused.
    pub fn action(&self) -> &str {
        &self.action
    }

    fn stand(&self) -> bool {
        self.times >= EQUAL_REFUSALS && !self.has_passed
    }
}

/// The refusals at one place.
#[derive(Debug)]
pub(super) struct RefusalGuard {
    state: Mutex<State>,
    /// Wakes those that wait for their turn; how many walls there are.
    standing: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// Credentials that were refused, and how often.
    credentials: Option<(Failure, u32)>,
    /// By the operation that was refused.
    operations: BTreeMap<TypeId, Operation>,
    /// Whether a call passed where others were not made.
    has_fallen: bool,
}

#[derive(Debug, Default)]
struct Operation {
    refusals: Refusals,
    /// The last one.
    failure: Option<Failure>,
    /// Calls that are let through, by what they are for: each is asked about more than once.
    through: BTreeSet<String>,
}

impl Default for RefusalGuard {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            standing: watch::Sender::new(0),
        }
    }
}

impl RefusalGuard {
    /// Why a call is not to be made, with what it would have been for.
    pub(super) fn before(&self, operation: TypeId, what: &str) -> Result<(), Failure> {
        let mut state = self.lock();
        if let Some((failure, times)) = &state.credentials
            && *times >= EQUAL_REFUSALS
        {
            return Err(failure.untried(what));
        }
        let Some(operation) = state.operations.get_mut(&operation) else {
            return Ok(());
        };
        let Some(failure) = operation
            .failure
            .as_ref()
            .filter(|_| operation.refusals.stand())
        else {
            return Ok(());
        };
        if operation.through.contains(what) {
            return Ok(());
        }
        if operation.refusals.lets_through() {
            operation.through.insert(what.to_owned());
            return Ok(());
        }
        Err(failure.untried(what))
    }

    /// Resolves when one more wall stands than at this moment, for whatever operation.
    pub(super) fn rises(&self) -> impl Future<Output = ()> + use<> {
        let mut standing = self.standing.subscribe();
        async move {
            if standing.changed().await.is_err() {
                // The sender outlives every call.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether a call passed where others were not made: those are worth a try.
    pub(super) fn has_fallen(&self) -> bool {
        self.lock().has_fallen
    }

    pub(super) fn answered(&self, operation: TypeId) {
        let mut state = self.lock();
        state.credentials = None;
        let operation = state.operations.entry(operation).or_default();
        let stood = operation.refusals.passed();
        state.has_fallen |= stood;
    }

    pub(super) fn refused(&self, operation: TypeId, failure: &Failure) {
        let mut state = self.lock();
        let rises = match failure.kind {
            Kind::Credentials => state.without_credentials(failure),
            Kind::Denied => match failure.denied_action() {
                Some(action) => {
                    let operation = state.operations.entry(operation).or_default();
                    operation.failure = Some(failure.clone());
                    operation.refusals.refused(&action)
                }
                None => false,
            },
            _ => return,
        };
        drop(state);
        if rises {
            self.standing.send_modify(|walls| *walls += 1);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this refusal was the last that it takes: a service that does not know the credentials will not
    /// know them the next time, but a clock, a proxy or a provider may be at fault once.
    fn without_credentials(&mut self, failure: &Failure) -> bool {
        let (before, is_final) = (self.credentials.take(), failure.ends_credentials());
        let before = before.map_or(0, |(_, times)| times);
        let times = if is_final {
            EQUAL_REFUSALS.max(before)
        } else {
            before + 1
        };
        self.credentials = Some((failure.clone(), times));
        before < EQUAL_REFUSALS && times >= EQUAL_REFUSALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(action: &str, resource: &str) -> Failure {
        let reason = format!(
            "AccessDeniedException: User is not authorized to perform: lambda:{action} on \
             resource: {resource}"
        );
        Failure::new("changing", reason, Kind::Denied)
    }

    const ONE: fn() -> TypeId = TypeId::of::<u8>;
    const OTHER: fn() -> TypeId = TypeId::of::<u16>;

    fn standing() -> RefusalGuard {
        let refusal_guard = RefusalGuard::default();
        for time in 0..EQUAL_REFUSALS {
            assert!(refusal_guard.before(ONE(), "x").is_ok(), "{time}");
            refusal_guard.refused(ONE(), &denied("Update", &format!("f-{time}")));
        }
        refusal_guard
    }

    #[test]
    fn equal_denials_in_a_row_are_enough_and_a_success_takes_the_wall_down() {
        let refusal_guard = standing();
        let failure = refusal_guard
            .before(ONE(), "changing f-99")
            .expect_err("it stands");
        let message = failure.to_string();
        let expected = "changing f-99: not tried, because the same call was denied before: Access";
        assert!(
            failure.is_untried() && message.starts_with(expected),
            "{message}"
        );
        assert!(refusal_guard.before(OTHER(), "x").is_ok());
        assert!(!refusal_guard.has_fallen());
        refusal_guard.answered(ONE());
        assert!(refusal_guard.has_fallen());
        // A permission for one function may be missing for others: each is tried.
        for time in 0..EQUAL_REFUSALS * 2 {
            assert!(
                refusal_guard.before(ONE(), &format!("f-{time}")).is_ok(),
                "{time}"
            );
            refusal_guard.refused(ONE(), &denied("Update", "f"));
        }
    }

    #[test]
    fn some_are_asked_about_all_the_same() {
        let refusal_guard = standing();
        let names: Vec<String> = (0..400).map(|it| format!("f-{it}")).collect();
        let mut asked = Vec::new();
        for (at, name) in names.iter().enumerate() {
            if refusal_guard.before(ONE(), name).is_ok() {
                // A call that is let through is so until it is made.
                assert!(refusal_guard.before(ONE(), name).is_ok());
                refusal_guard.refused(ONE(), &denied("Update", name));
                asked.push(at);
            }
        }
        let expected = [
            1, 4, 9, 18, 35, 68, 101, 134, 167, 200, 233, 266, 299, 332, 365, 398,
        ];
        assert_eq!(asked, expected);
    }

    #[test]
    fn what_differs_or_is_of_a_layer_does_not_add_up() {
        let refusal_guard = RefusalGuard::default();
        let layer = "arn:aws:lambda:eu-west-1:444455556666:layer:theirs:1";
        let closed = denied(
            "GetLayerVersion",
            "x because no resource-based policy allows it",
        );
        for _ in 0..EQUAL_REFUSALS {
            refusal_guard.refused(ONE(), &denied("Update", "f"));
            refusal_guard.refused(ONE(), &denied("GetFunction", "f"));
            refusal_guard.refused(ONE(), &Failure::new("x", "told to fail", Kind::Denied));
            refusal_guard.refused(ONE(), &Failure::new("x", "broken", Kind::Unavailable));
            refusal_guard.refused(OTHER(), &denied("GetLayerVersion", layer));
            refusal_guard.refused(OTHER(), &closed);
        }
        assert!(refusal_guard.before(ONE(), "x").is_ok());
        assert!(refusal_guard.before(OTHER(), "x").is_ok());
    }

    #[tokio::test]
    async fn credentials_end_everything_once_it_is_sure() {
        let refusal_guard = RefusalGuard::default();
        let rises = refusal_guard.rises();
        tokio::pin!(rises);
        let odd = Failure::new(
            "changing",
            "InvalidSignatureException: a clock",
            Kind::Credentials,
        );
        for _ in 1..EQUAL_REFUSALS {
            refusal_guard.refused(ONE(), &odd);
        }
        assert!(refusal_guard.before(OTHER(), "x").is_ok());
        refusal_guard.answered(OTHER());
        refusal_guard.refused(ONE(), &odd);
        assert!(refusal_guard.before(OTHER(), "x").is_ok());
        assert!(futures_util::poll!(&mut rises).is_pending());
        refusal_guard.refused(ONE(), &Failure::coded("changing", "ExpiredToken"));
        rises.await;
        assert!(refusal_guard.before(OTHER(), "x").is_err());
    }
}
