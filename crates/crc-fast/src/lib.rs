//! The three CRCs that S3 knows, under the names of the crate `crc-fast`.
//!
//! The AWS SDK uses that crate for S3's checksums. It chooses among some sixty algorithms at run time,
//! so a program that needs one gets the lookup tables of all of them, 0.66 MB that hardly compress: a
//! quarter of the layer. `[patch.crates-io]` in the root manifest puts this crate in its place, until
//! upstream can leave tables out (<https://github.com/awesomized/crc-fast-rust/issues/61>).
//!
//! It has what the SDK (`aws-smithy-checksums`) and s3s call, and no more: another call fails to
//! compile. S3 refuses a body whose checksum is wrong, so a mistake here would be heard.

/// Which CRC, by its name in the catalogue of parametrised CRC algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// `CRC32`: gzip's, and what the SDK sends unless its configuration says otherwise.
    Crc32IsoHdlc,
    /// `CRC32C`.
    Crc32Iscsi,
    /// `CRC64NVME`: what S3 computes itself for objects that came without a checksum.
    Crc64Nvme,
}

/// A CRC of what has been seen so far.
#[derive(Debug, Clone)]
pub struct Digest(State);

/// The tables' registers are kept reflected and inverted, as the algorithms' definitions have them.
#[derive(Debug, Clone)]
enum State {
    IsoHdlc(crc32fast::Hasher),
    Iscsi(u64),
    Nvme(u64),
}

static ISCSI: [u64; 256] = table(0x82F6_3B78);
static NVME: [u64; 256] = table(0x9A6C_9329_AC4B_C9B5);
const ALL_ONES_32: u64 = 0xFFFF_FFFF;

impl Digest {
    /// A digest that has seen nothing.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        Self(match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => State::IsoHdlc(crc32fast::Hasher::new()),
            CrcAlgorithm::Crc32Iscsi => State::Iscsi(ALL_ONES_32),
            CrcAlgorithm::Crc64Nvme => State::Nvme(u64::MAX),
        })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::IsoHdlc(hasher) => hasher.update(bytes),
            State::Iscsi(register) => *register = advance(&ISCSI, *register, bytes),
            State::Nvme(register) => *register = advance(&NVME, *register, bytes),
        }
    }

    /// The checksum of all bytes so far; one of 32 bits is in the lower half.
    pub fn finalize(&self) -> u64 {
        match &self.0 {
            State::IsoHdlc(hasher) => hasher.clone().finalize().into(),
            State::Iscsi(register) => register ^ ALL_ONES_32,
            State::Nvme(register) => register ^ u64::MAX,
        }
    }
}

fn advance(table: &[u64; 256], register: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(register, |register, byte| {
        let [low, ..] = register.to_le_bytes();
        table[usize::from(low ^ byte)] ^ (register >> 8)
    })
}

/// What eight steps of the division make of each byte; `polynomial` is reflected.
const fn table(polynomial: u64) -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut register = byte as u64;
        let mut step = 0;
        while step < 8 {
            register = (register >> 1) ^ ((register & 1) * polynomial);
            step += 1;
        }
        table[byte] = register;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn checksum(algorithm: CrcAlgorithm, bytes: &[u8]) -> u64 {
        let mut digest = Digest::new(algorithm);
        digest.update(bytes);
        digest.finalize()
    }

    /// The definition, bit by bit, from the polynomial as the catalogue prints it.
    fn by_definition(width: u32, polynomial: u64, bytes: &[u8]) -> u64 {
        let top = 1 << (width - 1);
        let mask = u64::MAX >> (64 - width);
        let mut register = mask;
        for byte in bytes {
            for bit in 0..8 {
                let incoming = u64::from(byte >> bit & 1);
                let outgoing = u64::from(register & top != 0);
                register = (register << 1) & mask;
                if incoming != outgoing {
                    register ^= polynomial;
                }
            }
        }
        (register ^ mask).reverse_bits() >> (64 - width)
    }

    #[test]
    fn the_catalogues_check_values_come_out() {
        for (algorithm, check) in [
            (CrcAlgorithm::Crc32IsoHdlc, 0xCBF4_3926),
            (CrcAlgorithm::Crc32Iscsi, 0xE306_9283),
            (CrcAlgorithm::Crc64Nvme, 0xAE8B_1486_0A79_9888),
        ] {
            assert_eq!(checksum(algorithm, b"123456789"), check, "{algorithm:?}");
            assert_eq!(checksum(algorithm, b""), 0, "{algorithm:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_have_the_checksum_of_the_definition(pieces in vec(vec(any::<u8>(), 0..200), 0..5)) {
            let whole = pieces.concat();
            for (algorithm, width, polynomial) in [
                (CrcAlgorithm::Crc32IsoHdlc, 32, 0x04C1_1DB7),
                (CrcAlgorithm::Crc32Iscsi, 32, 0x1EDC_6F41),
                (CrcAlgorithm::Crc64Nvme, 64, 0xAD93_D235_94C9_3659),
            ] {
                let mut digest = Digest::new(algorithm);
                for piece in &pieces {
                    digest.update(piece);
                }
                prop_assert_eq!(digest.finalize(), by_definition(width, polynomial, &whole), "{:?}", algorithm);
            }
        }
    }
}
