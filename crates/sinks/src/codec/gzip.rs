//! gzip, by zlib-rs.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Fast on purpose: at level 1 compression is still three quarters of the CPU a record costs, and
/// level 6 would cost four times that for a third fewer bytes.
const LEVEL: Compression = Compression::fast();

/// Compresses. The same input always makes the same bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    // A quarter is more than logs usually need.
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4 + 64), LEVEL);
    // Writing to a vector cannot fail.
    drop(encoder.write_all(bytes));
    encoder.finish().unwrap_or_default()
}

/// Decompresses, members one after the other, up to `limit` bytes.
pub fn gunzip(bytes: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut plain)?;
    if read as u64 > limit {
        return Err(std::io::Error::other(format!(
            "more than {limit} bytes when decompressed"
        )));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_always_as_the_same_bytes() {
        let text = b"hello hello hello".repeat(100);
        assert_eq!(gzip(&text), gzip(&text));
        assert_eq!(gunzip(&gzip(&text), 10_000).expect("it fits"), text);
        let members = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(gunzip(&members, 10).expect("it fits"), b"ab");
    }

    #[test]
    fn a_bomb_is_refused_and_broken_bytes_are_an_error() {
        assert!(gunzip(&gzip(&vec![0; 100_000]), 1000).is_err());
        assert!(gunzip(b"plain", 1000).is_err());
    }
}
