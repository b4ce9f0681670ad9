//! Which records of a body does a sink refuse? Halving finds out, within a bound.
//!
//! A pure state machine over anything that can be cut in two: the chain isolates in batches, `backstop
//! replay` in slices. It says what to ask next; asking is the caller's.
//!
//! - A refused body is halved and its first half asked. Where the sink takes that half, the other one
//!   is known to be refused, and is halved unasked.
//! - Only what was refused alone is a dead letter. The exception is a sink that refuses everything,
//!   for which a format that it does not read is enough: once eight records (`ENOUGH_REFUSED`) were refused
//!   alone, some of them neighbours and some spread over the body, and nothing of it was taken, the
//!   rest is condemned unasked. Of a second such body in a row four (`ENOUGH_AGAIN`) are asked.
//! - After a number of requests for one body the rest is handed back unresolved. It is no dead letter.
//!   Bodies that were only too large are halved without that bound, as long as the halves are taken.
//!
//! Invariants: every record is in exactly one piece that was handed out last, or still waits here;
//! pieces stay in order. Must not know what a record is, nor how long anything takes.

use std::collections::VecDeque;

use crate::batch::Batch;

/// So many records refused alone, and none taken: the sink refuses everything.
const ENOUGH_REFUSED: u32 = 8;
/// The same where the body before it was refused as a whole.
const ENOUGH_AGAIN: u32 = 4;
/// Of those, so many are neighbours; the others are spread.
const NEIGHBOURS: u32 = 4;

/// What can be cut in two.
pub trait Divisible: Sized {
    /// The number of records.
    fn count(&self) -> usize;
    /// The first `at` records, and the others. `at` is neither 0 nor all.
    fn cut(self, at: usize) -> (Self, Self);
}

impl Divisible for Batch {
    fn count(&self) -> usize {
        self.len()
    }

    fn cut(mut self, at: usize) -> (Self, Self) {
        let tail = self.split_off(at);
        (self, tail)
    }
}

impl<T> Divisible for &[T] {
    fn count(&self) -> usize {
        self.len()
    }

