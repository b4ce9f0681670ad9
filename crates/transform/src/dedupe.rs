//! Repeats of a line: found by what they say without their times, and written as one.
//!
//! Invariants: only output of functions and extensions has repeats; what one line became says how many
//! there were, and when the first and the last was; memory is bounded.
//!
//! Must not: hold a line. The caller has the first, and drops the others.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::parts::Parts;
use backstop_json::{space, string_end};

/// Lines remembered at a time.
const MOST_LINES: usize = 1024;
/// The member that a record gets.
const MEMBER: &[u8] = b"\"backstop.repeats\":";

/// The lines that wait, of which repeats may come. `Id` is how the caller finds a line again.
#[derive(Debug)]
pub struct Repeats<Id> {
    /// Two of them: that two lines agree in 128 bits is not to be expected.
    hashers: [RandomState; 2],
    lines: HashMap<[u64; 2], Line<Id>>,
}

#[derive(Debug)]
struct Line<Id> {
    id: Id,
    repeated: Option<Repeated>,
}

/// What is known of a line that was repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// How many there were, the first included.
    count: u64,
    /// The time of the last, as JSON.
    last: Vec<u8>,
}

impl<Id> Default for Repeats<Id> {
    fn default() -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            lines: HashMap::new(),
        }
    }
}

impl<Id> Repeats<Id> {
    /// Whether a line repeats one that waits, and is counted there. `of` tells lines apart that say the
    /// same, such as by their invocation.
    pub fn is_repeat(&mut self, fragment: &[u8], of: &[u8], id: Id) -> bool {
        // What the function posted keeps the form of its protocol, which has no place for a count.
        let is_line = |parts: &Parts<'_>| parts.is_output() && !parts.is_posted();
        let Some(parts) = Parts::of(fragment).filter(is_line) else {
            return false;
        };
        // The others have no place for a count; a line that has one was counted before.
        let has_place = matches!(parts.record.first(), Some(b'{' | b'"'));
        if !has_place || memchr::memmem::find(parts.record, MEMBER).is_some() {
            return false;
        }
        let key = self.hashers.each_ref().map(|hasher| {
            let mut hasher = hasher.build_hasher();
            hasher.write(parts.kind);
            hasher.write_u8(0);
            hasher.write(of);
            hasher.write_u8(0);
            without_times(parts.record, |piece| hasher.write(piece));
            hasher.finish()
        });
        if let Some(line) = self.lines.get_mut(&key) {
            let last = parts.time.to_owned();
            let count = line.repeated.as_ref().map_or(1, |it| it.count) + 1;
            line.repeated = Some(Repeated { count, last });
            return true;
        }
        if self.lines.len() < MOST_LINES {
            self.lines.insert(key, Line { id, repeated: None });
        }
        false
    }

    /// Ends the counting: the lines that were repeated.
    pub fn take(&mut self) -> Vec<(Id, Repeated)> {
        let lines = self.lines.drain().map(|(_, line)| line);
        lines
            .filter_map(|line| Some((line.id, line.repeated?)))
            .collect()
    }
}

impl Repeated {
    /// The line with what is known of its repeats: an object gets a member, and text a remark at its end.
    /// None where it is neither.
    pub fn written(&self, fragment: &[u8]) -> Option<Vec<u8>> {
        let parts = Parts::of(fragment)?;
        let record = parts.record.trim_ascii();
        let count = self.count.to_string();
        match record {
            [b'{', .., b'}'] => {
                let inside = &record[..record.len() - 1];
                let comma: &[u8] = if inside[1..].trim_ascii().is_empty() {
                    b""
                } else {
                    b","
                };
                let all = [
                    inside,
                    comma,
                    MEMBER,
                    b"{\"count\":",
                    count.as_bytes(),
                    b",\"first\":",
                    parts.time,
                    b",\"last\":",
                    &self.last,
                    b"}}",
                ];
                Some(parts.with_record(&all.concat()))
            }
            [b'"', .., b'"'] => {
                let text = &record[..record.len() - 1];
                let text = text
                    .strip_suffix(b"\\n")
                    .filter(|it| is_whole(it))
                    .unwrap_or(text);
                let tail = &record[text.len()..];
                let bare = |time: &[u8]| {
                    time.trim_ascii()
                        .strip_prefix(b"\"")?
                        .strip_suffix(b"\"")
                        .map(<[u8]>::to_owned)
                };
                let (first, last) = (bare(parts.time)?, bare(&self.last)?);
                let all = [
                    text,
                    b" [repeated: ",
                    count.as_bytes(),
                    b" times, first ",
                    &first,
                    b", last ",
                    &last,
                    b"]",
                    tail,
                ];
                Some(parts.with_record(&all.concat()))
            }
            _ => None,
        }
    }
}

