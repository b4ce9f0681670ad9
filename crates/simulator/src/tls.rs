//! Certificates for the servers: an authority made for this run, and two leaves for loopback, of which
//! one has expired.
//!
//! Invariant: the authority's PEM file lives as long as the [`Certificates`]. Must not install a process-wide
//! crypto provider: the program that uses the simulator decides that.

use std::error::Error;
use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::error::{SimulationError, start};

/// What is particular about an intake's TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Nothing: TLS 1.2 and 1.3, and a certificate for loopback.
    #[default]
    Usual,
    /// TLS 1.2 alone.
    Only12,
    /// TLS 1.3 alone.
    Only13,
    /// A certificate for another host.
    OtherHost,
}

/// The authority's file, and server configurations with a leaf each that it signed.
#[derive(Debug)]
pub struct Certificates {
    authority: NamedTempFile,
    acceptors: Acceptors,
}

/// What a server shakes hands with.
#[derive(Clone)]
pub struct Acceptors {
    pub(crate) valid: TlsAcceptor,
    pub(crate) expired: TlsAcceptor,
}

impl fmt::Debug for Acceptors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Acceptors")
    }
}

impl Certificates {
    /// An authority and its leaves.
    pub fn make(tls: Tls) -> Result<Self, SimulationError> {
        let (pem, acceptors) =
            issue(tls).map_err(|error| SimulationError::Certificate(error.to_string()))?;
        let file = "the authority's file";
        let mut authority = tempfile::Builder::new()
            .prefix("backstop-simulator-ca-")
            .suffix(".pem")
            .tempfile()
            .map_err(start(file))?;
        authority.write_all(pem.as_bytes()).map_err(start(file))?;
        authority.flush().map_err(start(file))?;
        Ok(Self {
            authority,
            acceptors,
        })
    }

    /// The PEM file of the authority, for `SSL_CERT_FILE`.
    pub fn ca_pem_path(&self) -> &Path {
        self.authority.path()
    }

    pub(crate) fn acceptors(&self) -> Acceptors {
        self.acceptors.clone()
    }
}

fn issue(tls: Tls) -> Result<(String, Acceptors), Box<dyn Error>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Backstop simulator authority");
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let valid = leaf(tls)?;
    let mut expired = leaf(tls)?;
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2020, 12, 31);
    let acceptors = Acceptors {
        valid: acceptor(tls, &valid, &issuer)?,
        expired: acceptor(tls, &expired, &issuer)?,
    };
    Ok((authority_pem, acceptors))
}

fn leaf(tls: Tls) -> Result<CertificateParams, Box<dyn Error>> {
    let mut leaf = if tls == Tls::OtherHost {
        CertificateParams::new(vec!["intake.example.com".to_owned()])?
    } else {
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
        leaf.subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        leaf
    };
    leaf.distinguished_name
        .push(DnType::CommonName, "Backstop simulator server");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    Ok(leaf)
}

fn acceptor(
    tls: Tls,
    leaf: &CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<TlsAcceptor, Box<dyn Error>> {
    let leaf_key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&leaf_key, issuer)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let versions: &[&SupportedProtocolVersion] = match tls {
        Tls::Only12 => &[&TLS12],
        Tls::Only13 => &[&TLS13],
        Tls::Usual | Tls::OtherHost => &[&TLS13, &TLS12],
    };
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}
