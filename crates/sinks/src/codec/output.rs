//! Where a body is written: compressed as it is written, so that it never is in memory as a whole, or as it is.

use backstop_config::Compression;

use super::gzip::Packer;

/// A body in the making.
#[derive(Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    packer: Option<Packer>,
}

impl Output {
    /// A body of about `length` bytes before compression.
    pub(crate) fn new(compression: Compression, length: usize) -> Self {
        match compression {
            Compression::Gzip => Self {
                bytes: Vec::new(),
                packer: Some(Packer::new(length)),
            },
            Compression::None => Self {
                bytes: Vec::with_capacity(length),
                packer: None,
            },
        }
    }

    /// Where to append. What is in there may be gone after [`Output::written`].
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Something has been appended, and will not be looked at again.
    pub(crate) fn written(&mut self) {
        if let Some(packer) = &mut self.packer {
            packer.drain(&mut self.bytes);
        }
    }

    /// The whole body. The same appends always make the same bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        match self.packer {
            Some(mut packer) => {
                packer.pack(&self.bytes);
                packer.finish()
            }
            None => self.bytes,
        }
    }
}
