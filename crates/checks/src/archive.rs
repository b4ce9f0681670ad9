//! The reader of the archive, and that it reads what the sinks write.
//!
//! Input: an object of the archive; its text is tried as a key as well, and as a POST body whose
//! records are archived and read back.

use std::io::Read as _;

use backstop_archive::{ArchivedLine, Filter, Glob, PIECE, Source, Unpacker, object_key};
use backstop_delivery::{Cause, Diverted, SinkName, Wall};
use backstop_sinks::codec::{gunzip, gzip};
use flate2::read::MultiGzDecoder;

use crate::records::{batch, encoder, events};

/// Small, so that an input which is larger when decompressed is soon found.
const LIMIT: u32 = 64 * 1024;
/// Of one record.
const LONGEST: usize = 64 * 1024;

/// Whatever the object is, and in whatever pieces it comes: each line that can be read can be sent and
/// read again, and what the sinks write comes back as it was.
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
        ..Filter::default()
    }
}

/// The texts of an object's records, of what is broken what is wrong with it; and why it is not all.
fn lines(object: &[u8], piece: usize) -> (Vec<Result<String, String>>, Option<String>) {
    let mut unpacker = Unpacker::new(LONGEST);
    let mut found = Vec::new();
    let mut take = |unpacker: &mut Unpacker| {
        while let Some((number, line)) = unpacker.next_line() {
            assert!(number > 0, "lines are numbered from 1");
            found.push(line.map(|line| line.text.to_owned()));
        }
    };
    for piece in object.chunks(piece) {
        unpacker.push(piece);
        take(&mut unpacker);
    }
    unpacker.finish();
    take(&mut unpacker);
    (found, unpacker.problem().map(str::to_owned))
}

fn read(object: &[u8]) {
    let (found, problem) = lines(object, PIECE);
    let (in_sevens, same_problem) = lines(object, 7);
    assert_eq!(problem, same_problem);
    if problem.is_none() {
        assert_eq!(found, in_sevens);
    } else {
        // Of a piece in which the stream is corrupt nothing is unpacked: smaller ones lose less.
        assert!(in_sevens.starts_with(&found), "{found:?} {in_sevens:?}");
    }
    if object.starts_with(&[0x1f, 0x8b]) {
        // As much as a reader without any care would see.
        let mut all = Vec::new();
        let ended = MultiGzDecoder::new(object)
            .take(u64::from(LIMIT) + 1)
            .read_to_end(&mut all);
        if all.len() as u64 <= u64::from(LIMIT) {
            assert_eq!(problem.is_none(), ended.is_ok(), "{problem:?}");
        }
        assert_eq!(
            gunzip(object, LIMIT.into()).is_ok(),
            ended.is_ok() && all.len() as u64 <= LIMIT.into()
        );
    }
    let filter = wanted();
    for text in found.into_iter().flatten() {
        assert!(text.len() <= LONGEST, "{} bytes in a record", text.len());
        let line = ArchivedLine::parse(&text).expect("it was one");
        filter.judge("key", &line);
        line.function_name();
        let sent = line.for_primary();
        assert!(!sent.contains('\n'), "a line stays one");
        let again = ArchivedLine::parse(&sent).expect("what is sent is a line");
        assert_eq!(again.id(), line.id());
        assert_eq!(again.for_primary(), sent);
        assert!(again.diverted.is_none());
    }
}

/// The records of an object do not depend on how it is packed.
fn same_packed_and_plain(object: &[u8]) {
    if object.starts_with(&[0x1f, 0x8b]) || object.len() as u64 >= LIMIT.into() {
        return;
    }
    let (head, tail) = object.split_at(object.len() / 2);
    let packed = [gzip(head), gzip(tail)].concat();
    assert_eq!(lines(&packed, PIECE), lines(object, PIECE));
    assert_eq!(
        gunzip(&gzip(object), LIMIT.into()).expect("it fits"),
        object
    );
}

/// A key is read back as the name it was made of; one from elsewhere is only looked at.
fn keys(text: &str) {
    wanted().admits_object(text, None);
    let name: String = text.chars().take(64).collect();
    let source = Source {
        account: "123456789012",
        region: "eu-west-1",
        function: &name,
    };
    let key = object_key("p", &source, Wall::default(), "id");
    assert_eq!(key.split('/').count(), 8, "{key}");
    if let Ok(glob) = name.parse::<Glob>() {
        let filter = Filter {
            functions: vec![glob],
            ..Filter::default()
        };
        assert!(
            filter.admits_object(&key, None),
            "{name:?} is not found by {key}"
        );
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
    let (found, problem) = lines(&gzip(&plain), PIECE);
    assert_eq!(problem, None);
    let sent = encoder.lines(&batch, None);
    let sent = String::from_utf8(sent).expect("lines are text");
    let mut read = 0;
    for (text, expected) in found.iter().zip(sent.lines()) {
        let text = text.as_ref().expect("what was written can be read");
        let line = ArchivedLine::parse(text).expect("what was written is a line");
        assert_eq!(line.for_primary(), expected);
        assert_eq!(line.function_name().as_deref(), Some("demo"));
        let reason = line.diverted.expect("it was diverted");
        assert_eq!((&*reason.reason, &*reason.sink), ("timeout", "https"));
        read += 1;
    }
    assert_eq!(read, batch.len());
}
