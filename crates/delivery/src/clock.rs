//! Wall time, which goes on while the execution environment is frozen.
//!
//! Within an invocation durations are measured by tokio's monotonic clock; what must hold across a
//! freeze (a breaker's cooldown, the rate of invocations) is measured by this one.
//!
//! Invariant: no clock and no text panics here. A time beyond the year 9999 is written as the last moment
//! of that year: four digits are all that RFC 3339 and the archive's keys have.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant of wall time, as the time since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Wall(pub Duration);

impl Wall {
    /// The time since `earlier`; zero where the clock was set back.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Milliseconds since the epoch.
    pub fn milliseconds(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the epoch, which 64 bits hold until 2554.
    pub fn nanoseconds(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A moment in UTC's civil calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: u64,
    /// Month, from 1.
    pub month: u64,
    /// Day of the month, from 1.
    pub day: u64,
    /// Hour, from 0.
    pub hour: u64,
}

impl Wall {
    /// The last moment that has a date in four digits: 9999-12-31T23:59:59.999Z.
    pub const LAST: Self = Self(Duration::from_millis(253_402_300_799_999));

    /// The UTC date and hour, by Howard Hinnant's `civil_from_days`.
    pub fn civil(self) -> Civil {
        let seconds = self.min(Self::LAST).0.as_secs();
        let (days, hour) = (seconds / 86_400, seconds % 86_400 / 3600);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        Civil {
            year,
            month,
            day,
            hour,
        }
    }

    /// Reads what [`Wall::rfc3339`] writes, with any number of decimals: the form Lambda uses, always
    /// in UTC. `None` for anything else, such as a day that there is not.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (head, decimals) = text.as_bytes().split_first_chunk::<19>()?;
        let is_separated = head[4] == b'-'
            && head[7] == b'-'
            && head[10] == b'T'
            && head[13] == b':'
            && head[16] == b':';
        let mut are_digits = true;
        let mut two = |at: usize| {
            let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
            are_digits &= tens < 10 && ones < 10;
            u64::from(tens) * 10 + u64::from(ones)
        };
        let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
        let (hour, minute, second) = (two(11), two(14), two(17));
        if !is_separated || !are_digits {
            return None;
        }
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last_day = match month {
            2 => 28 + u64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if year < 1970
            || !(1..=12).contains(&month)
            || !(1..=last_day).contains(&day)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return None;
        }
        // The inverse of `civil`: years begin in March, so that the leap day is the last.
        let year = if month <= 2 { year - 1 } else { year };
        let (era, year_of_era) = (year / 400, year % 400);
        let month_from_march = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
        let nanos = match decimals {
            [b'Z'] => 0,
            // More than nine are read and not kept.
            [b'.', decimals @ .., b'Z'] if !decimals.is_empty() => {
                let (mut nanos, mut place) = (0, 100_000_000);
                for byte in decimals {
                    if !byte.is_ascii_digit() {
                        return None;
                    }
                    nanos += u32::from(byte & 0x0f) * place;
                    place /= 10;
                }
                nanos
            }
            _ => return None,
        };
        Some(Self(Duration::new(seconds, nanos)))
    }

    /// As RFC 3339 has it, in UTC, to the millisecond.
    pub fn rfc3339(self) -> String {
        let wall = self.min(Self::LAST);
        let Civil {
            year,
            month,
            day,
            hour,
        } = wall.civil();
        let (seconds, milliseconds) = (wall.0.as_secs() % 3600, wall.0.subsec_millis());
        let (minute, second) = (seconds / 60, seconds % 60);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let milliseconds = u64::from(milliseconds);
        let parts = [
            (3, year),
            (6, month),
            (9, day),
            (12, hour),
            (15, minute),
            (18, second),
            (22, milliseconds),
        ];
        for (last, number) in parts {
            let (mut at, mut left) = (last, number);
            while left > 0 {
                text[at] = b'0' + (left % 10).to_le_bytes()[0];
                left /= 10;
                at = at.wrapping_sub(1);
            }
        }
        // Digits and what stands between them are text.
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Ends at the end of time instead of beyond it.
impl std::ops::Add<Duration> for Wall {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// Where wall time comes from; tests bring their own.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The wall time now.
    fn wall(&self) -> Wall;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Wall {
        Wall(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_at_the_calendars_corners() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let wall = Wall(Duration::from_secs(seconds));
            assert_eq!(wall.rfc3339(), expected);
            assert_eq!(Wall::from_rfc3339(expected), Some(wall));
        }
    }

    #[test]
    fn no_time_has_passed_since_an_instant_that_is_yet_to_come() {
        let (early, late) = (Wall(Duration::from_secs(5)), Wall(Duration::from_secs(7)));
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO, "the clock was set back");
    }

    #[test]
    fn times_are_read_as_lambda_writes_them_and_nothing_else_is_guessed() {
        let milliseconds = |text| Wall::from_rfc3339(text).map(|wall| wall.0.as_millis());
        assert_eq!(
            milliseconds("2022-10-21T14:05:05.764Z"),
            Some(1_666_361_105_764)
        );
        assert_eq!(
            milliseconds("2022-10-21T14:05:05.764123456Z"),
            Some(1_666_361_105_764)
        );
        assert_eq!(
            milliseconds("2022-10-21T14:05:05Z"),
            Some(1_666_361_105_000)
        );
        for text in [
            "",
            "t",
            "2022-08-02T12:01:23:521Z",
            "2022-10-21 14:05:05Z",
            "2022-13-01T00:00:00Z",
            "2022-10-21T14:05:05+01:00",
            "2022-10-21T14:05:05.76xZ",
            "0000-01-01T00:00:00Z",
            "2022-10-2éT14:05:05Z",
            "2022-02-29T00:00:00Z",
            "2022-04-31T00:00:00Z",
            "2022-10-21T24:05:05Z",
            "2022-10-21T14:60:05Z",
            "2022-10-21T14:05:60Z",
            "2022-+1-21T14:05:05Z",
            "2022-10-21T14:05:05.Z",
            "2022-10-21T14:05:05.+7Z",
            "10000-01-01T00:00:00Z",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
