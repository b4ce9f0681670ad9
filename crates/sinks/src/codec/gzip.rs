//! gzip that others have written.

use std::io::{self, Read as _};

use flate2::read::MultiGzDecoder;

/// Decompresses, members one after the other, up to `limit` bytes.
pub fn gunzip(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut plain)?;
    if read as u64 > limit {
        return Err(io::Error::other(format!(
            "more than {limit} bytes when decompressed"
        )));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use backstop_deflate::gzip;

    use super::*;

    #[test]
    fn members_follow_each_other() {
        let members = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(gunzip(&members, 10).expect("it fits"), b"ab");
    }

    #[test]
    fn a_bomb_is_refused_and_broken_bytes_are_an_error() {
        assert!(gunzip(&gzip(&vec![0; 100_000]), 1000).is_err());
        assert!(gunzip(b"plain", 1000).is_err());
    }
}
