//! Certificates for those who connect to us.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A certificate with its chain, and its key, both as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then those that vouch for it.
    pub certificates: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsFiles(…)")
    }
}

/// What makes TLS of a connection; HTTP/2 is offered first.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&files.certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate is not PEM: {error}"))?;
    if certificates.is_empty() {
        return Err("the file of the certificate holds none".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|error| format!("the key of the certificate is unusable: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        })
        .map_err(|error| format!("the certificate and its key cannot be used: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
