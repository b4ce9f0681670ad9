//! Halving, without a sink and without time: which records are found, in how many requests, and what is
//! concluded of those that were not asked alone.

use std::collections::BTreeSet;

use backstop_delivery::{Isolation, Turn};
use proptest::prelude::*;

const BOUND: u32 = 128;

/// What became of each record, and how many requests that took.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fate {
    taken: BTreeSet<usize>,
    alone: BTreeSet<usize>,
    condemned: BTreeSet<usize>,
    unresolved: BTreeSet<usize>,
    requests: usize,
}

fn isolate(records: usize, refuses_all: bool, is_bad: impl Fn(usize) -> bool) -> Fate {
    let all: Vec<usize> = (0..records).collect();
    let mut isolation = Isolation::new(all, BOUND, refuses_all);
    let mut fate = Fate::default();
    loop {
        match isolation.turn() {
            Turn::Done => return fate,
            Turn::Condemned(rest) => fate.condemned.extend(rest.concat()),
            Turn::Unresolved(rest) => fate.unresolved.extend(rest.concat()),
            Turn::Ask(piece) => {
                fate.requests += 1;
                if !piece.iter().any(|record| is_bad(*record)) {
                    fate.taken.extend(piece);
                    isolation.taken();
                } else if let Some(alone) = isolation.refused(piece) {
                    fate.alone.extend(alone);
                }
            }
        }
    }
}

#[test]
fn one_bad_record_is_found_wherever_it_is_in_two_requests_for_each_halving() {
    for (records, most) in [(1, 1), (2, 3), (16, 9), (501, 19), (1000, 21), (10_000, 29)] {
        for bad in [0, 1, records / 3, records / 2, records - 1] {
            let bad = bad.min(records - 1);
            let fate = isolate(records, false, |record| record == bad);
            assert_eq!(fate.alone, BTreeSet::from([bad]), "{bad} of {records}");
            assert_eq!(fate.taken.len(), records - 1, "{bad} of {records}");
            assert!(
                fate.requests <= most,
                "{bad} of {records}: {}",
                fate.requests
            );
        }
    }
}

#[test]
fn ten_bad_records_of_five_hundred_are_all_found() {
    let fate = isolate(500, false, |record| record % 50 == 17);
    assert_eq!((fate.alone.len(), fate.taken.len()), (10, 490));
    assert!(fate.requests <= 110, "{}", fate.requests);
}

#[test]
fn a_sink_that_refuses_everything_is_found_out_and_the_next_time_sooner() {
    for (records, refuses_all, requests) in [
        (1, false, 1),
        (4, false, 7),
        (10, false, 13),
        (1000, false, 20),
        (10_000, false, 22),
        (1, true, 1),
        (10, true, 5),
        (10_000, true, 5),
    ] {
        let fate = isolate(records, refuses_all, |_| true);
        assert_eq!(
            fate.alone.len() + fate.condemned.len(),
            records,
            "{records}"
        );
        assert_eq!(fate.requests, requests, "{records}, again: {refuses_all}");
    }
}

/// A burst of bad records at either end, or all of one half: their neighbours are taken.
#[test]
fn bad_records_that_are_neighbours_condemn_no_other() {
    for bad in [0..4, 0..20, 480..500, 0..250, 250..500, 100..130] {
        for refuses_all in [false, true] {
            let fate = isolate(500, refuses_all, |record| bad.contains(&record));
            assert_eq!(fate.condemned.len(), 0, "{bad:?}");
            assert!(fate.alone.iter().all(|record| bad.contains(record)));
            assert_eq!(
                fate.alone.len() + fate.taken.len() + fate.unresolved.len(),
                500
            );
        }
    }
}

#[test]
fn every_second_record_bad_ends_at_the_bound_and_condemns_none() {
    for parity in [0, 1] {
        let fate = isolate(1000, false, |record| record % 2 == parity);
        assert!(fate.condemned.is_empty());
        assert!(!fate.unresolved.is_empty());
        assert!(fate.requests <= BOUND as usize, "{}", fate.requests);
    }
}

#[test]
fn what_was_cut_for_another_reason_stays_first_and_in_order() {
    let all = [1, 2, 3, 4];
    let mut isolation = Isolation::new(all[..].to_vec(), BOUND, false);
    assert_eq!(isolation.turn(), Turn::Ask(all[..].to_vec()));
    isolation.put_first(vec![all[..1].to_vec(), all[1..].to_vec()]);
    assert_eq!(isolation.turn(), Turn::Ask(all[..1].to_vec()));
    isolation.taken();
    assert_eq!(
        isolation.turn(),
        Turn::Ask(all[1..].to_vec()),
        "nothing is known of it"
    );
    assert_eq!(isolation.too_large(all[1..].to_vec()), None);
    assert_eq!(isolation.rest(), [all[1..2].to_vec(), all[2..].to_vec()]);
    assert_eq!(isolation.turn(), Turn::Done);
}

#[test]
fn what_was_too_large_says_nothing_of_its_halves() {
    let all = [1, 2, 3, 4];
    let mut isolation = Isolation::new(all[..].to_vec(), BOUND, false);
    assert_eq!(isolation.turn(), Turn::Ask(all[..].to_vec()));
    isolation.too_large(all[..].to_vec());
    for half in [all[..2].to_vec(), all[2..].to_vec()] {
        assert_eq!(isolation.turn(), Turn::Ask(half));
        isolation.taken();
    }
    assert_eq!(isolation.turn(), Turn::Done);
}

/// However many pieces it takes.
#[test]
fn what_fits_in_small_pieces_is_taken_in_small_pieces() {
    let all: Vec<usize> = (0..1000).collect();
    let mut isolation = Isolation::new(all[..].to_vec(), BOUND, false);
    let mut taken: Vec<usize> = Vec::new();
    while let Turn::Ask(piece) = isolation.turn() {
        if piece.len() > 2 {
            assert_eq!(isolation.too_large(piece), None);
        } else {
            taken.extend(piece);
            isolation.taken();
        }
    }
    assert_eq!(taken, all);
    assert_eq!(isolation.turn(), Turn::Done);
}

#[test]
fn what_was_cut_for_a_probe_is_asked_before_a_sample_is() {
    let all: Vec<usize> = (0..100).collect();
    let mut isolation = Isolation::new(all[..].to_vec(), BOUND, true);
    assert_eq!(isolation.turn(), Turn::Ask(all[..].to_vec()));
    isolation.put_first(vec![all[..64].to_vec(), all[64..].to_vec()]);
    assert_eq!(isolation.turn(), Turn::Ask(all[..64].to_vec()));
}

proptest! {
    #[test]
    fn every_record_has_one_fate_and_a_good_one_is_never_refused_alone(
        records in 1usize..2000,
        bad in prop::collection::btree_set(0usize..2000, 0..60),
        refuses_all in any::<bool>(),
    ) {
        let fate = isolate(records, refuses_all, |record| bad.contains(&record));
        let sets = [&fate.taken, &fate.alone, &fate.condemned, &fate.unresolved];
        let sum: usize = sets.iter().map(|set| set.len()).sum();
        let union: BTreeSet<usize> = sets.into_iter().flatten().copied().collect();
        prop_assert_eq!(sum, records);
        prop_assert_eq!(union.len(), records);
        prop_assert!(fate.alone.is_subset(&bad));
        prop_assert!(fate.requests <= BOUND as usize);
        if !fate.taken.is_empty() {
            prop_assert!(fate.condemned.is_empty());
        }
    }
}
