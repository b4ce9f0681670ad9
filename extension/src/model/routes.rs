//! The route as a dimension: what must be archived beside what is delivered.

use std::collections::BTreeSet;

use backstop_config::Routing;
use backstop_delivery::{Record, Route};
use proptest::prelude::*;

use super::rules::Totals;
use super::steps::Setup;
use super::world::{Number, World, number_of};
use crate::pipeline::Routes;

/// Added to a record's number, that of its copy.
const MIRRORED: Number = 1 << 41;

/// The number of a record: a copy is another one, under the same id.
pub(super) fn number_of_record(record: &Record) -> Number {
    let number = number_of(record);
    match record.route() {
        Route::Mirrored => number + MIRRORED,
        Route::Deliver | Route::Archived => number,
    }
}

/// The number of the record that a copy is of, or of the record itself.
pub(super) fn original(number: Number) -> Number {
    number & !MIRRORED
}

pub(super) fn is_copy(number: Number) -> bool {
    number & MIRRORED != 0
}

pub(super) fn routing() -> impl Strategy<Value = Routing> {
    prop_oneof![
        3 => Just(Routing::Failover),
        2 => Just(Routing::Mirror),
        2 => Just(Routing::Sample),
    ]
}

impl Setup {
    /// The route, as the configuration lets it be: without a fallback nothing can be archived.
    pub(super) fn route(&self) -> Routing {
        match self.sinks {
            [_, false, false] => Routing::Failover,
            _ => self.routing,
        }
    }

    pub(super) fn routes(&self) -> Routes {
        Routes::of(self.route(), self.sinks[0])
    }
}

/// What the archive has to have, once nothing was lost: each record that was delivered, and under `sample` those
/// that were not.
pub(super) fn everything_is_archived(
    setup: &Setup,
    totals: &Totals,
    world: &World,
    in_spool: &BTreeSet<Number>,
) {
    let (taken, not_for_primary) = (world.taken(), world.not_for_primary());
    let at = |sinks: &[usize]| -> BTreeSet<Number> {
        let taken = sinks.iter().flat_map(|sink| &taken[*sink]);
        taken.map(|taken| taken.number).collect()
    };
    let (primary, fallbacks) = (at(&[0]), at(&[1, 2]));
    if setup.transforms.filters {
        let sent = totals.unwanted.intersection(&primary).next();
        assert!(sent.is_none(), "{sent:?} is not for the primary");
    }
    // An error that was dropped before sampling saw it does not keep its invocation.
    if !setup.transforms.joins && !totals.lost_unseen(setup) {
        let mut torn = totals.precious.intersection(&not_for_primary);
        let torn = torn.find(|it| !totals.unwanted.contains(it));
        assert!(
            torn.is_none(),
            "{torn:?} was not sent, of a failed invocation"
        );
    }
    if setup.route() == Routing::Failover {
        let all = primary.iter().chain(&fallbacks).chain(in_spool);
        assert!(all.copied().all(|number| !is_copy(number)), "a copy");
        return;
    }
    if !totals.is_whole() {
        return;
    }
    let archived: BTreeSet<Number> = fallbacks.iter().map(|it| original(*it)).collect();
    let waiting: BTreeSet<Number> = in_spool.iter().map(|it| original(*it)).collect();
    let missing = (totals.emitted.iter())
        .filter(|number| !archived.contains(number) && !waiting.contains(number));
    let missing: Vec<_> = match setup.route() {
        Routing::Mirror => missing
            .filter(|number| !totals.unwanted.contains(number))
            .collect(),
        _ => missing.collect(),
    };
    assert!(
        missing.len() as u64 <= totals.dropped_on_purpose(),
        "not archived: {missing:?}"
    );
}