/// Whether what precedes `\n` does not end in a backslash of its own.
fn is_whole(text: &[u8]) -> bool {
    text.iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count()
        .is_multiple_of(2)
}

/// Calls for the pieces of a record that are not times: those of RFC 3339 and of loggers, and numbers under
/// the names that loggers give to times.
fn without_times(record: &[u8], mut call: impl FnMut(&[u8])) {
    let mut start = 0;
    let mut at = 0;
    while let Some(offset) = record[at..]
        .iter()
        .position(|byte| byte.is_ascii_digit() || *byte == b'"')
    {
        at += offset;
        let end = if record[at] == b'"' {
            time_member(record, at).unwrap_or(at..at)
        } else {
            at..time_end(record, at)
        };
        if end.end > end.start {
            call(&record[start..end.start]);
            call(b"\0");
            start = end.end;
            at = end.end;
        } else if record[at] == b'"' {
            at += 1;
        } else {
            // The rest of the number is no time either.
            at += record[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
        }
    }
    call(&record[start..]);
}

/// Where a time ends that begins here; here, where none does: `2026-01-31T08:00:00.000Z`, `2026-01-31 08:00:00,123`.
fn time_end(record: &[u8], start: usize) -> usize {
    const FORM: &[u8; 19] = b"dddd-dd-dd?dd:dd:dd";
    let Some(head) = record.get(start..start + FORM.len()) else {
        return start;
    };
    let fits = FORM.iter().zip(head).all(|(form, byte)| match form {
        b'd' => byte.is_ascii_digit(),
        b'?' => matches!(byte, b'T' | b' ' | b't'),
        same => byte == same,
    });
    if !fits {
        return start;
    }
    let mut end = start + FORM.len();
    if matches!(record.get(end), Some(b'.' | b',')) {
        let digits = record[end + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        end += if digits > 0 { digits + 1 } else { 0 };
    }
    if record.get(end) == Some(&b'Z') {
        end += 1;
    }
    end
}

/// The number of a member that holds a time, if one begins here.
fn time_member(record: &[u8], quote: usize) -> Option<std::ops::Range<usize>> {
    const NAMES: [&[u8]; 6] = [
        b"time",
        b"timestamp",
        b"@timestamp",
        b"ts",
        b"timeMillis",
        b"epoch",
    ];
    let rest = &record[quote + 1..];
    let name = NAMES
        .iter()
        .find(|name| rest.starts_with(name) && rest.get(name.len()) == Some(&b'"'))?;
    let end = string_end(record, quote + 1).filter(|end| *end == quote + 1 + name.len())?;
    let colon = space(record, end + 1);
    if record.get(colon) != Some(&b':') {
        return None;
    }
    let start = space(record, colon + 1);
    let number = record[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let length = number.count();
    (length >= 10).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32, record: &str) -> String {
        format!(r#""time":"2026-01-01T00:00:{second:02}.000Z","type":"function","record":{record}"#)
    }

    fn repeats(first: &str, second: &str) -> bool {
        let mut repeats = Repeats::default();
        assert!(!repeats.is_repeat(line(1, first).as_bytes(), b"", 1));
        repeats.is_repeat(line(2, second).as_bytes(), b"", 2)
    }

    #[test]
    fn lines_that_differ_in_their_times_only_are_repeats() {
        for (first, second, expected) in [
            (r#""same""#, r#""same""#, true),
            (r#""same""#, r#""Same""#, false),
            (
                r#""2026-01-01T00:00:01.123Z\tid\tINFO\tx""#,
                r#""2026-01-01T00:00:09.9Z\tid\tINFO\tx""#,
                true,
            ),
            (
                r#""2026-01-01 00:00:01,123 x""#,
                r#""2026-01-02 00:00:01,124 x""#,
                true,
            ),
            (r#""2026-01-01 took 5""#, r#""2026-01-02 took 5""#, false),
            (
                r#"{"ts":1735689600.5,"m":"x"}"#,
                r#"{"ts":1735689601.5,"m":"x"}"#,
                true,
            ),
            (
                r#"{"timestamp" : 1735689600000,"m":1}"#,
                r#"{"timestamp" : 1735689600001,"m":1}"#,
                true,
            ),
            (r#"{"time":12,"m":"x"}"#, r#"{"time":13,"m":"x"}"#, false),
            (
                r#"{"count":1735689600000}"#,
                r#"{"count":1735689600001}"#,
                false,
            ),
        ] {
            assert_eq!(repeats(first, second), expected, "{first} {second}");
        }
        let mut repeats = Repeats::default();
        let same = line(1, "\"x\"");
        assert!(!repeats.is_repeat(same.as_bytes(), b"one", 1));
        assert!(
            !repeats.is_repeat(same.as_bytes(), b"other", 2),
            "of another invocation"
        );
        let platform = same.replace("function", "platform.fault");
        for id in 3..5 {
            assert!(
                !repeats.is_repeat(platform.as_bytes(), b"", id),
                "never of the platform"
            );
        }
    }

    #[test]
    fn one_line_says_how_many_there_were_and_when() {
        for (record, expected) in [
            (
                r#""a\n""#,
                r#""a [repeated: 3 times, first 2026-01-01T00:00:00.000Z, last 2026-01-01T00:00:02.000Z]\n""#,
            ),
            (
                r#""a\\n""#,
                r#""a\\n [repeated: 3 times, first 2026-01-01T00:00:00.000Z, last 2026-01-01T00:00:02.000Z]""#,
            ),
            (
                r#"{"a":1}"#,
                r#"{"a":1,"backstop.repeats":{"count":3,"first":"2026-01-01T00:00:00.000Z","last":"2026-01-01T00:00:02.000Z"}}"#,
            ),
            (
                "{ }",
                r#"{ "backstop.repeats":{"count":3,"first":"2026-01-01T00:00:00.000Z","last":"2026-01-01T00:00:02.000Z"}}"#,
            ),
        ] {
            let mut repeats = Repeats::default();
            for second in 0..3 {
                let is_repeat = repeats.is_repeat(line(second, record).as_bytes(), b"", second);
                assert_eq!(is_repeat, second > 0);
            }
            let taken = repeats.take();
            assert_eq!(taken.len(), 1);
            assert_eq!(taken[0].0, 0, "the first one's");
            let written = taken[0]
                .1
                .written(line(0, record).as_bytes())
                .expect("it has a place");
            let written = String::from_utf8(written).expect("it is text");
            assert_eq!(written, line(0, expected));
            let read: Result<serde_json::Value, _> =
                serde_json::from_str(&format!("{{{written}}}"));
            assert!(read.is_ok(), "{written}");
            assert!(repeats.take().is_empty());
        }
    }

    #[test]
    fn lines_remembered_are_bounded() {
        let mut repeats = Repeats::default();
        for number in 0..5_000 {
            repeats.is_repeat(line(1, &format!("\"{number}\"")).as_bytes(), b"", number);
        }
        assert_eq!(repeats.lines.len(), MOST_LINES);
        assert!(repeats.is_repeat(line(1, "\"7\"").as_bytes(), b"", 0));
        assert!(!repeats.is_repeat(line(1, "\"4999\"").as_bytes(), b"", 0));
    }
}
