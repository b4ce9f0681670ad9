//! Unpacks zstd as it comes, one block at a time.
//!
//! Invariants: what one step unpacks is a block, and what is kept is the window, of eight MiB at most, as
//! RFC 8878 recommends; frames may follow each other, and ones to be skipped are; a checksum that does not
//! fit is an error. Must not: unpack more than was asked for.

use ruzstd::decoding::FrameDecoder;

/// As many bytes as tell.
pub(crate) const MAGIC_BYTES: usize = 4;
const MAGIC: u32 = 0xFD2F_B528;
/// The last digit is free.
const SKIPPED: u32 = 0x184D_2A50;
const LARGEST_WINDOW: u64 = 8 << 20;
/// Of a block, and of the length of a frame to be skipped.
const BLOCK_HEADER: usize = 3;
const LENGTH: usize = 4;
const CHECKSUM: usize = 4;
/// What was unpacked is removed from the input when it is so much.
const USED: usize = 64 * 1024;

/// Whether an object that begins so is packed with zstd.
pub(crate) fn begins(first: &[u8]) -> bool {
    little_endian(first, MAGIC_BYTES).is_some_and(|it| it == MAGIC || it & !0xF == SKIPPED)
}

fn little_endian(bytes: &[u8], count: usize) -> Option<u32> {
    let bytes = bytes.get(..count)?;
    Some((bytes.iter().rev()).fold(0, |all, byte| all << 8 | u32::from(*byte)))
}

/// A decoder with what it has not unpacked yet.
pub(crate) struct Zstd {
    decoder: FrameDecoder,
    input: Vec<u8>,
    at: usize,
    within: Within,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Between two frames.
    Nothing,
    Frame {
        has_checksum: bool,
    },
    /// A skippable frame of another writer: this many bytes of it are left.
    Skipped(usize),
}

impl std::fmt::Debug for Zstd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Zstd")
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}

impl Default for Zstd {
    fn default() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(LARGEST_WINDOW);
        Self {
            decoder,
            input: Vec::new(),
            at: 0,
            within: Within::Nothing,
        }
    }
}

impl Zstd {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Whether the last frame is whole, and nothing follows it.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.input.len() && matches!(self.within, Within::Nothing | Within::Skipped(0))
    }

    /// Goes on by a header or a block; false where more input is needed.
    pub(crate) fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, String> {
        if self.at >= USED {
            self.input.drain(..self.at);
            self.at = 0;
        }
        let rest = &self.input[self.at..];
        let used = match self.within {
            Within::Nothing => {
                let Some(magic) = little_endian(rest, MAGIC_BYTES) else {
                    return Ok(false);
                };
                if magic & !0xF == SKIPPED {
                    let Some(length) = little_endian(&rest[MAGIC_BYTES..], LENGTH) else {
                        return Ok(false);
                    };
                    self.within = Within::Skipped(length as usize);
                    MAGIC_BYTES + LENGTH
                } else {
                    let Some((size, has_checksum)) = frame_header(rest) else {
                        return Ok(false);
                    };
                    (self.decoder.reset(&rest[..size])).map_err(|error| error.to_string())?;
                    self.within = Within::Frame { has_checksum };
                    size
                }
            }
            Within::Skipped(0) => {
                self.within = Within::Nothing;
                return Ok(true);
            }
            Within::Skipped(left) => {
                let used = left.min(rest.len());
                self.within = Within::Skipped(left - used);
                self.at += used;
                return Ok(used > 0);
            }
            Within::Frame { has_checksum } => {
                let Some((size, is_last)) = block(rest, has_checksum) else {
                    return Ok(false);
                };
                let Some(block) = rest.get(..size) else {
                    return Ok(false);
                };
                (self.decoder.decode_from_to(block, &mut [])).map_err(|error| error.to_string())?;
                (self.decoder.collect_to_writer(&mut *out)).map_err(|error| error.to_string())?;
                if is_last {
                    self.within = Within::Nothing;
                    let found = self.decoder.get_calculated_checksum();
                    if has_checksum && self.decoder.get_checksum_from_data() != found {
                        return Err("its checksum does not fit".to_owned());
                    }
                }
                size
            }
        };
        self.at += used;
        Ok(true)
    }
}

