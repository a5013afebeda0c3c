//! TLS: who is believed, and what happens to who is not.

use std::io::Write;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tempfile::NamedTempFile;
use thoth_transport::{Client, ClientError, Fault, Options, Origin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::server::{ALLOW, AMPLE, SHORT, Server, read_request, send};

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// A private authority, fresh in every test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A chain of one, and its key.
pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn issue(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            certificate.into(),
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
    }
}

/// How a TLS server ends an exchange.
#[derive(Clone, Copy)]
enum Ending {
    /// It answers every request.
    KeepAlive,
    /// It answers one request, and cuts the answer to the next.
    CutLater(&'static str),
    /// It sends this once and then only FIN, without `close_notify`.
    Cut(&'static str),
    /// It sends this once and then `close_notify`.
    Proper(&'static str),
}

pub(crate) struct TlsServer(Server);

impl TlsServer {
    pub(crate) async fn healthy(authority: &Authority) -> Self {
        Self::start(
            config(authority.issue("localhost", |_| {})),
            Ending::KeepAlive,
        )
        .await
    }

    async fn start(config: ServerConfig, ending: Ending) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self(
            Server::start(move |peer| {
                let acceptor = acceptor.clone();
                async move {
                    // A client that does not believe us ends the handshake.
                    let Ok(mut tls) = acceptor.accept(peer.tcp).await else {
                        return;
                    };
                    let mut ending = ending;
                    while read_request(&mut tls).await.is_some() {
                        match ending {
                            Ending::KeepAlive => tls.write_all(ALLOW.as_bytes()).await.unwrap(),
                            Ending::CutLater(text) => {
                                ending = Ending::Cut(text);
                                tls.write_all(ALLOW.as_bytes()).await.unwrap();
                            }
                            Ending::Cut(text) => {
                                return tls.write_all(text.as_bytes()).await.unwrap();
                            }
                            Ending::Proper(text) => {
                                tls.write_all(text.as_bytes()).await.unwrap();
                                return tls.shutdown().await.unwrap();
                            }
                        }
                    }
                    // Only after the client has closed, so that no reset overtakes an alert.
                    let _ = tls.get_mut().0.read_to_end(&mut Vec::new()).await;
                }
            })
            .await,
        )
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.address.port()
    }

    pub(crate) fn client(&self, trusted: Option<&Authority>) -> Client {
        client(&self.0, trusted)
    }
}

fn client(server: &Server, trusted: Option<&Authority>) -> Client {
    let file = trusted.map(|authority| pem_file(&authority.pem()));
    let ca_file = file.as_ref().map(|file| file.path().to_owned());
    let origin = Origin::parse(&format!("https://localhost:{}", server.address.port())).unwrap();
    Client::new(
        origin,
        Options {
            ca_file,
            ..Options::default()
        },
    )
    .unwrap()
}

pub(crate) fn pem_file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

pub(crate) fn config(identity: Identity) -> ServerConfig {
    config_for(identity, BOTH)
}

fn config_for(identity: Identity, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.0], identity.1)
        .unwrap()
}

async fn fault(config: ServerConfig, trusted: Option<&Authority>) -> Fault {
    send(
        &TlsServer::start(config, Ending::KeepAlive)
            .await
            .client(trusted),
        AMPLE,
    )
    .await
    .unwrap_err()
}

#[tokio::test]
async fn a_private_authority_is_believed_when_its_file_is_given() {
    let authority = Authority::new();
    for version in BOTH {
        let identity = authority.issue("localhost", |_| {});
        let server = TlsServer::start(config_for(identity, &[version]), Ending::KeepAlive).await;
        let client = server.client(Some(&authority));
        for _ in 0..20 {
            assert_eq!(
                send(&client, AMPLE).await.unwrap().body(),
                "{\"decision\":\"ALLOW\"}"
            );
        }
        assert_eq!(client.connections_opened(), 1);
    }
}

