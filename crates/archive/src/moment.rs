//! A moment in time, as options, keys and lines write it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use aws_smithy_types::date_time::{DateTime, Format};
use serde::Deserialize;

/// A moment, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let midnight = format!("{text}T00:00:00Z");
        let full = if text.len() == "2026-01-31".len() {
            &midnight
        } else {
            text
        };
        DateTime::from_str(full, Format::DateTimeWithOffset)
            .ok()
            .and_then(|time| time.to_millis().ok())
            .map(Self)
            .ok_or_else(|| "write it as 2026-01-31T08:00:00Z or 2026-01-31".to_owned())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = DateTime::from_millis(self.0).fmt(Format::DateTime);
        formatter.write_str(&text.unwrap_or_default())
    }
}

/// When the record was written, as its line says.
pub(crate) fn time_of(line: &str) -> Option<Moment> {
    #[derive(Deserialize)]
    struct Time<'a> {
        #[serde(borrow)]
        time: Cow<'a, str>,
    }
    serde_json::from_str::<Time<'_>>(line)
        .ok()?
        .time
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_or_dates() {
        let of = |text: &str| text.parse::<Moment>().map(|moment| moment.0);
        assert_eq!(of("1970-01-02"), Ok(86_400_000));
        assert_eq!(of("1970-01-01T00:00:01.5Z"), Ok(1_500));
        assert_eq!(of("1970-01-01T01:00:00+01:00"), Ok(0));
        for bad in ["", "yesterday", "2026-13-01", "2026-01-31T08:00"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
