//! Whether what became of some objects is a reason to stop: the primary takes nothing, or AWS denies what every
//! object needs.

use backstop_replay::queue::Order;
use backstop_replay::{Left, Outcome};

use crate::app::{App, Done};
use crate::state::Halted;

/// Why no other object is to be replayed, as far as these show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    /// The object at which it showed.
    pub(crate) at: usize,
    /// AWS denies it, and not the primary.
    pub(crate) is_denied: bool,
    /// Only the mark is denied.
    pub(crate) is_sent: bool,
}

impl Refusal {
    pub(crate) fn of_primary(reason: String, at: usize) -> Self {
        Self {
            reason,
            at,
            is_denied: false,
            is_sent: false,
        }
    }

    /// The marker of it.
    pub(crate) fn halted(&self, orders: &[Order]) -> Halted {
        Halted::found(&self.reason, orders.get(self.at).cloned(), self.is_sent)
    }
}

impl App {
    /// What shows that other objects can be replayed, so that a refusal is of one object alone.
    pub(crate) async fn goes_on(
        &self,
        refusal: &Refusal,
        orders: &[Order],
    ) -> Option<&'static str> {
        if !refusal.is_denied {
            return self.ask().await.is_ok().then_some("it takes others");
        }
        let keys: Vec<&str> = orders.iter().map(|order| order.key.as_str()).collect();
        // A mark that is denied says nothing of reading.
        let reads = !refusal.is_sent && self.reads_others(&keys).await;
        reads.then_some("others can be read")
    }
}

/// Whether the primary, or what AWS denies, is the reason that objects are left.
pub(crate) fn refusal(done: &[Done], is_stopped: bool) -> Option<Refusal> {
    // Where another object is done, what was denied is of one object.
    let is_any_done = done.iter().any(|it| it.outcome == Outcome::Done);
    for (at, it) in done.iter().enumerate() {
        match &it.outcome {
            Outcome::Left(Left::Halted(reason)) => {
                return Some(Refusal::of_primary(reason.clone(), at));
            }
            Outcome::Left(Left::Denied { reason, is_sent }) if !is_any_done => {
                return Some(Refusal {
                    reason: reason.clone(),
                    at,
                    is_denied: true,
                    is_sent: *is_sent,
                });
            }
            _ => {}
        }
    }
    if is_stopped {
        return None;
    }
    // Fewer objects than it takes to be sure, and each has had all of its attempts.
    let sent: u64 = done.iter().map(|it| it.summary.sent).sum();
    let at = done.iter().position(|it| it.summary.failed > 0)?;
    let reason = "the primary took none of the records that were sent".to_owned();
    (sent == 0).then(|| Refusal::of_primary(reason, at))
}

#[cfg(test)]
mod tests {
    use backstop_replay::Summary;

    use super::*;

    fn done(outcome: Outcome, sent: u64, failed: u64) -> Done {
        let mut summary = Summary::default();
        (summary.sent, summary.failed) = (sent, failed);
        Done { outcome, summary }
    }

    #[test]
    fn the_breaker_opens_where_all_objects_are_refused_or_denied_and_only_there() {
        let halted = || Outcome::Left(Left::Halted("401".to_owned()));
        let failed = || Outcome::Left(Left::Failed("503".to_owned()));
        let broken = || Outcome::Left(Left::Failed("it cannot be read".to_owned()));
        let left = || Outcome::Left(Left::Interrupted);
        let denied = |is_sent| {
            let reason = "403".to_owned();
            Outcome::Left(Left::Denied { reason, is_sent })
        };
        let well = || done(Outcome::Done, 9, 0);
        for (all, is_stopped, expected) in [
            (vec![well(), done(halted(), 0, 3)], false, Some((1, false))),
            (vec![done(failed(), 0, 3)], false, Some((0, false))),
            (vec![well(), done(failed(), 0, 3)], false, None),
            (vec![done(broken(), 0, 0)], false, None),
            // There was no time: that says nothing of the primary.
            (vec![done(left(), 0, 3)], true, None),
            (vec![done(denied(false), 0, 0)], false, Some((0, true))),
            (vec![done(denied(true), 9, 0)], true, Some((0, true))),
            (vec![done(denied(false), 0, 0), well()], false, None),
            (
                vec![done(Outcome::Poison("damaged".to_owned()), 0, 0)],
                false,
                None,
            ),
            (vec![], false, None),
        ] {
            let found = refusal(&all, is_stopped).map(|it| (it.at, it.is_denied));
            assert_eq!(found, expected, "{all:?}");
        }
    }
}