/// The size of a frame's header, which begins with the magic number, and whether a checksum ends the
/// frame; none where it is not all there.
fn frame_header(bytes: &[u8]) -> Option<(usize, bool)> {
    let descriptor = *bytes.get(MAGIC_BYTES)?;
    let is_single = descriptor & 0x20 != 0;
    let content = match descriptor >> 6 {
        0 => usize::from(is_single),
        flag => 1 << flag,
    };
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = MAGIC_BYTES + 1 + usize::from(!is_single) + dictionary + content;
    (bytes.len() >= size).then_some((size, descriptor & 4 != 0))
}

/// The size of a block with its header, and with the frame's checksum where it is the last one.
fn block(bytes: &[u8], has_checksum: bool) -> Option<(usize, bool)> {
    let header = little_endian(bytes, BLOCK_HEADER)?;
    let (is_last, is_repeated) = (header & 1 != 0, header >> 1 & 3 == 1);
    let content = if is_repeated { 1 } else { header as usize >> 3 };
    let checksum = if is_last && has_checksum { CHECKSUM } else { 0 };
    Some((BLOCK_HEADER + content + checksum, is_last))
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use crate::{PIECE, Unpacker};

    fn line(id: u32) -> String {
        format!("{{\"id\":\"{id}\",\"time\":\"t\",\"type\":\"function\",\"record\":\"r\"}}\n")
    }

    fn packed(text: &str) -> Vec<u8> {
        compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
    }

    fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Option<String>) {
        let mut unpacker = Unpacker::new(1_000);
        let mut found = Vec::new();
        let mut take = |unpacker: &mut Unpacker| {
            while let Some((_, line)) = unpacker.next_line() {
                found.push(line.map_or_else(|error| error, |it| it.record.id().to_owned()));
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

    #[test]
    fn frames_that_follow_each_other_are_one_text() {
        let skipped = [&0x184D_2A57_u32.to_le_bytes()[..], &[3, 0, 0, 0, 1, 2, 3]].concat();
        let halves: Vec<String> = [0..3_000, 3_000..5_000]
            .map(|ids| ids.map(line).collect())
            .into();
        let bytes = [
            &skipped[..],
            &packed(&halves[0]),
            &skipped,
            &packed(&halves[1]),
            &skipped,
        ];
        let bytes = bytes.concat();
        for piece in [1, 7, 1_000, PIECE] {
            let (found, problem) = read(&bytes, piece);
            assert_eq!((found.len(), problem), (5_000, None), "{piece}");
            assert_eq!(found[4_999], "4999");
        }
    }

    #[test]
    fn a_frame_that_ends_early_or_is_changed_is_named() {
        let text: String = (0..3_000).map(line).collect();
        let whole = packed(&text);
        let (found, problem) = read(&whole[..whole.len() - 1], PIECE);
        assert!(found.len() < 3_000, "{}", found.len());
        assert_eq!(
            problem.as_deref(),
            Some("its zstd stream is broken: it ends too early")
        );
        let mut changed = whole.clone();
        let at = whole.len() / 2;
        changed[at] ^= 0x55;
        let (_, problem) = read(&changed, PIECE);
        assert!(problem.is_some_and(|it| it.starts_with("its zstd stream is broken")));
        // A window of 2 GiB.
        let large = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xA8, 0x01, 0x00, 0x00];
        let (_, problem) = read(&large, PIECE);
        assert!(problem.is_some_and(|it| it.starts_with("its zstd stream is broken")));
    }

    /// Blocks that repeat one byte: 4 bytes stand for 128 KiB.
    #[test]
    fn a_bomb_is_unpacked_block_by_block() {
        let mut bomb = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38];
        for _ in 0..200 {
            let header: u32 = (128 << 10) << 3 | 1 << 1;
            bomb.extend_from_slice(&header.to_le_bytes()[..3]);
            bomb.push(b' ');
        }
        let mut unpacker = Unpacker::new(1_000);
        unpacker.push(&bomb);
        assert!(unpacker.next_line().is_none());
        assert!(unpacker.held() < 1 << 20, "{}", unpacker.held());
        assert_eq!(unpacker.problem(), None);
    }
}
