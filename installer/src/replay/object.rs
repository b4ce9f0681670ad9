//! Reads an object of the archive leniently.
//!
//! Invariants: what is broken costs nothing but itself: of an object that ends early the lines
//! before the break are read, and a line that is not a record leaves its neighbours alone; nothing
//! is decompressed beyond a limit. Must not: know where the object came from.

use std::io::Read as _;

use backstop_sinks::codec::archive::ArchivedLine;
use flate2::read::MultiGzDecoder;

use crate::parsing::json;

/// The most bytes of one object once it is decompressed.
pub(super) const LARGEST_OBJECT: u64 = 256 * 1024 * 1024;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// An object as plain text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    bytes: Vec<u8>,
    /// Why it is not all of the object.
    pub(super) problem: Option<String>,
}

impl Plain {
    /// Decompresses an object, or takes it as it is: by its first bytes, not by its name.
    pub(super) fn unpack(bytes: Vec<u8>, limit: u64) -> Self {
        if !bytes.starts_with(GZIP_MAGIC) {
            return Self {
                bytes,
                problem: None,
            };
        }
        let mut plain = Vec::new();
        let mut decoder = MultiGzDecoder::new(&bytes[..]).take(limit);
        let problem = match decoder.read_to_end(&mut plain) {
            Err(error) => Some(format!("its gzip stream is broken: {error}")),
            Ok(_) if decoder.limit() == 0 => Some(format!(
                "it holds more than {limit} bytes when decompressed"
            )),
            Ok(_) => None,
        };
        Self {
            bytes: plain,
            problem,
        }
    }

    /// Its lines with their numbers, from 1; an error says what is wrong with a line.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, Result<Line<'_>, String>)> {
        // What follows the last line feed is where the break is.
        let end = match self.problem {
            Some(_) => self
                .bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .unwrap_or_default(),
            None => self.bytes.len(),
        };
        // One after the other: a list of the lines of an object that holds little else than line
        // feeds would be sixteen times its size.
        self.bytes[..end]
            .split(|byte| *byte == b'\n')
            .zip(1..)
            .filter(|(piece, _)| !piece.trim_ascii().is_empty())
            .map(|(piece, number)| (number, Line::parse(piece)))
    }
}

/// A line that is a record.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// As it stands in the object.
    pub(super) text: &'a str,
    /// What it says.
    pub(super) record: ArchivedLine<'a>,
}

impl<'a> Line<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let record = ArchivedLine::parse(text).map_err(|error| json(error).problem().to_owned())?;
        Ok(Self { text, record })
    }
}

#[cfg(test)]
mod tests {
    use backstop_sinks::codec::gzip;

    use super::*;

    fn line(id: u32) -> String {
        format!("{{\"id\":\"{id}\",\"time\":\"t\",\"type\":\"function\",\"record\":\"r\"}}\n")
    }

    fn read(plain: &Plain) -> Vec<(u64, Result<String, String>)> {
        plain
            .lines()
            .map(|(number, line)| (number, line.map(|line| line.record.id().to_owned())))
            .collect()
    }

    #[test]
    fn gzip_and_plain_text_are_told_by_their_first_bytes() {
        let text = line(1) + &line(2);
        let members = [gzip(line(1).as_bytes()), gzip(line(2).as_bytes())].concat();
        for bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), members] {
            let plain = Plain::unpack(bytes, 10_000);
            assert_eq!(plain.problem, None);
            let ids = [(1, Ok("1".to_owned())), (2, Ok("2".to_owned()))];
            assert_eq!(read(&plain), ids);
        }
    }

    #[test]
    fn a_broken_line_is_named_and_leaves_its_neighbours_alone() {
        let text = format!("{}\nnot json\n{{\"id\":1}}\n\n{}", line(1), line(2));
        let mut bytes = text.into_bytes();
        bytes.extend(b"\xff\xfe\n");
        let found = read(&Plain::unpack(bytes, 10_000));
        assert_eq!(
            found,
            [
                (1, Ok("1".to_owned())),
                (3, Err("it is not JSON".to_owned())),
                (4, Err("missing field `time`".to_owned())),
                (6, Ok("2".to_owned())),
                (7, Err("it is not UTF-8".to_owned())),
            ]
        );
    }

    #[test]
    fn an_object_that_ends_early_gives_the_lines_before_the_break() {
        let text: String = (0..2_000).map(line).collect();
        let mut packed = gzip(text.as_bytes());
        packed.truncate(packed.len() / 2);
        let plain = Plain::unpack(packed, 1_000_000);
        assert!(
            plain
                .problem
                .as_ref()
                .is_some_and(|problem| problem.starts_with("its gzip stream is broken"))
        );
        let found = read(&plain);
        assert!((100..2_000).contains(&found.len()), "{}", found.len());
        assert!(found.iter().all(|(_, line)| line.is_ok()));
    }

    #[test]
    fn an_object_that_breaks_off_in_its_first_line_has_none() {
        let plain = Plain::unpack(gzip(line(1).as_bytes()), 20);
        assert!(plain.problem.is_some());
        assert!(read(&plain).is_empty());
    }

    #[test]
    fn nothing_is_decompressed_beyond_the_limit() {
        let plain = Plain::unpack(gzip(line(1).repeat(100).as_bytes()), 120);
        assert_eq!(
            plain.problem.as_deref(),
            Some("it holds more than 120 bytes when decompressed")
        );
        assert_eq!(read(&plain).len(), 2);
    }
}
