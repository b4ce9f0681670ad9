//! Certificate authorities of a file, for clients that are not this crate's own.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// No file of authorities has more sections than this.
const MOST_SECTIONS: usize = 10_000;

/// The certificates of a PEM file that can be trusted, in DER. A section that cannot be used costs
/// the others nothing, and none of it is in an error.
pub fn authorities(pem: &[u8]) -> Vec<Vec<u8>> {
    let mut roots = rustls::RootCertStore::empty();
    CertificateDer::pem_slice_iter(pem)
        .take(MOST_SECTIONS)
        .filter_map(Result::ok)
        .filter(|certificate| roots.add(certificate.clone()).is_ok())
        .map(|certificate| certificate.to_vec())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::authorities;

    #[test]
    fn what_is_no_certificate_is_none() {
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = b"-----BEGIN CERTIFICATE-----\nAAAA";
        for pem in [&b""[..], b"text", key, nonsense, cut] {
            assert_eq!(authorities(pem), Vec::<Vec<u8>>::new());
        }
    }
}
