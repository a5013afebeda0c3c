//! Over TLS: a secret goes to the server that proves its name, and to no other.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thoth_egress::Kind;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use crate::bed::{Bed, NAME, ask, get, read_request, with};

/// A server with a certificate for `name`; its port, the authority, and the requests it gets.
async fn server(name: &str) -> (u16, String, UnboundedReceiver<String>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, requests) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(stream).await else {
                continue;
            };
            let name = tls.get_ref().1.server_name().map(str::to_owned);
            if let Some(request) = read_request(&mut tls).await {
                seen.send(format!("{name:?} {request}")).unwrap();
                let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                read_request(&mut tls).await;
            }
        }
    });
    (port, issuer.pem(), requests)
}

fn bed(port: u16, authority: Option<String>) -> Bed {
    let rule = format!("https://{NAME}:{port}/* GET allow-private header=authorization");
    let mut bed = Bed::new(&[&rule]).secret("github", "ghp_16C7e42F292c6912E7");
    bed.authority = authority;
    bed
}

#[tokio::test]
async fn a_server_that_proves_its_name_gets_the_secret() {
    let (port, authority, mut requests) = server(NAME).await;
    let parts = with(
        get(&format!("https://{NAME}:{port}/")),
        &[("authorization", "Bearer {{secret:github}}")],
    );
    let answer = ask(&bed(port, Some(authority)).egress(), &parts).await;
    assert_eq!(answer.unwrap().response.status(), 204);
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with(&format!("Some(\"{NAME}\") GET / HTTP/1.1\r\n")));
    assert!(request.contains("authorization: Bearer ghp_16C7e42F292c6912E7\r\n"));
    assert!(request.contains(&format!("host: {NAME}:{port}\r\n")));
}

#[tokio::test]
async fn a_server_that_does_not_gets_no_request() {
    for (name, is_trusted) in [("other.example", true), (NAME, false)] {
        let (port, authority, mut requests) = server(name).await;
        let parts = with(
            get(&format!("https://{NAME}:{port}/")),
            &[("authorization", "Bearer {{secret:github}}")],
        );
        let egress = bed(port, is_trusted.then_some(authority)).egress();
        let refused = ask(&egress, &parts).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Tls, "{name}");
        assert!(requests.try_recv().is_err());
    }
}
