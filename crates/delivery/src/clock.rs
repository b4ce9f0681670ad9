//! Wall time, which goes on while the execution environment is frozen.
//!
//! Within an invocation durations are measured by tokio's monotonic clock; what must hold across a
//! freeze (a breaker's cooldown, the rate of invocations) is measured by this one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant of wall time, as the time since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Wall(pub Duration);

impl Wall {
    /// The time since `earlier`; zero where the clock was set back.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A moment in UTC's civil calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: u64,
    /// Month, from 1.
    pub month: u64,
    /// Day of the month, from 1.
    pub day: u64,
    /// Hour, from 0.
    pub hour: u64,
}

impl Wall {
    /// The UTC date and hour, by Howard Hinnant's `civil_from_days`.
    pub fn civil(self) -> Civil {
        let seconds = self.0.as_secs();
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

    /// As RFC 3339 has it, in UTC, to the millisecond.
    pub fn rfc3339(self) -> String {
        let Civil {
            year,
            month,
            day,
            hour,
        } = self.civil();
        let (seconds, milliseconds) = (self.0.as_secs() % 3600, self.0.subsec_millis());
        let (minute, second) = (seconds / 60, seconds % 60);
        format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"
        )
    }
}

impl std::ops::Add<Duration> for Wall {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
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
            assert_eq!(Wall(Duration::from_secs(seconds)).rfc3339(), expected);
        }
    }
}
