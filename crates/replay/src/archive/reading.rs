//! What `cat` and `stats` share: which objects are read, and what became of each.
//!
//! Invariants: every object of the listing is in exactly one count; what is damaged or foreign is named by
//! its key and the reason.

use std::collections::VecDeque;

use backstop_archive::{Filter, Line};
use backstop_common::{plural, size};
use serde::Serialize;

use super::{Archive, InGlacier, Listed, Listing};

/// The small objects that are read in the place of a large one: each takes a request and little else.
const SMALL_FOR_LARGE: usize = 8;
/// The most stored bytes of a small object.
const SMALL: u64 = 128 * 1024;

/// What is read side by side: this number of large objects, or more small ones.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    taken: usize,
}

impl Room {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            most: concurrency.max(1) * SMALL_FOR_LARGE,
            taken: 0,
        }
    }

    /// What an object takes of it.
    pub(super) fn of(object: &Listed) -> usize {
        if object.bytes > SMALL {
            SMALL_FOR_LARGE
        } else {
            1
        }
    }

    pub(super) fn has(&self, part: usize) -> bool {
        self.taken + part <= self.most
    }

    pub(super) fn take(&mut self, part: usize) {
        self.taken += part;
    }

    pub(super) fn give_back(&mut self, part: usize) {
        self.taken = self.taken.saturating_sub(part);
    }
}

/// Is shown what happens.
pub trait Watch: Send + Sync {
    /// Something is damaged or foreign.
    fn trouble(&self, key: &str, problem: &str);
    /// This many stored bytes were found.
    fn found(&self, _bytes: u64) {}
    /// This many stored bytes were read.
    fn read(&self, _bytes: u64) {}
}

/// What became of the objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// Objects that were read, or for `ls` listed.
    pub objects: u64,
    /// Their bytes as they are stored.
    pub stored_bytes: u64,
    /// Folders that were not listed, as nothing in them can be wanted.
    pub partitions_skipped: u64,
    /// Objects that were not read, by their keys or their age.
    pub objects_filtered: u64,
    /// Objects in an archive class of S3, which must be restored first.
    pub objects_to_restore: u64,
    /// Objects in the archive's folder that are not of the archive.
    pub objects_outside: u64,
    /// Objects that could not be read, or not to their end.
    pub objects_broken: u64,
    /// Records that the filter leaves out.
    pub filtered: u64,
    /// Lines that are not records.
    pub broken_lines: u64,
    /// Records that the filter admits.
    #[serde(skip)]
    pub(super) taken: u64,
    /// The reader left before the end: what was not read is in no count.
    #[serde(skip)]
    pub(super) is_cut_short: bool,
    #[serde(skip)]
    frozen: Frozen,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Frozen {
    bytes: u64,
    /// What is to be done, by the first of them.
    advice: Option<(String, String)>,
}

impl Sums {
    /// Whether everything that was wanted was read.
    pub fn is_complete(&self) -> bool {
        let left = self.objects_outside + self.objects_broken + self.broken_lines;
        left + self.objects_to_restore == 0
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        let read = self.objects + self.objects_filtered + self.objects_to_restore;
        let read = read + self.partitions_skipped + self.objects_outside + self.objects_broken;
        read == 0 && !self.is_cut_short
    }

    /// Whether something is there, and the filter leaves out all of it.
    pub fn is_nothing_wanted(&self) -> bool {
        let left_out = self.partitions_skipped + self.objects_filtered + self.filtered;
        let is_listed = self.objects > 0 && self.filtered == 0;
        left_out > 0 && self.taken == 0 && !is_listed && !self.is_cut_short
    }

    pub(super) fn add(&mut self, part: &Self) {
        self.objects += part.objects;
        self.stored_bytes += part.stored_bytes;
        self.objects_to_restore += part.objects_to_restore;
        self.objects_broken += part.objects_broken;
        self.filtered += part.filtered;
        self.taken += part.taken;
        self.broken_lines += part.broken_lines;
        self.frozen.bytes += part.frozen.bytes;
        if let Some(advice) = &part.frozen.advice
            && (self.frozen.advice.as_ref()).is_none_or(|known| advice.0 < known.0)
        {
            self.frozen.advice = Some(advice.clone());
        }
    }

    /// Names what must be restored, once for all of it.
    pub(super) fn end(&self, watch: &dyn Watch) {
        if let Some((key, advice)) = &self.frozen.advice {
            let more = match self.objects_to_restore {
                0 | 1 => String::new(),
                all => format!(
                    "{} ({}) are in S3 archive storage classes, and this is the first; restore \
                     many with an S3 Batch Operations job; ",
                    plural(all, "object"),
                    size(self.frozen.bytes)
                ),
            };
            watch.trouble(key, &format!("{more}{advice}"));
        }
    }
}

