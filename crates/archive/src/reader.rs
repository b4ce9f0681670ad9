//! Reads an object of the archive leniently, piece by piece as it comes.
//!
//! A record begins with a brace and ends with its own closing one, or with the line: records that were
//! joined without line feeds are read like any others. Invariants: what is broken costs nothing but
//! itself: of an object that ends early the records before the break are read (where its compression is
//! corrupt, up to the piece before that), and a line that is not a record leaves its neighbours alone; no more is held than one record of [`LONGEST_RECORD`] and what one
//! [`Unpacker::push`] unpacks to, however large the object. Must not: know where the object came from.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;

use crate::line::ArchivedLine;
use crate::splitter::Splitter;
use crate::zstd::{self, Zstd};

/// Far more than Lambda lets a function log at once, or a sink take.
pub const LONGEST_RECORD: usize = 16 * 1024 * 1024;
/// Deflate makes a thousand times as much of it, and no more.
pub const PIECE: usize = 8 * 1024;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// As much of an object as says how it is packed.
const LONGEST_MAGIC: usize = zstd::MAGIC_BYTES;

/// An object on its way from bytes to records.
#[derive(Debug)]
pub struct Unpacker {
    packing: Packing,
    splitter: Splitter,
    /// Why it is not all of the object.
    problem: Option<String>,
}

#[derive(Debug)]
enum Packing {
    /// Not known before the first bytes.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Box<Zstd>),
    /// Nothing that follows can be read.
    Broken,
}

impl Unpacker {
    /// For an object whose records have `longest` bytes at most.
    pub fn new(longest: usize) -> Self {
        Self {
            packing: Packing::Unknown(Vec::new()),
            splitter: Splitter::new(longest),
            problem: None,
        }
    }

    /// Takes the next bytes of the object, [`PIECE`] of them at most. What they hold is to be taken with
    /// [`Unpacker::next_line`] before the next ones come.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.packing {
            Packing::Unknown(held) => {
                held.extend_from_slice(bytes);
                if held.len() >= LONGEST_MAGIC {
                    let held = std::mem::take(held);
                    self.begin(&held);
                }
            }
            Packing::Plain => self.splitter.buffer.extend_from_slice(bytes),
            Packing::Gzip(decoder) => {
                let written = decoder.write_all(bytes);
                let ended = written.and_then(|()| decoder.flush());
                self.splitter.buffer.append(decoder.get_mut());
                if let Err(error) = ended {
                    self.break_off(format!("its gzip stream is broken: {error}"));
                }
            }
            // One block at a time: a few bytes may stand for a hundred thousand.
            Packing::Zstd(decoder) => decoder.push(bytes),
            Packing::Broken => {}
        }
    }

    /// By its first bytes, not by its name.
    fn begin(&mut self, first: &[u8]) {
        self.packing = if first.starts_with(GZIP_MAGIC) {
            Packing::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
        } else if zstd::begins(first) {
            Packing::Zstd(Box::default())
        } else {
            Packing::Plain
        };
        self.push(first);
    }

    /// Nothing more comes, as the object is at its end.
    pub fn finish(&mut self) {
        if let Packing::Unknown(held) = &mut self.packing {
            let held = std::mem::take(held);
            self.begin(&held);
        }
        while self.unpack_more() {}
        match std::mem::replace(&mut self.packing, Packing::Broken) {
            Packing::Gzip(mut decoder) => {
                let ended = decoder.try_finish();
                self.splitter.buffer.append(decoder.get_mut());
                if let Err(error) = ended {
                    self.break_off(format!("its gzip stream is broken: {error}"));
                }
            }
            Packing::Zstd(decoder) if !decoder.is_at_end() => {
                self.break_off("its zstd stream is broken: it ends too early".to_owned());
            }
            Packing::Unknown(_) | Packing::Zstd(_) | Packing::Plain | Packing::Broken => {}
        }
        self.splitter.is_at_end = self.problem.is_none();
    }

    /// Nothing more comes, for this reason: what was not yet a whole record is none.
    pub fn break_off(&mut self, problem: String) {
        self.packing = Packing::Broken;
        self.problem.get_or_insert(problem);
    }

    /// Why this is not all of the object.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The bytes that are unpacked and not taken.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.splitter.buffer.len()
    }

    /// The next record with the number of its line, from 1; an error says what is wrong with it. None
    /// where more bytes are needed, or where nothing is left.
    pub fn next_line(&mut self) -> Option<(u64, Result<Line<'_>, String>)> {
        let (number, found) = loop {
            if let Some(found) = self.splitter.next() {
                break found;
            }
            if !self.unpack_more() {
                return None;
            }
        };
        let line = found.and_then(|place| Line::parse(&self.splitter.buffer[place]));
        Some((number, line))
    }

    /// The text of the next block, where one is there and not yet unpacked.
    fn unpack_more(&mut self) -> bool {
        let Packing::Zstd(decoder) = &mut self.packing else {
            return false;
        };
        match decoder.step(&mut self.splitter.buffer) {
            Ok(is_unpacked) => is_unpacked,
            Err(problem) => {
                self.break_off(format!("its zstd stream is broken: {problem}"));
                false
            }
        }
    }
}

#[derive(Debug)]
pub struct Line<'a> {
    /// As it stands in the object.
    pub text: &'a str,
    /// What it says.
    pub record: ArchivedLine<'a>,
}

