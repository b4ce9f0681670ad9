//! An answer as a format reads it.

use std::time::Duration;

use backstop_delivery::{Answer, Verdict, Wall};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::answers::Ruling;

/// What a receiver has answered.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    /// As much of the body as the format reads.
    pub(crate) body: &'a [u8],
    pub(crate) now: Wall,
    /// The number of records that were sent.
    pub(crate) records: usize,
}

impl Reply<'_> {
    /// What the status says to every receiver.
    pub(crate) fn by_default(&self) -> Answer {
        Answer::Status {
            code: self.status,
            retry_after: self.retry_after(),
            detail: None,
        }
    }

    /// What a row of a format's table says.
    pub(super) fn ruled(&self, ruling: Ruling) -> Answer {
        let verdict = match ruling {
            Ruling::Delivered => Verdict::Delivered,
            Ruling::Retry => Verdict::Retry {
                after: self.retry_after(),
            },
            Ruling::Divert => Verdict::Divert,
            Ruling::Stop => Verdict::Stop,
            Ruling::Split => Verdict::Split,
            Ruling::Isolate => Verdict::Isolate,
            Ruling::Body => return self.by_default(),
        };
        Answer::Judged {
            verdict,
            code: self.status,
            detail: None,
        }
    }

    /// Whether the body is of this media type, whatever its parameters.
    pub(crate) fn is_of(&self, media_type: &str) -> bool {
        let said = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let said = said.unwrap_or_default();
        said.get(..media_type.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(media_type.as_bytes()))
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
            body: &[],
            now: Wall::from_rfc3339("2015-10-21T07:27:30Z").expect("it is a time"),
            records: 1,
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
