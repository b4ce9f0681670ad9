//! What hyper's server needs of the crate `httpdate`, for any clock.
//!
//! hyper forms a date each second for a header that the listener does not even send, and the original panics at a time
//! before 1970 or after 9999. The layer aborts at a panic, so that a clock that is wrong would end the extension with the
//! first telemetry.
//!
//! Invariant: total, and always 29 characters long, for which hyper has room.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59Z, the last second that has a date.
const LAST: Duration = Duration::from_secs(253_402_300_799);
const SECONDS_OF_A_DAY: u64 = 86_400;
/// The first of January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// A date as [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7) has it, such as `Sun, 06 Nov 1994 08:49:37
/// GMT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpDate {
    /// Seconds since 1970.
    seconds: u64,
}

impl From<SystemTime> for HttpDate {
    /// A time that has no date is the first or the last that has one.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seconds: since.min(LAST).as_secs(),
        }
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (
            self.seconds / SECONDS_OF_A_DAY,
            self.seconds % SECONDS_OF_A_DAY,
        );
        let weekday = WEEKDAYS[usize::try_from(days % 7).unwrap_or_default()];
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            formatter,
            "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
        )
    }
}

/// The year, the month and the day, this number of days after the first of January 1970. hyper asks once a second at
/// most, so that counting is fast enough.
fn civil(days: u64) -> (u64, &'static str, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let mut year = 1970 + days / DAYS_OF_400_YEARS * 400;
    let mut day = days % DAYS_OF_400_YEARS;
    loop {
        let is_century = year.is_multiple_of(100) && !year.is_multiple_of(400);
        let is_leap = year.is_multiple_of(4) && !is_century;
        for (month, length) in MONTHS {
            let length = length + u64::from(month == "Feb" && is_leap);
            if day < length {
                return (year, month, day + 1);
            }
            day -= length;
        }
        year += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: u64) -> String {
        HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            // The example of RFC 9110.
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(of(seconds), date);
        }
    }

    #[test]
    fn every_time_has_a_date_of_29_characters() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(
            HttpDate::from(before).to_string(),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        for seconds in [253_402_300_800, 1 << 40, i64::MAX.unsigned_abs()] {
            assert_eq!(of(seconds), "Fri, 31 Dec 9999 23:59:59 GMT");
        }
        for days in (0..2_932_896).step_by(97) {
            assert_eq!(of(days * SECONDS_OF_A_DAY).len(), 29);
        }
    }
}
