//! Where a body is written: compressed as it is written, so that it never is in memory as a whole, or as it is.

use backstop_config::Compression;
use backstop_deflate::{Container, Packer};

/// What is compressed at once: most of what one block can hold, with room for the line that makes it full.
pub(super) const PIECE: usize = 60 * 1024;

/// How a body is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    /// zlib's format, which HTTP calls deflate (RFC 9110, section 8.4.1.2).
    Deflate,
    /// The block format of snappy, which is of one piece: the whole body is in memory once.
    Snappy,
    None,
}

impl From<Compression> for Packing {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Gzip => Self::Gzip,
            Compression::None => Self::None,
        }
    }
}

/// A body in the making.
#[derive(Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    packer: Option<Packer>,
    is_snappy: bool,
}

impl Output {
    /// A body of about `length` bytes before compression.
    pub(crate) fn new(packing: Packing, length: usize) -> Self {
        match packing {
            Packing::Gzip => Self::packed(Container::Gzip, length),
            Packing::Deflate => Self::packed(Container::Zlib, length),
            Packing::Snappy | Packing::None => Self {
                bytes: Vec::with_capacity(length),
                packer: None,
                is_snappy: packing == Packing::Snappy,
            },
        }
    }

    fn packed(container: Container, length: usize) -> Self {
        Self {
            bytes: Vec::new(),
            packer: Some(Packer::new(container, length)),
            is_snappy: false,
        }
    }

    /// Where to append. What is in there may be gone after [`Output::written`].
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Something has been appended, and will not be looked at again.
    pub(crate) fn written(&mut self) {
        if let Some(packer) = &mut self.packer
            && self.bytes.len() >= PIECE
        {
            packer.pack(&self.bytes);
            self.bytes.clear();
        }
    }

    /// Appends what is somewhere else, and may be long, without another copy where it is compressed.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        match &mut self.packer {
            Some(packer) if bytes.len() >= PIECE => {
                packer.pack(&self.bytes);
                self.bytes.clear();
                packer.pack(bytes);
            }
            Some(_) | None => self.bytes.extend_from_slice(bytes),
        }
    }

    /// The whole body. The same appends always make the same bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        match self.packer {
            Some(mut packer) => {
                packer.pack(&self.bytes);
                packer.finish()
            }
            None if self.is_snappy => {
                let packed = snap::raw::Encoder::new().compress_vec(&self.bytes);
                // It fails beyond 4 GiB only; bodies are smaller.
                packed.unwrap_or_default()
            }
            None => self.bytes,
        }
    }
}
