//! Identities for a service on TLS: one that is right, and each way to be wrong.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};

/// An authority that a client can be told to trust.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a service shows for itself.
pub struct Identity {
    config: Arc<ServerConfig>,
    goodbye: bool,
}

impl Authority {
    /// A fresh authority.
    ///
    /// # Panics
    ///
    /// If no key can be made.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "thoth test authority");
        let key = KeyPair::generate().expect("a key");
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate"),
        }
    }

    /// Its certificate, as a file for `--ca-file` holds it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A service that is what it says.
    #[must_use]
    pub fn good(&self) -> Identity {
        self.sign(params("localhost"))
    }

    /// A service that is what it says, and hangs up without the TLS goodbye.
    #[must_use]
    pub fn without_goodbye(&self) -> Identity {
        Identity {
            goodbye: false,
            ..self.good()
        }
    }

    /// A certificate that has run out.
    #[must_use]
    pub fn expired(&self) -> Identity {
        let mut params = params("localhost");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// A certificate for another name.
    #[must_use]
    pub fn wrong_name(&self) -> Identity {
        self.sign(params("other.example"))
    }

    /// A service that asks for a certificate of the client.
    ///
    /// # Panics
    ///
    /// If the certificates cannot be made.
    #[must_use]
    pub fn asking_for_client_certificate(&self) -> Identity {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .build()
            .expect("a verifier");
        let (chain, key) = self.certify(params("localhost"));
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("a configuration");
        Identity {
            config: Arc::new(config),
            goodbye: true,
        }
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let (chain, key) = self.certify(params);
        Identity::new(chain, key)
    }

    fn certify(
        &self,
        params: CertificateParams,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// A certificate that nobody vouches for.
    ///
    /// # Panics
    ///
    /// If no key can be made.
    #[must_use]
    pub fn self_signed() -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params("localhost")
            .self_signed(&key)
            .expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Self::new(vec![certificate.der().clone()], key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a configuration");
        Self {
            config: Arc::new(config),
            goodbye: true,
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    pub(crate) fn says_goodbye(&self) -> bool {
        self.goodbye
    }
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name")
}
