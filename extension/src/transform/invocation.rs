//! Which invocation a line of the function's output is of: Lambda writes that beside JSON logs only.
//!
//! Telemetry is in order but for a line that is read late, so that a line is of the invocation that had started
//! last by the time that the line bears. Must not: guess where more than one runs at a time.

use std::sync::Arc;
use std::time::Duration;

use backstop_delivery::Wall;
use backstop_json::Json;
use backstop_sinks::{has_prefix, names_invocation};
use backstop_transform::Parts;
use memchr::memmem::{self, Finder};

/// No request id of Lambda's is longer.
const LONGEST_ID: usize = 64;
/// What the names have in common of the members that say it, and what follows it in one of them.
const KEY: &[u8] = b"equest";
const REST: [&[u8]; 2] = [b"Id", b"_id"];
/// The attribute by which OpenTelemetry names an invocation.
const OWN_ID: &[u8] = b"\"faas.invocation_id\"";

/// The time and the record of a fragment: the first as it is written, the second as JSON.
fn time_and_record(fragment: &[u8]) -> Option<(&[u8], &[u8])> {
    let parts = Parts::of(fragment)?;
    let time = parts.time.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some((time, parts.record))
}

/// The time of a fragment; none where it has none that can be read.
pub(crate) fn wall_of(fragment: &[u8]) -> Option<Wall> {
    let (time, _) = time_and_record(fragment)?;
    Wall::from_rfc3339(std::str::from_utf8(time).ok()?)
}

/// The invocations that lines may be of.
#[derive(Debug)]
pub(crate) struct Invocations {
    current: Option<Started>,
    /// Lines of it may still come.
    previous: Option<Started>,
    /// Built once, as most lines are searched.
    key: Finder<'static>,
}

