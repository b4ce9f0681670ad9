//! The reader of the archive, and that it reads what the sinks write.
//!
//! Input: an object of the archive; its text is tried as a key as well, and as a POST body whose
//! records are archived and read back.

// The reader is a private part of the command line, which would bring the demo and all of its
// dependencies into every fuzz target.
#[path = "../../../installer/src/replay/filter.rs"]
#[expect(unreachable_pub, reason = "the command line makes it public")]
mod filter;
#[path = "../../../installer/src/replay/object.rs"]
#[expect(dead_code, reason = "the command line uses the rest")]
mod object;

use std::io::Read as _;

use backstop_delivery::{Cause, Diverted, SinkName, Wall};
use backstop_sinks::codec::archive::{ArchivedLine, object_key};
use backstop_sinks::codec::{gunzip, gzip};
use flate2::read::MultiGzDecoder;

use crate::glob::Glob;
use crate::records::{batch, encoder, events};
use filter::Filter;
use object::Plain;

/// Small, so that an input which is larger when decompressed is soon found.
const LIMIT: u32 = 64 * 1024;

/// Whatever the object is: no more is decompressed than the limit, each line that can be read can be
/// sent and read again, and what the sinks write comes back as it was.
///
/// # Panics
///
/// Where that does not hold.
pub fn archive(object: &[u8]) {
    read(object);
    same_packed_and_plain(object);
    keys(&String::from_utf8_lossy(object));
    round_trip(object);
}

fn wanted() -> Filter {
    Filter {
        functions: vec!["de*o".parse().expect("it is a pattern")],
        reasons: vec!["timeout".to_owned()],
        since: "2026-01-01".parse().ok(),
        until: "2026-02-01T00:00:00+01:00".parse().ok(),
    }
}

fn read(object: &[u8]) {
    let plain = Plain::unpack(object.to_vec(), LIMIT.into());
    if object.starts_with(&[0x1f, 0x8b]) {
        // As much as a reader without any care would see.
        let mut all = Vec::new();
        let ended = MultiGzDecoder::new(object)
            .take(u64::from(LIMIT) + 1)
            .read_to_end(&mut all);
        let is_all = ended.is_ok() && (all.len() as u64) < LIMIT.into();
        assert_eq!(plain.problem.is_none(), is_all, "{:?}", plain.problem);
        assert_eq!(
            gunzip(object, LIMIT.into()).is_ok(),
            ended.is_ok() && all.len() as u64 <= LIMIT.into()
        );
    }
    let filter = wanted();
    let mut bytes = 0;
    for (number, line) in plain.lines() {
        assert!(number > 0, "lines are numbered from 1");
        let Ok(line) = line else { continue };
        bytes += line.text.len() + 1;
        filter.admits(line.text, &line.record);
        line.record.function_name();
        let sent = line.record.without_reason();
        assert!(!sent.contains('\n'), "a line stays one");
        let again = ArchivedLine::parse(&sent).expect("what is sent is a line");
        assert_eq!(again.id(), line.record.id());
        assert_eq!(again.without_reason(), sent);
        assert!(again.diverted.is_none());
    }
    let most = (object.len() as u64).max(LIMIT.into()) + 1;
    assert!(bytes as u64 <= most, "{bytes} bytes of lines");
}

/// The lines of an object do not depend on how it is packed.
fn same_packed_and_plain(object: &[u8]) {
    if object.starts_with(&[0x1f, 0x8b]) || object.len() as u64 >= LIMIT.into() {
        return;
    }
    let texts = |plain: &Plain| -> Vec<Result<String, String>> {
        let lines = plain.lines();
        lines
            .map(|(_, line)| line.map(|line| line.text.to_owned()))
            .collect()
    };
    let (head, tail) = object.split_at(object.len() / 2);
    let packed = [gzip(head), gzip(tail)].concat();
    let unpacked = Plain::unpack(packed, LIMIT.into());
    assert_eq!(unpacked.problem, None);
    assert_eq!(
        texts(&unpacked),
        texts(&Plain::unpack(object.to_vec(), LIMIT.into()))
    );
    assert_eq!(
        gunzip(&gzip(object), LIMIT.into()).expect("it fits"),
        object
    );
}

/// A key is read back as the name it was made of; one from elsewhere is only looked at.
fn keys(text: &str) {
    wanted().admits_key(text);
    let name: String = text.chars().take(64).collect();
    let key = object_key("p", encoder(&name).resource(), Wall::default(), "id");
    assert_eq!(key.split('/').count(), 8, "{key}");
    if let Ok(glob) = name.parse::<Glob>() {
        let filter = Filter {
            functions: vec![glob],
            ..Filter::default()
        };
        assert!(filter.admits_key(&key), "{name:?} is not found by {key}");
    }
}

fn round_trip(body: &[u8]) {
    let events = events(body);
    let Some(batch) = batch(&events) else { return };
    let diverted = Diverted {
        sink: SinkName::Https,
        cause: Cause {
            reason: "timeout",
            status: None,
            detail: None,
        },
    };
    let encoder = encoder("demo");
    let plain = encoder.lines(&batch, Some(diverted));
    let object = Plain::unpack(gzip(&plain), plain.len() as u64 + 1);
    assert_eq!(object.problem, None);
    let sent = encoder.lines(&batch, None);
    let sent = String::from_utf8(sent).expect("lines are text");
    let mut read = 0;
    for ((_, line), expected) in object.lines().zip(sent.lines()) {
        let line = line.expect("what was written can be read");
        assert_eq!(line.record.without_reason(), expected);
        assert_eq!(line.record.function_name().as_deref(), Some("demo"));
        let reason = line.record.diverted.expect("it was diverted");
        assert_eq!((&*reason.reason, &*reason.sink), ("timeout", "https"));
        read += 1;
    }
    assert_eq!(read, batch.len());
}
