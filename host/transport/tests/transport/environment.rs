//! The environment has no say: not over proxies, not over trust.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use thoth_transport::Fault;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::server::{ALLOW, AMPLE, Server, send};
use crate::tls::{Authority, TlsServer};

/// Where the probe, in its own process, finds the folder that its variables point into.
const FOLDER: &str = "TRANSPORT_PROBE_FOLDER";

/// Runs the probe below in a process where everything points elsewhere.
#[tokio::test]
async fn proxies_and_certificate_stores_of_the_environment_are_ignored() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut probe = Command::new(env::current_exe().unwrap());
    probe
        .args(["--exact", "environment::probe"])
        .env(FOLDER, folder.path());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        probe
            .env(name, &proxy_url)
            .env(name.to_lowercase(), &proxy_url);
    }
    probe
        .env("SSL_CERT_FILE", folder.path().join("ca.pem"))
        .env("SSL_CERT_DIR", folder.path());
    probe.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || probe.output())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    assert!(
        timeout(Default::default(), proxy.accept()).await.is_err(),
        "the proxy was used"
    );
}

#[tokio::test]
async fn probe() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let plain = Server::start(|mut peer| async move { peer.answer_all(ALLOW).await }).await;
    assert_eq!(send(&plain.client(), AMPLE).await.unwrap().status(), 200);
    let authority = Authority::new();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let server = TlsServer::healthy(&authority).await;
    let fault = send(&server.client(None), AMPLE).await.unwrap_err();
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
}
