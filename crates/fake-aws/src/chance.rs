//! Faults at random: the same ones for the same seed and order of calls.

use http::StatusCode;

/// How often calls go wrong, and which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// The share of all calls, from 0 to 1.
    pub share: f64,
    /// What decides which ones.
    pub seed: u64,
    /// Whether some are never answered. Others then have to do for them.
    pub hangs: bool,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    /// What it is answered with; not at all without one.
    pub(crate) status: Option<StatusCode>,
    /// Whether what was asked is done all the same.
    pub(crate) is_done: bool,
}

impl Faults {
    /// What becomes of the call of this number; none where nothing goes wrong.
    pub(crate) fn fate(&self, number: u64, is_write: bool) -> Option<Fate> {
        let drawn = mixed(self.seed ^ mixed(number));
        // 53 bits are what a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "they are 53 bits")]
        let share = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
        if share >= self.share {
            return None;
        }
        let drawn = mixed(drawn);
        let is_done = drawn & 4 != 0;
        Some(match drawn & 3 {
            0 => Fate {
                status: Some(StatusCode::TOO_MANY_REQUESTS),
                is_done: false,
            },
            // What only reads is in nobody's way.
            1 => Fate {
                status: Some(if is_write {
                    StatusCode::CONFLICT
                } else {
                    StatusCode::TOO_MANY_REQUESTS
                }),
                is_done: false,
            },
            2 if self.hangs => Fate {
                status: None,
                is_done,
            },
            _ => Fate {
                status: Some(StatusCode::INTERNAL_SERVER_ERROR),
                is_done,
            },
        })
    }
}

/// `SplitMix64`'s step: every bit of the result depends on every bit of the number.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(faults: Faults, is_write: bool) -> Vec<Fate> {
        (0..10_000)
            .filter_map(|number| faults.fate(number, is_write))
            .collect()
    }

    #[test]
    fn the_share_is_kept_and_every_fault_is_drawn() {
        let faults = Faults {
            share: 0.1,
            seed: 7,
            hangs: true,
        };
        let drawn = fates(faults, true);
        assert!((900..1100).contains(&drawn.len()), "{}", drawn.len());
        for status in [Some(429), Some(409), Some(500), None] {
            let of = |fate: &&Fate| fate.status.map(|status| status.as_u16()) == status;
            let (all, done) = (
                drawn.iter().filter(of).count(),
                drawn.iter().filter(of).filter(|fate| fate.is_done).count(),
            );
            assert!(all > 200, "{status:?}: {all}");
            let is_refused = matches!(status, Some(429 | 409));
            assert!(if is_refused {
                done == 0
            } else {
                done > 80 && done < all - 80
            });
        }
        assert_eq!(drawn, fates(faults, true));
        assert_ne!(drawn, fates(Faults { seed: 8, ..faults }, true));
    }

    #[test]
    fn reads_have_no_conflicts_and_hangs_can_be_left_out() {
        let faults = Faults {
            share: 1.0,
            seed: 7,
            hangs: false,
        };
        let drawn = fates(faults, false);
        assert_eq!(drawn.len(), 10_000);
        let conflict = Some(StatusCode::CONFLICT);
        assert!(
            drawn
                .iter()
                .all(|fate| fate.status.is_some() && fate.status != conflict)
        );
        assert_eq!(
            fates(
                Faults {
                    share: 0.0,
                    ..faults
                },
                true
            ),
            []
        );
    }
}
