//! How the time of a flush is shared out between the sink that is asked and those that come after it. Pure.

use std::time::Duration;

use crate::phase::Phase;
use crate::role::Role;

/// The part of a shutdown that a refused body may be halved in. Most of the time is the fallbacks', for the dead
/// letters, for the rest, and for the batches that follow.
const HALVING_SHARE: u32 = 8;

/// What the sinks after one of this role must be left, for one round of batches. `later` is what each of them
/// needs, in order, and whether its breaker is closed.
///
/// At shutdown that is the time of each of them. Before, it is the time of one fallback, kept from the primary:
/// a batch that finds no time at the second fallback is not lost, it waits for the next flush, and the primary
/// makes better use of what two would be kept.
pub(crate) fn reserve(
    phase: Phase,
    role: Role,
    mut later: impl Iterator<Item = (Duration, bool)>,
) -> Duration {
    match (phase, role) {
        (Phase::Shutdown, _) => sum(later.map(|(needs, _)| needs)),
        (Phase::Handler | Phase::PostRuntime, Role::Primary) => later
            .find(|(_, is_closed)| *is_closed)
            .map(|(needs, _)| needs)
            .unwrap_or_default(),
        (Phase::Handler | Phase::PostRuntime, Role::Fallback) => Duration::ZERO,
    }
}

/// What must be left should the environment be taken down during an attempt: the time of every sink, for all are
/// asked again then. The one that is asked too: the request may hang, and its sink be healthy again.
pub(crate) fn shutdown_reserve(all: impl Iterator<Item = Duration>) -> Duration {
    sum(all)
}

/// Of the time that is left never more than half is kept from the sink that is asked.
pub(crate) fn kept(reserve: Duration, left: Duration) -> Duration {
    reserve.min(left / 2)
}

/// How long a refused body may be halved in a shutdown that has this time left.
pub(crate) fn halving(left: Duration) -> Duration {
    left / HALVING_SHARE
}

fn sum(all: impl Iterator<Item = Duration>) -> Duration {
    all.fold(Duration::ZERO, Duration::saturating_add)
}
