//! Whom TLS trusts: the built-in certificate authorities, and those in files that variables name.
//!
//! Such a file may hold private keys beside certificates, and may be anything but what was meant: a
//! message names the file, the place in it and what is wrong there, and never quotes it. Invariants:
//! one unusable section costs no other; line breaks written as the two characters `\n`, as a PEM text
//! comes out of JSON or of an environment variable, are line breaks, since a backslash has no other
//! meaning in one; no more than [`MOST_BYTES`] of a file are read.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::sync::Arc;

use backstop_config::CaFile;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The bundles of the distributions have some 250 KiB.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The client could not be built as configured. Says why, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// A certificate file could not be used, or not all of it.
    #[error("{variable}={path}: {problem}")]
    CaFile {
        /// The variable that names the file.
        variable: &'static str,
        /// The file's path, if that is what the variable has.
        path: String,
        /// What is wrong with it, and what follows from that.
        problem: String,
    },
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Setup,
}

/// The authorities to trust.
pub(super) struct Trusted {
    files: Vec<CaFile>,
    warn: Box<dyn Fn(&HttpError) + Send + Sync>,
}

impl Trusted {
    pub(super) fn new(
        files: Vec<CaFile>,
        warn: impl Fn(&HttpError) + Send + Sync + 'static,
    ) -> Self {
        Self {
            files,
            warn: Box::new(warn),
        }
    }

    /// A certificate file that cannot be read must not cost the sinks that do without it.
    pub(super) fn tls_config(&self) -> Result<Arc<ClientConfig>, HttpError> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.into(),
        };
        for CaFile { variable, path } in &self.files {
            if let Err(problem) = add(&mut roots, path) {
                (self.warn)(&HttpError::CaFile {
                    variable,
                    path: shown(path),
                    problem,
                });
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| HttpError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// A path, as a message may show it. People set such a variable to a certificate, or to a key, in place of its file.
fn shown(path: &str) -> String {
    const LONGEST: usize = 255;
    /// A key without its lines of dashes is longer.
    const LONGEST_NAME: usize = 64;
    let is_plain = !path.chars().any(|char| char.is_control() || char == '\\');
    let is_short = path.len() <= LONGEST_NAME;
    let is_path = is_plain && (is_short || (path.len() <= LONGEST && path.starts_with(['/', '.'])));
    if is_path && !path.contains(DASHES) {
        path.to_owned()
    } else {
        "(not shown, as it is no path: name the file that has the certificates)".to_owned()
    }
}

impl fmt::Debug for Trusted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.files).finish()
    }
}

/// Adds what can be used of a file; an error says what cannot.
fn add(roots: &mut RootCertStore, path: &str) -> Result<(), String> {
    const NOTHING: &str =
        "; only the other certificate authorities are trusted until this is fixed";
    let bytes = contents(path).map_err(|problem| format!("{problem}{NOTHING}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let found = certificates(&text);
    // A system bundle holds some that no one can use; only none at all is an error.
    let (added, _) = roots.add_parsable_certificates(found.certificates);
    if added == 0 {
        return Err(format!("{}{NOTHING}", found.why_none));
    }
    match found.first_broken {
        Some(line) => Err(format!(
            "the certificate that begins in line {line} is cut off or not base64; {} of the file can \
             be used, and are trusted",
            if added == 1 {
                "1 other".to_owned()
            } else {
                format!("{added} others")
            },
        )),
        None => Ok(()),
    }
}

fn contents(path: &str) -> Result<Vec<u8>, String> {
    // The system's words, which know of the file's name at most.
    let said = |error: std::io::Error| error.to_string();
    let kind = std::fs::metadata(path).map_err(said)?.file_type();
    if kind.is_fifo() {
        return Err("is a pipe, not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(said)?;
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    if read.map_err(said)? as u64 > MOST_BYTES {
        return Err("has more than 8 MiB".to_owned());
    }
    Ok(bytes)
}

/// The certificates of a PEM file that can be trusted, in DER: for clients that are not this crate's own.
pub fn authorities(pem: &[u8]) -> Vec<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    certificates(&String::from_utf8_lossy(pem))
        .certificates
        .into_iter()
        .filter(|certificate| roots.add(certificate.clone()).is_ok())
        .map(|certificate| certificate.to_vec())
        .collect()
}

/// What there is in a file.
struct Found {
    certificates: Vec<CertificateDer<'static>>,
    /// The line in which the first certificate begins that cannot be decoded.
    first_broken: Option<usize>,
    /// Why there is none, where there is none.
    why_none: String,
}

fn certificates(text: &str) -> Found {
    let is_escaped = text.contains("\\n") || text.contains("\\r");
    let text = if is_escaped {
        text.replace("\\r", "\n").replace("\\n", "\n")
    } else {
        text.to_owned()
    };
    let mut certificates = Vec::new();
    let mut first_broken = None;
    let mut holds_others = false;
    let mut sections = text.split(BEGIN);
    let mut line = 1 + newlines(sections.next().unwrap_or_default());
    for section in sections {
        match section.split_once(DASHES) {
            Some(("CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE", rest)) => {
                match certificate(rest) {
                    Some(certificate) => certificates.push(certificate),
                    None => {
                        first_broken.get_or_insert(line);
                    }
                }
            }
            _ => holds_others = true,
        }
        line += newlines(section);
    }
    let why_none = match first_broken {
        Some(line) => {
            format!("the certificate that begins in line {line} is cut off or not base64")
        }
        None if !certificates.is_empty() => "none of its certificates can be used".to_owned(),
        None if holds_others => "holds no certificate, but sections of another kind".to_owned(),
        None => "holds no certificate in PEM form".to_owned(),
    };
    let escaped = if is_escaped {
        " (its line breaks are written as \\n)"
    } else {
        ""
    };
    Found {
        certificates,
        first_broken,
        why_none: format!("{why_none}{escaped}"),
    }
}

/// The certificate whose text begins here, whichever way its lines are broken.
fn certificate(text: &str) -> Option<CertificateDer<'static>> {
    let (body, _) = text.split_once(END)?;
    let digits: String = body.split_ascii_whitespace().collect();
    let pem = format!("{BEGIN}CERTIFICATE{DASHES}\n{digits}\n{END}CERTIFICATE{DASHES}\n");
    // The reader's own message would quote the text.
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    (!der.is_empty()).then_some(der)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests;