/// For a caller that does not want to see it.
impl Watch for () {
    fn trouble(&self, _key: &str, _problem: &str) {}
}

/// The objects that a filter admits, one by one, in the order of their keys.
#[derive(Debug)]
pub struct Objects<'a> {
    listing: Listing,
    filter: &'a Filter,
    found: VecDeque<Listed>,
}

impl<'a> Objects<'a> {
    /// Begins to list them, behind a key where one is given.
    pub fn new(archive: &Archive, filter: &'a Filter, after: Option<&str>) -> Self {
        Self {
            listing: archive.list_after(filter, after),
            filter,
            found: VecDeque::new(),
        }
    }

    /// The next one; what is passed over is counted, and shown if it is foreign.
    pub async fn next(
        &mut self,
        sums: &mut Sums,
        watch: &dyn Watch,
    ) -> anyhow::Result<Option<Listed>> {
        loop {
            if let Some(object) = self.found.pop_front() {
                if self.filter.admits_object(&object.key, object.written) {
                    return Ok(Some(object));
                }
                sums.objects_filtered += 1;
                continue;
            }
            let Some(page) = self.listing.next().await? else {
                return Ok(None);
            };
            sums.partitions_skipped += page.skipped.len() as u64;
            sums.objects_outside += page.outside.len() as u64;
            sums.objects_broken += page.unreadable.len() as u64;
            for key in &page.outside {
                watch.trouble(
                    key,
                    "skipped: it is not part of the archive, as no account= or stream= follows \
                     the v1 folder",
                );
            }
            for (key, problem) in &page.unreadable {
                watch.trouble(key, problem);
            }
            watch.found(page.objects.iter().map(|object| object.bytes).sum());
            self.found = page.objects.into();
        }
    }
}

/// Takes what is read of an object.
pub(super) trait Take: Send {
    /// A record that is wanted.
    fn line(&mut self, line: &Line<'_>);
    /// A piece of the object is read; false ends it.
    fn piece(&mut self) -> impl Future<Output = bool> + Send;
}

/// Reads an object to its end, as far as it can be read.
pub(super) async fn read(
    archive: &Archive,
    filter: &Filter,
    object: &Listed,
    watch: &dyn Watch,
    take: &mut impl Take,
) -> Sums {
    let mut sums = Sums::default();
    let mut reader = match archive.open(object).await {
        Ok(reader) => reader,
        Err(error) if error.is::<InGlacier>() => {
            sums.objects_to_restore = 1;
            sums.frozen = Frozen {
                bytes: object.bytes,
                advice: Some((object.key.clone(), error.to_string())),
            };
            return sums;
        }
        Err(error) => {
            sums.objects_broken = 1;
            watch.trouble(&object.key, &format!("{error:#}"));
            return sums;
        }
    };
    sums.objects = 1;
    sums.stored_bytes = object.bytes;
    let mut first_broken = None;
    loop {
        let is_more = reader.advance().await;
        while let Some((number, line)) = reader.next_line() {
            match line {
                Ok(line) if filter.judge(&object.key, &line.record).is_wanted => {
                    sums.taken += 1;
                    take.line(&line);
                }
                Ok(_) => sums.filtered += 1,
                Err(problem) => {
                    sums.broken_lines += 1;
                    first_broken.get_or_insert((number, problem));
                }
            }
        }
        if !take.piece().await {
            return sums;
        }
        if !is_more {
            break;
        }
    }
    if let Some((number, problem)) = first_broken {
        let problem = match sums.broken_lines {
            1 => format!("line {number} is not a record: {problem}"),
            all => format!("{all} lines are not records, the first is line {number}: {problem}"),
        };
        watch.trouble(&object.key, &problem);
    }
    if let Some(problem) = reader.problem() {
        sums.objects_broken = 1;
        watch.trouble(&object.key, problem);
    }
    watch.read(object.bytes);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_objects_are_read_in_the_place_of_a_large_one() {
        let object = |bytes| Listed {
            bytes,
            ..Listed::default()
        };
        for (bytes, side_by_side) in [(SMALL + 1, 4), (SMALL, 32), (0, 32)] {
            let mut room = Room::new(4);
            let part = Room::of(&object(bytes));
            let mut count = 0;
            while room.has(part) {
                room.take(part);
                count += 1;
            }
            assert_eq!(count, side_by_side, "{bytes}");
            room.give_back(part);
            assert!(room.has(part));
        }
        // Whatever was asked for, one object can be read.
        assert!(Room::new(0).has(Room::of(&object(u64::MAX))));
    }
}
