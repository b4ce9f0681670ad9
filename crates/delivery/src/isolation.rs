//! Which records of a body does a sink refuse? Halving finds out, within a bound.
//!
//! A pure state machine over anything that can be cut in two: the chain isolates in batches, `backstop
//! replay` in lists. It says what to ask next; asking is the caller's.
//!
//! - A refused body is halved and its first half asked. Where the sink takes that half, the other one
//!   is known to be refused, and is halved unasked.
//! - A sink may name the record that it refuses. What stands before it and after it are two pieces, so that
//!   each record is sent at most once more whether or not the sink has kept those before it.
//! - Only what was refused alone, or by name, is a dead letter. The exception is a sink that refuses everything,
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

/// Once this number of records was refused alone and none taken, the sink refuses everything.
const ENOUGH_REFUSED: u32 = 8;
/// The same where the body before it was refused as a whole.
const ENOUGH_AGAIN: u32 = 4;
/// The number of those that are neighbours; the others are spread.
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

impl<T> Divisible for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn cut(mut self, at: usize) -> (Self, Self) {
        let tail = self.split_off(at);
        (self, tail)
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
    seen: Seen,
    refused_alone: u32,
    enough: u32,
    neighbours: u32,
}

/// What the sink has done so far.
#[derive(Debug, Default)]
struct Seen {
    /// Something was taken.
    taken: bool,
    /// Something was refused for what it says.
    refused: bool,
    /// Something was halved, for that or for its size.
    halved: bool,
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
    /// Begins with a whole body, which may cost `most_requests`. `refuses_all`: the last one was
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
            seen: Seen::default(),
            refused_alone: 0,
            enough,
            neighbours,
        }
    }

    /// What to do next.
    pub fn turn(&mut self) -> Turn<T> {
        if self.pieces.is_empty() {
            return Turn::Done;
        }
        if !self.seen.taken && self.refused_alone >= self.enough {
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
        self.seen.taken = true;
        if self.seen.refused {
            self.requests_left = self.requests_left.saturating_sub(1);
        }
        self.learn(Knowledge::Refused);
    }

    /// The sink refused the piece, which is given back where it is a single record.
    pub fn refused(&mut self, piece: T) -> Option<T> {
        self.seen.refused = true;
        self.requests_left = self.requests_left.saturating_sub(1);
        self.halve(piece, Knowledge::RestOfRefused)
    }

    /// The sink called the piece too large, or is known to: that says nothing of either half. Only what
    /// is too large alone counts as a request, as the size that a sink takes is soon known.
    pub fn too_large(&mut self, piece: T) -> Option<T> {
        if piece.count() < 2 {
            self.requests_left = self.requests_left.saturating_sub(1);
        }
        self.halve(piece, Knowledge::Nothing)
    }

    /// The sink refused one record of the piece by its number. `rest` is what stood before it and after it.
    pub fn named(&mut self, rest: Vec<T>) {
        self.seen.refused = true;
        self.seen.halved = true;
        self.requests_left = self.requests_left.saturating_sub(1);
        self.refused_alone += 1;
        self.put_first(rest);
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
        self.seen.halved = true;
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
        !self.seen.taken && self.seen.halved && self.refused_alone >= self.neighbours
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