    fn cut(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<T> {
    /// Ask the sink for this piece, and say what it answered.
    Ask(T),
    /// The sink refuses everything: these are dead letters too.
    Condemned(Vec<T>),
    /// The bound is reached. The sink refused these together with others.
    Unresolved(Vec<T>),
    /// Nothing is left.
    Done,
}

/// The pieces of one body, in order.
#[derive(Debug)]
pub struct Isolation<T> {
    pieces: VecDeque<Piece<T>>,
    /// The piece under way was not the first one.
    is_sample: bool,
    requests_left: u32,
    /// Something was refused for what it says.
    has_refused: bool,
    refused_alone: u32,
    enough: u32,
    neighbours: u32,
    has_taken: bool,
}

#[derive(Debug)]
struct Piece<T> {
    what: T,
    knowledge: Knowledge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    Nothing,
    /// The other half of a refused body, of which the first one is before it.
    RestOfRefused,
    /// It would be refused.
    Refused,
}

impl<T: Divisible> Isolation<T> {
    /// Begins with a whole body, which may cost so many requests. `refuses_all`: the last one was
    /// refused as a whole.
    pub fn new(whole: T, most_requests: u32, refuses_all: bool) -> Self {
        let (enough, neighbours) = if refuses_all {
            (ENOUGH_AGAIN, 0)
        } else {
            (ENOUGH_REFUSED, NEIGHBOURS)
        };
        Self {
            pieces: VecDeque::from([Piece::unknown(whole)]),
            is_sample: false,
            requests_left: most_requests,
            has_refused: false,
            refused_alone: 0,
            enough,
            neighbours,
            has_taken: false,
        }
    }

    /// What to do next.
    pub fn turn(&mut self) -> Turn<T> {
        if self.pieces.is_empty() {
            return Turn::Done;
        }
        if !self.has_taken && self.refused_alone >= self.enough {
            return Turn::Condemned(self.rest());
        }
        if self.requests_left == 0 {
            return Turn::Unresolved(self.rest());
        }
        self.is_sample = self.wants_sample();
        let piece = if self.is_sample {
            self.sample()
        } else {
            self.first()
        };
        piece.map_or(Turn::Done, Turn::Ask)
    }

    /// The sink took the piece.
    pub fn taken(&mut self) {
        self.has_taken = true;
        if self.has_refused {
            self.requests_left = self.requests_left.saturating_sub(1);
        }
        self.learn(Knowledge::Refused);
    }

    /// The sink refused the piece, which is given back where it is a single record.
    pub fn refused(&mut self, piece: T) -> Option<T> {
        self.has_refused = true;
        self.halve(piece, Knowledge::RestOfRefused)
    }

    /// The sink called the piece too large: that says nothing of either half.
    pub fn too_large(&mut self, piece: T) -> Option<T> {
        self.halve(piece, Knowledge::Nothing)
    }

    /// The sink was not asked, or did not say.
    pub fn unheard(&mut self) {
        self.learn(Knowledge::Nothing);
    }

    /// Puts pieces first that were cut for another reason.
    pub fn put_first(&mut self, pieces: Vec<T>) {
        self.learn(Knowledge::Nothing);
        for piece in pieces.into_iter().rev() {
            self.pieces.push_front(Piece::unknown(piece));
        }
    }

    /// Takes out all that still waits, in order.
    pub fn rest(&mut self) -> Vec<T> {
        self.pieces.drain(..).map(|piece| piece.what).collect()
    }

    fn halve(&mut self, piece: T, of_the_rest: Knowledge) -> Option<T> {
        self.learn(Knowledge::Nothing);
        self.requests_left = self.requests_left.saturating_sub(1);
        if piece.count() < 2 {
            self.refused_alone += 1;
            return Some(piece);
        }
        self.push_halves(piece, of_the_rest);
        None
    }

    fn push_halves(&mut self, piece: T, knowledge: Knowledge) {
        let (head, tail) = halves(piece);
        self.pieces.push_front(Piece {
            what: tail,
            knowledge,
        });
        self.pieces.push_front(Piece::unknown(head));
    }

    /// What an answer for the piece before it says of the first piece.
    fn learn(&mut self, knowledge: Knowledge) {
        if let Some(first) = self.pieces.front_mut()
            && first.knowledge == Knowledge::RestOfRefused
            && !self.is_sample
        {
            first.knowledge = knowledge;
        }
    }

    /// The first piece, small enough not to be refused for certain.
    fn first(&mut self) -> Option<T> {
        loop {
            let piece = self.pieces.pop_front()?;
            // A single record is asked whatever is known: only then is it a dead letter.
            if piece.knowledge != Knowledge::Refused || piece.what.count() < 2 {
                return Some(piece.what);
            }
            self.push_halves(piece.what, Knowledge::RestOfRefused);
        }
    }

    fn wants_sample(&self) -> bool {
        let was_refused = self.pieces.len() > 1;
        !self.has_taken && was_refused && self.refused_alone >= self.neighbours
    }

    /// A record from the middle of the largest piece: each one is far from those before it.
    fn sample(&mut self) -> Option<T> {
        for piece in &mut self.pieces {
            // It may be cut now, or stand behind another piece than its first half.
            piece.knowledge = Knowledge::Nothing;
        }
        let sizes = self.pieces.iter().enumerate();
        let (index, _) = sizes.max_by_key(|(_, piece)| piece.what.count())?;
        let piece = self.pieces.remove(index)?.what;
        if piece.count() < 2 {
            return Some(piece);
        }
        let (head, tail) = halves(piece);
        self.pieces.insert(index, Piece::unknown(tail));
        if head.count() < 2 {
            return Some(head);
        }
        let last = head.count() - 1;
        let (head, sample) = head.cut(last);
        self.pieces.insert(index, Piece::unknown(head));
        Some(sample)
    }
}

impl<T> Piece<T> {
    fn unknown(what: T) -> Self {
        Self {
            what,
            knowledge: Knowledge::Nothing,
        }
    }
}

/// The two halves of a piece of more than one record.
pub(crate) fn halves<T: Divisible>(piece: T) -> (T, T) {
    let middle = piece.count() / 2;
    piece.cut(middle)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

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
        let mut isolation = Isolation::new(&all[..], BOUND, refuses_all);
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
        let mut isolation = Isolation::new(&all[..], BOUND, false);
        assert_eq!(isolation.turn(), Turn::Ask(&all[..]));
        isolation.put_first(vec![&all[..1], &all[1..]]);
        assert_eq!(isolation.turn(), Turn::Ask(&all[..1]));
        isolation.taken();
        assert_eq!(
            isolation.turn(),
            Turn::Ask(&all[1..]),
            "nothing is known of it"
        );
        assert_eq!(isolation.too_large(&all[1..]), None);
        assert_eq!(isolation.rest(), [&all[1..2], &all[2..]]);
        assert_eq!(isolation.turn(), Turn::Done);
    }

    #[test]
    fn what_was_too_large_says_nothing_of_its_halves() {
        let all = [1, 2, 3, 4];
        let mut isolation = Isolation::new(&all[..], BOUND, false);
        assert_eq!(isolation.turn(), Turn::Ask(&all[..]));
        isolation.too_large(&all[..]);
        for half in [&all[..2], &all[2..]] {
            assert_eq!(isolation.turn(), Turn::Ask(half));
            isolation.taken();
        }
        assert_eq!(isolation.turn(), Turn::Done);
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
}
