//! An answer as a format reads it.

use std::time::Duration;

use backstop_delivery::{Answer, Wall};
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

/// A status and the headers.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) now: Wall,
}

impl Reply<'_> {
    /// What the status alone says.
    pub(crate) fn by_status(&self) -> Answer {
        Answer::Status {
            code: self.status,
            retry_after: self.retry_after(),
            detail: None,
        }
    }

    /// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER).map(HeaderValue::to_str)?;
        let text = text.ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        http_date(text).map(|at| at.since(self.now))
    }
}

/// `Wed, 21 Oct 2015 07:28:00 GMT`, the one form that a sender may write.
fn http_date(text: &str) -> Option<Wall> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, date) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let mut parts = date.split(' ');
    let mut next = || parts.next();
    let (day, month, year, time) = (next()?, next()?, next()?, next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Wall::from_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_str(value).expect("it is a value"),
        );
        let reply = Reply {
            status: 503,
            headers: &headers,
            now: Wall::from_rfc3339("2015-10-21T07:27:30Z").expect("it is a time"),
        };
        reply.retry_after().map(|after| after.as_secs())
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        for (value, seconds) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(30)),
            ("Tue, 20 Oct 2015 07:28:00 GMT", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00", None),
            ("Wed, 21 Foo 2015 07:28:00 GMT", None),
            ("Wed, 32 Oct 2015 07:28:00 GMT", None),
            ("2015-10-21T07:28:00Z", None),
            ("-1", None),
            ("", None),
            ("soon", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(retry_after(value), seconds, "{value:?}");
        }
    }
}