impl<'a> Line<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let text = text.trim_ascii_end();
        let record = ArchivedLine::parse(text).map_err(|error| error.to_string())?;
        Ok(Self { text, record })
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        (encoder.write_all(bytes)).expect("a vector takes everything");
        encoder.finish().expect("a vector takes everything")
    }

    fn line(id: u32) -> String {
        format!("{{\"id\":\"{id}\",\"time\":\"t\",\"type\":\"function\",\"record\":\"r\"}}\n")
    }

    type Found = Vec<(u64, Result<String, String>)>;

    /// The ids of an object that comes in pieces of this size.
    fn read_in(bytes: &[u8], piece: usize, longest: usize) -> (Found, Option<String>) {
        let mut unpacker = Unpacker::new(longest);
        let mut found = Vec::new();
        let mut take = |unpacker: &mut Unpacker| {
            while let Some((number, line)) = unpacker.next_line() {
                found.push((number, line.map(|line| line.record.id().to_owned())));
            }
        };
        for piece in bytes.chunks(piece) {
            unpacker.push(piece);
            take(&mut unpacker);
        }
        unpacker.finish();
        take(&mut unpacker);
        let problem = unpacker.problem().map(str::to_owned);
        (found, problem)
    }

    /// The same, which no size of the pieces may change.
    fn read(bytes: &[u8]) -> (Found, Option<String>) {
        let whole = read_in(bytes, bytes.len().max(1), 1_000);
        for piece in [1, 2, 7, 64] {
            assert_eq!(read_in(bytes, piece, 1_000), whole, "{piece}");
        }
        whole
    }

    fn ids(lines: &[u64], ids: &[&str]) -> Found {
        let ids = ids.iter().map(|id| Ok((*id).to_owned()));
        lines.iter().copied().zip(ids).collect()
    }

    #[test]
    fn gzip_and_plain_text_are_told_by_their_first_bytes() {
        let text = line(1) + &line(2);
        let members = [gzip(line(1).as_bytes()), gzip(line(2).as_bytes())].concat();
        for bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), members] {
            assert_eq!(read(&bytes), (ids(&[1, 2], &["1", "2"]), None));
        }
        assert_eq!(read(b""), (Vec::new(), None));
        assert_eq!(read(b"{").0.len(), 1, "too short to be of either kind");
    }

    #[test]
    fn records_without_line_feeds_between_them_are_records() {
        let joined: String = (1..4).map(line).collect::<String>().replace('\n', "");
        let braces = r#"{"id":"b","time":"t","type":"x","record":{"a":["}\"{",{}]}}"#;
        let text = format!(
            "{joined} {braces}\r\n{}{}\n\n{}",
            line(4),
            line(5).trim_end(),
            line(6)
        );
        let expected = ids(&[1, 1, 1, 1, 2, 3, 5], &["1", "2", "3", "b", "4", "5", "6"]);
        assert_eq!(read(text.as_bytes()), (expected, None));
        // Without a line feed at the very end.
        assert_eq!(read(joined.as_bytes()).0, ids(&[1, 1, 1], &["1", "2", "3"]));
    }

    #[test]
    fn a_broken_line_is_named_and_leaves_its_neighbours_alone() {
        let text = format!(
            "{}\nnot json\n{{\"id\":1}}\n{{\"id\":\"open\n{}{}",
            line(1),
            line(2).trim_end().to_owned() + " and more\n",
            line(3)
        );
        let mut bytes = text.into_bytes();
        bytes.extend(b"\xff\xfe\n");
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            read(&bytes).0,
            [
                (1, Ok("1".to_owned())),
                (3, error("it is not JSON")),
                (4, error("missing field `time`")),
                (5, error("it ends too early")),
                (6, Ok("2".to_owned())),
                (6, error("it is not JSON")),
                (7, Ok("3".to_owned())),
                (8, error("it is not UTF-8")),
            ]
        );
    }

    #[test]
    fn an_object_that_ends_early_gives_the_records_before_the_break() {
        let text: String = (0..2_000).map(line).collect();
        let mut packed = gzip(text.as_bytes());
        packed.truncate(packed.len() / 2);
        let (found, problem) = read_in(&packed, PIECE, 1_000);
        let problem = problem.unwrap_or_default();
        assert!(
            problem.starts_with("its gzip stream is broken"),
            "{problem}"
        );
        assert!((100..2_000).contains(&found.len()), "{}", found.len());
        assert!(found.iter().all(|(_, line)| line.is_ok()));

        let mut unpacker = Unpacker::new(1_000);
        unpacker.push((line(1) + &line(2)[..10]).as_bytes());
        assert!(unpacker.next_line().is_some() && unpacker.next_line().is_none());
        unpacker.break_off("its transfer broke off".to_owned());
        unpacker.finish();
        assert!(unpacker.next_line().is_none());
        assert_eq!(unpacker.problem(), Some("its transfer broke off"));
    }

    #[test]
    fn a_record_without_end_is_named_once_and_not_held() {
        let endless = format!("{}{}\n{}", line(1), "x".repeat(5_000), line(2));
        let deep = format!("{}{{\"a\":{}\n{}", line(1), "[".repeat(5_000), line(2));
        for text in [endless, deep] {
            let error = Err("it is longer than 1000 bytes".to_owned());
            let expected = [(1, Ok("1".to_owned())), (2, error), (3, Ok("2".to_owned()))];
            assert_eq!(read(text.as_bytes()).0, expected);
        }
        let mut unpacker = Unpacker::new(1_000);
        for _ in 0..10_000 {
            unpacker.push(&[b'['; 100]);
            while unpacker.next_line().is_some() {}
            assert!(unpacker.held() < 1_200);
        }
    }
}
