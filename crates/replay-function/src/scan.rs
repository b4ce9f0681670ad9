//! What the probe finds in the archive: objects that were written since its cursor.
//!
//! Invariants: a listing ends at a cap, or when its time is over, and the next one goes on behind the last key
//! that was looked at; each object that was written up to the end of a pass was looked at once. Must not: put
//! anything into the queue.

use anyhow::bail;
use backstop_archive::{Filter, LATEST_WRITE_MS, Moment};
use backstop_common::time::now_ms;
use backstop_replay::archive::{Objects, Sums};
use backstop_replay::queue::{Order, Wanted};
use serde_json::json;

use crate::app::{App, Stop};
use crate::report::Report;
use crate::state::{Cursor, Pass};

/// A cursor that is older is moved even if there was nothing, so that listings do not grow.
const OLD_MS: i64 = 24 * 3600 * 1000;
/// What to do with objects that must be restored.
const FROZEN: &str = "they are in an S3 archive storage class and were not put into the queue: restore them, then \
    enqueue them by hand";

/// What a listing from the cursor on has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) orders: Vec<Order>,
    pub(crate) bytes: u64,
    /// When the oldest of them was written, in milliseconds.
    oldest: Option<i64>,
    until: i64,
    /// The last key that was looked at, where a cap or the time ended the listing.
    pub(crate) last: Option<String>,
    /// Objects that must be restored first, and the key of one.
    frozen: u64,
    first_frozen: Option<String>,
}

impl App {
    /// Lists what was written since the cursor, up to the cap or the end of the time.
    pub(crate) async fn scan(&self, cursor: &Cursor, mut stop: Stop) -> anyhow::Result<Found> {
        let settled = cursor.settled.unwrap_or(i64::MIN);
        let newest = now_ms() - i64::from(self.settings.settle) * 1000;
        let (until, after) = match &cursor.pass {
            Some(pass) => (pass.until, Some(pass.after.as_str())),
            None => (newest, None),
        };
        let filter = Filter {
            // A key names the hour of its records, which may be written much later.
            since: (cursor.settled).map(|settled| Moment(settled.saturating_sub(LATEST_WRITE_MS))),
            // A mark says nothing of copies, and only a tag can be on them.
            without_mirrored: true,
            ..Filter::default()
        };
        let mut found = Found {
            until,
            ..Found::default()
        };
        let archive = self.archive();
        let bucket = &self.settings.archive.bucket;
        let mut sums = Sums::default();
        let mut objects = Objects::new(&archive, &filter, after);
        let mut last = None;
        loop {
            let object = tokio::select! {
                object = objects.next(&mut sums, &()) => object?,
                Ok(_) = stop.wait_for(|stop| *stop) => {
                    found.last = last;
                    if found.last.is_none() {
                        bail!(
                            "the archive's folders could not be listed in half of the function's timeout: give \
                             it a longer one"
                        );
                    }
                    return Ok(found);
                }
            };
            let Some(object) = object else {
                return Ok(found);
            };
            let written = object.written.map_or(until, |it| it.0);
            let is_new = settled < written && written <= until;
            if is_new && object.is_frozen {
                found.frozen += 1;
                found.first_frozen.get_or_insert_with(|| object.key.clone());
            } else if is_new {
                let limits = self.settings.limits;
                let taken = found.orders.len() as u64;
                // One object is always taken, or a large one would end all runs.
                if taken > 0 && limits.is_reached(taken, found.bytes, object.bytes) {
                    found.last = last;
                    return Ok(found);
                }
                found.bytes = found.bytes.saturating_add(object.bytes);
                found.oldest = Some(found.oldest.map_or(written, |it| it.min(written)));
                let order = Order::new(bucket, &object, Wanted::default());
                found.orders.push(order);
            }
            last = Some(object.key);
        }
    }
}

impl Found {
    /// What there is, into the log.
    pub(crate) fn tell(&self, report: &mut Report) {
        if let Some(oldest) = self.oldest {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of some years")]
            let age = (now_ms() - oldest).max(0) as f64 / 1000.0;
            report.seconds("OldestUnreplayedAge", age);
        }
        report.count("ObjectsToRestore", self.frozen);
        if let Some(first) = &self.first_frozen {
            let frozen = json!({ "objects": self.frozen, "first": first, "advice": FROZEN });
            report.say("toRestore", frozen);
        }
    }

    /// Only the first ones are in the queue.
    pub(crate) fn keep(&mut self, sent: usize) {
        if sent < self.orders.len() {
            self.orders.truncate(sent);
            self.bytes = self.orders.iter().map(|order| order.bytes).sum();
            self.last = self.orders.last().map(|order| order.key.clone());
        }
    }
}

impl Cursor {
    /// Whether it is worth a write although there was nothing: a pass goes on or ends, or this one is old.
    pub(crate) fn is_moved_to(&self, next: &Self) -> bool {
        let (Some(settled), Some(next_settled)) = (self.settled, next.settled) else {
            return self != next;
        };
        self.pass != next.pass || next_settled.saturating_sub(settled) > OLD_MS
    }

    /// How far it is once that is in the queue.
    pub(crate) fn after(&self, found: &Found) -> Self {
        match &found.last {
            Some(last) => Self {
                settled: self.settled,
                pass: Some(Pass {
                    until: found.until,
                    after: last.clone(),
                }),
            },
            None => Self {
                settled: Some(found.until),
                pass: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_moves_to_the_end_of_a_pass_and_stays_while_a_cap_ends_it() {
        let start = Cursor::default();
        let first = Found {
            until: 100,
            last: Some("k".to_owned()),
            ..Found::default()
        };
        let middle = start.after(&first);
        assert_eq!(middle.settled, None);
        assert_eq!(
            middle.pass,
            Some(Pass {
                until: 100,
                after: "k".to_owned()
            })
        );
        let rest = Found {
            until: 100,
            ..Found::default()
        };
        let end = middle.after(&rest);
        assert_eq!(
            end,
            Cursor {
                settled: Some(100),
                pass: None
            }
        );
    }

    #[test]
    fn a_cursor_is_written_without_objects_only_where_a_listing_would_begin_again_or_grow() {
        let at = |settled, pass: Option<(i64, &str)>| Cursor {
            settled,
            pass: pass.map(|(until, after)| Pass {
                until,
                after: after.to_owned(),
            }),
        };
        let (day, old) = (OLD_MS, at(Some(0), None));
        for (cursor, next, is_moved) in [
            (&old, at(Some(1000), None), false),
            (&old, at(Some(day + 1), None), true),
            // The time ended a listing that had found nothing yet.
            (&old, at(Some(0), Some((9, "k"))), true),
            (&at(None, None), at(Some(1000), None), true),
            (&at(None, Some((9, "k"))), at(None, Some((9, "m"))), true),
        ] {
            assert_eq!(cursor.is_moved_to(&next), is_moved, "{cursor:?} {next:?}");
        }
    }
}