#[tokio::test]
async fn an_address_is_proved_as_an_address() {
    let authority = Authority::new();
    for (name, fits) in [
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("localhost", false),
    ] {
        let server =
            TlsServer::start(config(authority.issue(name, |_| {})), Ending::KeepAlive).await;
        let origin = Origin::parse(&format!("https://{}", server.0.address)).unwrap();
        let file = pem_file(&authority.pem());
        let ca_file = Some(file.path().to_owned());
        let client = Client::new(
            origin,
            Options {
                ca_file,
                ..Options::default()
            },
        )
        .unwrap();
        match send(&client, AMPLE).await {
            Ok(_) => assert!(fits, "{name}"),
            Err(fault) => assert!(matches!(&fault, Fault::Tls(_)) && !fits, "{name} {fault:?}"),
        }
    }
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not_believed() {
    let authority = Authority::new();
    // The second has the same name as the first, and another key.
    for (trusted, problem) in [
        (None, "UnknownIssuer"),
        (Some(Authority::new()), "BadSignature"),
    ] {
        let identity = authority.issue("localhost", |_| {});
        let fault = fault(config(identity), trusted.as_ref()).await;
        assert!(
            matches!(&fault, Fault::Tls(why) if why.contains(problem)),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_not_believed() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let identity = (
        certificate.into(),
        PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    );
    let fault = fault(config(identity), None).await;
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_not_believed() {
    let authority = Authority::new();
    let past = authority.issue("localhost", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let future = authority.issue("localhost", |params| {
        params.not_before = date_time_ymd(3000, 1, 1)
    });
    for (identity, problem) in [(past, "expired"), (future, "not valid yet")] {
        let fault = fault(config(identity), Some(&authority)).await;
        assert!(
            matches!(&fault, Fault::Tls(why) if why.contains(problem)),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let authority = Authority::new();
    let identity = authority.issue("other.example", |_| {});
    let fault = fault(config(identity), Some(&authority)).await;
    assert!(
        matches!(&fault, Fault::Tls(why) if why.contains("not valid for name")),
        "{fault:?}"
    );
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_is_a_tls_fault() {
    let authority = Authority::new();
    for version in BOTH {
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let (certificate, key) = authority.issue("localhost", |_| {});
        let acceptor = TlsAcceptor::from(Arc::new(
            ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_client_cert_verifier(verifier)
                .with_single_cert(vec![certificate], key)
                .unwrap(),
        ));
        let server = Server::start(move |peer| {
            let acceptor = acceptor.clone();
            async move {
                let accept = acceptor.accept(peer.tcp).into_fallible();
                let Err((_, mut tcp)) = accept.await else {
                    panic!("no certificate was asked for")
                };
                // Only after the client has closed, so that no reset overtakes the alert.
                let _ = tcp.read_to_end(&mut Vec::new()).await;
            }
        })
        .await;
        let fault = send(&client(&server, Some(&authority)), AMPLE)
            .await
            .unwrap_err();
        assert!(
            matches!(&fault, Fault::Tls(why) if why.contains("alert")),
            "{version:?} {fault:?}"
        );
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_a_tls_fault() {
    let authority = Authority::new();
    let mut h2 = config(authority.issue("localhost", |_| {}));
    h2.alpn_protocols = vec![b"h2".to_vec()];
    let fault = fault(h2, Some(&authority)).await;
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
}

/// Bytes where a TLS answer should be: plain http, a refusal of our versions, TLS 1.1, nonsense.
#[tokio::test]
async fn a_server_that_does_not_speak_our_tls_is_a_tls_fault() {
    let old_hello = [
        &b"\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02"[..],
        &[7; 32],
        &b"\0\0\x2f\0"[..],
    ]
    .concat();
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"\x15\x03\x01\0\x02\x02\x46".to_vec(),
        old_hello,
        vec![0xff; 64],
    ] {
        let answer = bytes.clone();
        let server = Server::start(move |mut peer| {
            let answer = answer.clone();
            async move {
                peer.say(answer).await;
                peer.hold().await;
            }
        })
        .await;
        let fault = send(&client(&server, None), AMPLE).await.unwrap_err();
        assert!(matches!(fault, Fault::Tls(_)), "{bytes:?} {fault:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_meets_the_deadline() {
    let server = Server::start(|mut peer| async move { peer.hold().await }).await;
    assert_eq!(
        send(&client(&server, None), SHORT).await.unwrap_err(),
        Fault::Timeout
    );
}

#[tokio::test]
async fn a_handshake_that_is_closed_is_unreachable() {
    for reset in [false, true] {
        let server = Server::start(move |peer| async move {
            if reset {
                peer.reset();
            }
        })
        .await;
        let fault = send(&client(&server, None), AMPLE).await.unwrap_err();
        assert!(matches!(fault, Fault::Unreachable(..)), "{fault:?}");
    }
}

/// Without `close_notify`, anyone on the way may have cut the answer short.
#[tokio::test]
async fn an_answer_is_whole_only_if_the_server_said_so() {
    let authority = Authority::new();
    let open = "HTTP/1.1 200 OK\r\n\r\n{\"decision\":\"ALLOW\"}";
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"decision\":";
    for (ending, expected) in [
        (Ending::Cut(open), Some("tls")),
        (Ending::Cut(short), Some("tls")),
        (Ending::Cut(ALLOW), None),
        (Ending::Proper(open), None),
        (Ending::Proper(short), Some("protocol")),
        (Ending::Cut(""), Some("unreachable")),
        (Ending::Proper(""), Some("unreachable")),
    ] {
        let identity = authority.issue("localhost", |_| {});
        let server = TlsServer::start(config(identity), ending).await;
        let got = match send(&server.client(Some(&authority)), AMPLE).await {
            Ok(response) => {
                assert_eq!(response.body(), "{\"decision\":\"ALLOW\"}");
                None
            }
            Err(Fault::Tls(_)) => Some("tls"),
            Err(Fault::Protocol(_)) => Some("protocol"),
            Err(Fault::Unreachable(..)) => Some("unreachable"),
            Err(fault) => panic!("{fault:?}"),
        };
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn a_request_is_not_repeated_after_an_answer_was_cut() {
    let authority = Authority::new();
    let ending = Ending::CutLater("HTTP/1.1 200 OK\r\n\r\n{\"decision\":");
    let server = TlsServer::start(config(authority.issue("localhost", |_| {})), ending).await;
    let client = server.client(Some(&authority));
    send(&client, AMPLE).await.unwrap();
    let fault = send(&client, AMPLE).await.unwrap_err();
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
    assert_eq!(client.connections_opened(), 1);
}

#[test]
fn a_ca_file_without_use_is_refused() {
    let new = |ca_file| {
        let origin = Origin::parse("https://e.example").unwrap();
        Client::new(
            origin,
            Options {
                ca_file: Some(ca_file),
                ..Options::default()
            },
        )
        .err()
        .unwrap()
    };
    let missing = tempfile::tempdir().unwrap().path().join("ca.pem");
    assert!(matches!(new(missing), ClientError::CaFile { .. }));
    for text in [
        "",
        "not a certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let file = pem_file(text);
        let error = new(file.path().to_owned());
        assert!(
            matches!(error, ClientError::CaContent { .. }),
            "{text:?} {error}"
        );
    }
}
