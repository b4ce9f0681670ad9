//! Certificates for the intake: an authority made for this run, and a leaf for loopback.
//!
//! Invariant: the authority's PEM file lives as long as the intake. Must not install a process-wide
//! crypto provider: the program that uses the testkit decides that.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::error::{TestkitError, start};

/// The authority's file, and a server configuration with a leaf that it signed.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: NamedTempFile,
    server: Arc<ServerConfig>,
}

impl Certificates {
    pub(super) fn make() -> Result<Self, TestkitError> {
        let (pem, server) =
            issue().map_err(|error| TestkitError::Certificate(error.to_string()))?;
        let file = "the authority's file";
        let mut authority = tempfile::Builder::new()
            .prefix("backstop-testkit-ca-")
            .suffix(".pem")
            .tempfile()
            .map_err(start(file))?;
        authority.write_all(pem.as_bytes()).map_err(start(file))?;
        authority.flush().map_err(start(file))?;
        Ok(Self {
            authority,
            server: Arc::new(server),
        })
    }

    pub(super) fn ca_pem_path(&self) -> &Path {
        self.authority.path()
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }
}

fn issue() -> Result<(String, ServerConfig), Box<dyn std::error::Error>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Backstop testkit authority");
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
    leaf.subject_alt_names
        .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    leaf.distinguished_name
        .push(DnType::CommonName, "Backstop testkit intake");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf_key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&leaf_key, &issuer)?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((authority_pem, server))
}