impl Default for Invocations {
    fn default() -> Self {
        Self {
            current: None,
            previous: None,
            key: Finder::new(KEY),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Started {
    time: String,
    /// The member of a line that names it; none where the platform gave no request id.
    member: Option<Arc<[u8]>>,
}

impl Started {
    /// Whether it came later than this time. Texts of one form are in the order of their times; another form
    /// decides nothing.
    fn is_after(&self, time: &[u8]) -> bool {
        self.time.len() == time.len() && self.time.as_bytes() > time
    }
}

impl Invocations {
    /// An invocation has started, by the platform's own word. What is no request id is none.
    ///
    /// Lambda may send a request again that we refused, or whose acknowledgement it missed: an earlier start does
    /// not take the place of a later one.
    pub(crate) fn started(&mut self, request_id: &str, time: &str) {
        let started = Started {
            time: time.to_owned(),
            member: member(request_id.as_bytes()),
        };
        match &self.current {
            Some(current) if current.is_after(time.as_bytes()) => {
                let is_newer = |previous: &Started| !previous.is_after(time.as_bytes());
                if self.previous.as_ref().is_none_or(is_newer) {
                    self.previous = Some(started);
                }
            }
            Some(current) if started == *current => {}
            Some(_) | None => self.previous = self.current.replace(started),
        }
    }

    /// Telemetry was lost, and with it perhaps the event of a start: until the next one nothing is known.
    pub(crate) fn lose(&mut self) {
        (self.current, self.previous) = (None, None);
    }

    /// The member that says which invocation a line is of; none where that is not known, or where the line says
    /// it itself.
    pub(crate) fn member(&self, fragment: &[u8]) -> Option<Arc<[u8]>> {
        let (time, record) = time_and_record(fragment)?;
        let all = [&self.current, &self.previous];
        let mut started = all.into_iter().flatten();
        let started = started.find(|started| !started.is_after(time))?;
        let member = started.member.as_ref()?;
        (!self.says_its_own(record)).then(|| Arc::clone(member))
    }

    /// The same of what the function posted, which may come before Lambda's event that `current` has started: then
    /// the time at which its INVOKE arrived counts. An item that bears an id keeps it.
    pub(crate) fn member_of_posted(
        &self,
        fragment: &[u8],
        current: Option<(&str, Wall)>,
    ) -> Option<Arc<[u8]>> {
        if memmem::find(fragment, OWN_ID).is_some() {
            return None;
        }
        let (request_id, began) = current?;
        let named = member(request_id.as_bytes())?;
        if self.has_started(&named) {
            return self.member(fragment);
        }
        let time = wall_of(fragment)?;
        // Texts of times have milliseconds.
        let began = Wall(Duration::from_millis(
            u64::try_from(began.0.as_millis()).ok()?,
        ));
        (time >= began).then_some(named)
    }

    /// Whether Lambda has said that this invocation has started, and none after it.
    fn has_started(&self, named: &Arc<[u8]>) -> bool {
        let current = self.current.as_ref().and_then(|it| it.member.as_ref());
        current.is_some_and(|known| known == named)
    }

    /// Whether a record bears a request id where formats look for one. It may be that of another invocation.
    fn says_its_own(&self, record: &[u8]) -> bool {
        if has_prefix(record) {
            return true;
        }
        // Most have no such name, so that they need not be read.
        let mut keys = self.key.find_iter(record);
        let is_name = |at: usize| {
            let rest = record.get(at + KEY.len()..).unwrap_or_default();
            REST.iter().any(|end| rest.starts_with(end))
        };
        let record = || std::str::from_utf8(record).ok();
        keys.any(is_name) && record().is_some_and(|it| names_invocation(Json::valid(it)))
    }
}

/// The member of a line that names an invocation; none where that is no request id.
pub(crate) fn member(request_id: &[u8]) -> Option<Arc<[u8]>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let is_id = (1..=LONGEST_ID).contains(&request_id.len()) && request_id.iter().all(is_part);
    is_id.then(|| {
        [&b",\"request_id\":\""[..], request_id, b"\""]
            .concat()
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32, record: &str) -> String {
        format!(r#""time":"2026-01-01T00:00:{second:02}.000Z","type":"function","record":{record}"#)
    }

    fn named(invocations: &Invocations, fragment: &str) -> Option<String> {
        let member = invocations.member(fragment.as_bytes())?;
        let object: serde_json::Value = serde_json::from_str(&format!(
            "{{{fragment}{}}}",
            String::from_utf8_lossy(&member)
        ))
        .expect("it is a member");
        object["request_id"].as_str().map(str::to_owned)
    }

    #[test]
    fn a_line_is_of_the_invocation_that_had_started_last() {
        let mut invocations = Invocations::default();
        let text = "\"hello\"";
        assert_eq!(named(&invocations, &line(1, text)), None, "init");
        invocations.started("a-1", "2026-01-01T00:00:02.000Z");
        assert_eq!(named(&invocations, &line(1, text)), None, "init, read late");
        assert_eq!(named(&invocations, &line(2, text)).as_deref(), Some("a-1"));
        invocations.started("a-2", "2026-01-01T00:00:04.000Z");
        assert_eq!(named(&invocations, &line(3, text)).as_deref(), Some("a-1"));
        assert_eq!(named(&invocations, &line(5, text)).as_deref(), Some("a-2"));
        // A time of another form is not compared.
        let odd = r#""time":"2026-01-01T00:00:01Z","type":"function","record":"x""#;
        assert_eq!(named(&invocations, odd).as_deref(), Some("a-2"));
        let odd = r#""time":"2026\"x","type":"function","record":"x""#;
        assert_eq!(named(&invocations, odd).as_deref(), Some("a-2"));
    }

    #[test]
    fn an_earlier_start_that_comes_again_changes_nothing() {
        let mut invocations = Invocations::default();
        for (id, second) in [("a-1", 1), ("a-2", 4), ("a-1", 1), ("a-2", 4), ("a-0", 0)] {
            invocations.started(id, &format!("2026-01-01T00:00:{second:02}.000Z"));
        }
        let text = "\"8a1f4c1e and Z\\t, but a-1 is no prefix, nor a requestId a member\"";
        assert_eq!(named(&invocations, &line(5, text)).as_deref(), Some("a-2"));
        assert_eq!(named(&invocations, &line(2, text)).as_deref(), Some("a-1"));
        invocations.lose();
        assert_eq!(named(&invocations, &line(6, text)), None);
    }

    #[test]
    fn what_is_said_is_not_said_again_and_what_is_no_id_is_none() {
        let mut invocations = Invocations::default();
        invocations.started("a-1", "");
        for record in [
            r#"{"requestId":"8a1f4c1e-0000-4000-8000-000000000000","message":"x"}"#,
            r#""{\"requestId\":\"8a1f4c1e-0000-4000-8000-000000000000\"}""#,
            r#"{"request":1,"function_request_id":"8a1f4c1e-0000-4000-8000-000000000000"}"#,
            r#"{"AWSRequestId":"8a1f4c1e-0000-4000-8000-000000000000"}"#,
            r#""{\"aws_request_id\":\"8a1f4c1e-0000-4000-8000-000000000000\"}""#,
            r#""2026-01-01T00:00:01.000Z\t8a1f4c1e-0000-4000-8000-000000000000\tINFO\tx""#,
            r#""[INFO]\t2026-01-01T00:00:01.000Z\t8a1f4c1e-0000-4000-8000-000000000000\tx""#,
        ] {
            assert_eq!(named(&invocations, &line(1, record)), None, "{record}");
        }
        for record in [
            // Events that functions log have ids of their own.
            r#"{"event":{"requestContext":{"requestId":"8a1f4c1e-0000-4000-8000-000000000000"}}}"#,
            r#""{\"event\":{\"requestId\":\"8a1f4c1e-0000-4000-8000-000000000000\"}}""#,
            r#"{"requestId":"Jz5wHjhRIAMEJ3Q=","message":"x"}"#,
            r#"{"requestId":77}"#,
            r#"{"requestIdentity":"8a1f4c1e-0000-4000-8000-000000000000"}"#,
            r#""\"requestId\" was 8a1f4c1e-0000-4000-8000-000000000000""#,
            // Lambda writes a tab as `\t`.
            r#""2026-01-01T00:00:01.000Z\u00098a1f4c1e-0000-4000-8000-000000000000\u0009INFO\u0009x""#,
            r#""seen at 2026-01-01T00:00:01.000Z\t8a1f4c1e-0000-4000-8000-000000000000\tINFO\tx""#,
        ] {
            let member = named(&invocations, &line(1, record));
            assert_eq!(member.as_deref(), Some("a-1"), "{record}");
        }
        for id in ["", "a\"b", "a b", &"a".repeat(65)] {
            invocations.started(id, "");
            assert_eq!(named(&invocations, &line(1, "1")), None, "{id}");
            invocations.started("a-1", "");
            assert_eq!(named(&invocations, &line(1, "1")).as_deref(), Some("a-1"));
        }
    }
}
