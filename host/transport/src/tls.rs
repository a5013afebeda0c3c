//! Whom to trust: the public web's authorities, and those of a file.
//!
//! The system's store is not read: it is found by environment variables, and a policy decision must
//! not depend on who set them. A private enforcer's authority is named in the configuration.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use crate::ClientError;

/// TLS 1.2 and 1.3, HTTP/1.1 only, no early data (it can be replayed), no client certificate.
pub(crate) fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ClientError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Adds every certificate of the file, or fails: an authority that is left out in silence would
/// only be noticed as an outage.
fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), ClientError> {
    let text = std::fs::read(path).map_err(|source| ClientError::CaFile {
        path: path.to_owned(),
        source,
    })?;
    let unusable = |problem: String| ClientError::CaContent {
        path: path.to_owned(),
        problem,
    };
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        count += 1;
        let certificate = certificate
            .map_err(|error| unusable(format!("certificate {count} cannot be read ({error})")))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(format!("certificate {count} is no authority ({error})")))?;
    }
    if count == 0 {
        Err(unusable("it has no certificate".to_owned()))
    } else {
        Ok(())
    }
}
