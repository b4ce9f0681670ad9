//! What a caller is refused again and again in one account and region: it is not asked for any more.
//!
//! A caller without a permission would otherwise be refused ten thousand times, and one whose credentials
//! have expired as often. Invariants: only equal refusals in a row count, and one success takes the wall
//! down; what is refused for a function's own sake is never counted; what was not asked for says so.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::aws::{Failure, Kind};

/// So many equal denials in a row: chance and single policies are ruled out, and little time is lost.
pub const EQUAL_DENIALS: u32 = 10;

/// The refusals at one place.
#[derive(Debug)]
pub(super) struct Wall {
    state: Mutex<State>,
    /// Wakes those that wait for their turn; how many walls there are.
    standing: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// Credentials that nothing more can be done with.
    credentials: Option<Failure>,
    /// By the operation that was refused.
    denied: BTreeMap<TypeId, Denied>,
}

#[derive(Debug)]
struct Denied {
    gist: String,
    times: u32,
    failure: Failure,
}

impl Default for Wall {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            standing: watch::Sender::new(0),
        }
    }
}

impl Wall {
    /// Why a call is not worth making, with what it would have been for.
    pub(super) fn before(&self, operation: TypeId, what: &str) -> Result<(), Failure> {
        let state = self.lock();
        let denied = state.denied.get(&operation);
        let denied = denied.filter(|it| it.times >= EQUAL_DENIALS);
        let failure = state.credentials.as_ref().or(denied.map(|it| &it.failure));
        failure.map_or(Ok(()), |failure| Err(failure.untried(what)))
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

    pub(super) fn answered(&self, operation: TypeId) {
        self.lock().denied.remove(&operation);
    }

    pub(super) fn refused(&self, operation: TypeId, failure: &Failure) {
        let mut state = self.lock();
        let rises = match failure.kind {
            Kind::Credentials => state.credentials.replace(failure.clone()).is_none(),
            Kind::Denied => match failure.denied_action() {
                Some(gist) => state.count(operation, gist, failure),
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
    /// Whether it is one too many.
    fn count(&mut self, operation: TypeId, gist: String, failure: &Failure) -> bool {
        let denied = self.denied.entry(operation).or_insert_with(|| Denied {
            gist: gist.clone(),
            times: 0,
            failure: failure.clone(),
        });
        if denied.gist != gist {
            *denied = Denied {
                gist,
                times: 0,
                failure: failure.clone(),
            };
        }
        denied.times += 1;
        denied.times == EQUAL_DENIALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(action: &str, name: &str) -> Failure {
        let reason = format!(
            "AccessDeniedException: User is not authorized to perform: lambda:{action} on resource: {name}"
        );
        Failure::new("changing", reason, Kind::Denied)
    }

    const ONE: fn() -> TypeId = TypeId::of::<u8>;
    const OTHER: fn() -> TypeId = TypeId::of::<u16>;

    #[test]
    fn equal_denials_in_a_row_are_enough_and_a_success_takes_the_wall_down() {
        let wall = Wall::default();
        for time in 0..EQUAL_DENIALS {
            assert!(wall.before(ONE(), "x").is_ok(), "{time}");
            wall.refused(ONE(), &denied("Update", &format!("f-{time}")));
        }
        let failure = wall.before(ONE(), "changing f-99").expect_err("it stands");
        assert!(failure.is_untried() && failure.to_string().starts_with("changing f-99: Access"));
        assert!(wall.before(OTHER(), "x").is_ok());
        wall.answered(ONE());
        assert!(wall.before(ONE(), "x").is_ok());
    }

    #[test]
    fn what_differs_or_passes_does_not_add_up() {
        let wall = Wall::default();
        for _ in 0..EQUAL_DENIALS {
            wall.refused(ONE(), &denied("Update", "f"));
            wall.refused(ONE(), &denied("GetLayerVersion", "f"));
            wall.refused(ONE(), &Failure::new("x", "told to fail", Kind::Denied));
            wall.refused(ONE(), &Failure::new("x", "broken", Kind::Unavailable));
        }
        assert!(wall.before(ONE(), "x").is_ok());
    }

    #[tokio::test]
    async fn credentials_end_everything_at_once() {
        let wall = Wall::default();
        let rises = wall.rises();
        tokio::pin!(rises);
        let expired = Failure::new("changing", "ExpiredToken: it is", Kind::Credentials);
        assert!(futures_util::poll!(&mut rises).is_pending());
        wall.refused(ONE(), &expired);
        rises.await;
        assert!(wall.before(OTHER(), "x").is_err());
    }
}
