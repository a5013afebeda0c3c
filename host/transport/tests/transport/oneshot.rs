//! One exchange with any server: who is reached, who is not, and what two exchanges share.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{Request, Response};
use rustls::HandshakeKind;
use thoth_transport::{Allowance, Destination, Failed, Fault, Host, Lookup, OneShot, Reach, Stage};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use crate::server::{ALLOW, AMPLE, SHORT, Server, read_request};
use crate::tls::{Authority, TlsServer, config, pem_file};

const NAME: &str = "api.example";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Answers the first lookup with the first list, and so on; the last one stays.
fn answers(lists: &[&[&str]]) -> (Lookup, Arc<AtomicUsize>) {
    let parse = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
    let lists: Vec<Vec<SocketAddr>> = lists
        .iter()
        .map(|list| list.iter().map(parse).collect())
        .collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let lookup: Lookup = Arc::new(move |_, _| {
        let turn = count.fetch_add(1, SeqCst).min(lists.len() - 1);
        Ok(lists[turn].clone())
    });
    (lookup, asked)
}

fn to(host: Host, port: u16, reach: Reach) -> Destination {
    Destination {
        is_tls: false,
        host,
        port,
        reach,
    }
}

fn named(port: u16, reach: Reach) -> Destination {
    to(Host::Name(NAME.to_owned()), port, reach)
}

fn get(target: &str) -> Request<Bytes> {
    Request::get(target).body(Bytes::new()).unwrap()
}

async fn send(client: &OneShot, destination: &Destination) -> Result<Response<Bytes>, Failed> {
    let deadline = Instant::now() + AMPLE;
    let allowance = Allowance::new(1000);
    client
        .send(destination, get("/a?b=c"), &allowance, deadline)
        .await
}

/// A listener that must hear nothing.
struct Canary(TcpListener);

impl Canary {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A connection that was made stands in the backlog already.
    async fn assert_silent(&self) {
        let accepted = timeout(Default::default(), self.0.accept()).await;
        assert!(accepted.is_err(), "the canary was reached");
    }
}

#[tokio::test]
async fn the_name_stays_in_the_host_header_and_is_resolved_once() {
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            while let Some(request) = peer.request().await {
                seen.send((peer.number, request)).unwrap();
                peer.say(ALLOW).await;
            }
        }
    })
    .await;
    let (lookup, asked) = answers(&[&["127.0.0.1"]]);
    let client = OneShot::with_lookup(None, lookup).unwrap();
    let port = server.address.port();
    for number in 0..2 {
        let response = send(&client, &named(port, Reach::Private)).await.unwrap();
        assert_eq!(response.status(), 200);
        let expected = format!("GET /a?b=c HTTP/1.1\r\nhost: {NAME}:{port}\r\n\r\n");
        // A new connection for the second one: the server numbers them.
        assert_eq!(requests.recv().await.unwrap(), (number, expected));
        assert_eq!(asked.load(SeqCst), number + 1);
    }
}

#[tokio::test]
async fn a_special_address_among_the_answers_refuses_them_all() {
    let canary = Canary::new().await;
    for answer in [
        &["127.0.0.1"][..],
        &["192.0.2.1", "127.0.0.1"],
        &["127.0.0.1", "1.1.1.1"],
        &["1.1.1.1", "127.0.0.1"],
        &["1.1.1.1", "::ffff:127.0.0.1"],
        &["2606:4700::1111", "::1"],
        &["1.1.1.1", "169.254.169.254"],
        &["64:ff9b::7f00:1"],
        &["0.0.0.0"],
    ] {
        let (lookup, asked) = answers(&[answer]);
        let client = OneShot::with_lookup(None, lookup).unwrap();
        let failed = send(&client, &named(canary.port(), Reach::Public))
            .await
            .unwrap_err();
        assert_eq!(failed.stage, Stage::Resolve, "{answer:?}");
        assert!(
            matches!(&failed.fault, Fault::NotAllowed(why) if why.contains("special-use")),
            "{answer:?} {failed:?}"
        );
        assert_eq!(asked.load(SeqCst), 1);
    }
    canary.assert_silent().await;
}

#[tokio::test]
async fn an_address_is_checked_like_the_answer_of_a_resolver() {
    let canary = Canary::new().await;
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"] {
        let (lookup, asked) = answers(&[&["1.1.1.1"]]);
        let client = OneShot::with_lookup(None, lookup).unwrap();
        let host = Host::Address(address.parse().unwrap());
        let failed = send(&client, &to(host, canary.port(), Reach::Public)).await;
        assert!(matches!(failed.unwrap_err().fault, Fault::NotAllowed(_)));
        assert_eq!(asked.load(SeqCst), 0);
    }
    canary.assert_silent().await;
}

#[tokio::test]
async fn loopback_is_this_machine_and_no_other() {
    let server = Server::start(|mut peer| async move { peer.answer_all(ALLOW).await }).await;
    let port = server.address.port();
    for (answer, fits) in [
        (&["127.0.0.1"][..], true),
        (&["127.0.0.1", "10.0.0.1"], false),
        (&["127.0.0.1", "1.1.1.1"], false),
    ] {
        let client = OneShot::with_lookup(None, answers(&[answer]).0).unwrap();
        let sent = send(&client, &named(port, Reach::Loopback)).await;
        assert_eq!(sent.is_ok(), fits, "{answer:?}");
    }
}

#[tokio::test]
async fn a_target_that_is_no_path_does_not_leave() {
    let canary = Canary::new().await;
    let client = OneShot::new(None).unwrap();
    let destination = to(Host::Address(HERE), canary.port(), Reach::Private);
    for target in [
        "http://evil.example/",
        "//evil.example/a",
        "*",
        "evil.example:80",
    ] {
        let deadline = Instant::now() + AMPLE;
        let allowance = Allowance::new(1000);
        let failed = client
            .send(&destination, get(target), &allowance, deadline)
            .await
            .unwrap_err();
        assert_eq!(failed.stage, Stage::Check, "{target}");
    }
    canary.assert_silent().await;
}

#[tokio::test]
async fn bodies_use_up_one_allowance() {
    let server = Server::start(|mut peer| async move { peer.answer_all(ALLOW).await }).await;
    let client = OneShot::new(None).unwrap();
    let destination = to(Host::Address(HERE), server.address.port(), Reach::Private);
    let allowance = Allowance::new(50);
    for left in [30, 10] {
        let deadline = Instant::now() + AMPLE;
        let sent = client
            .send(&destination, get("/"), &allowance, deadline)
            .await;
        assert_eq!((sent.is_ok(), allowance.left()), (true, left));
    }
    let deadline = Instant::now() + AMPLE;
    let failed = client
        .send(&destination, get("/"), &allowance, deadline)
        .await
        .unwrap_err();
    assert_eq!(failed.fault, Fault::TooLarge("the response's body"));
}

#[tokio::test]
async fn each_failure_says_how_far_it_got() {
    let client = OneShot::with_lookup(
        None,
        Arc::new(|_, _| Err(std::io::Error::other("no such name"))),
    )
    .unwrap();
    let failed = send(&client, &named(1, Reach::Private)).await.unwrap_err();
    assert_eq!(failed.stage, Stage::Resolve);

    let nobody = Canary::new().await.port();
    let closed = to(Host::Address(HERE), nobody, Reach::Private);
    let failed = send(&client, &closed).await.unwrap_err();
    assert_eq!(failed.stage, Stage::Connect);
    assert!(matches!(failed.fault, Fault::Unreachable(..)));

    let silent = Server::start(|mut peer| async move { peer.hold().await }).await;
    let silent = to(Host::Address(HERE), silent.address.port(), Reach::Private);
    let deadline = Instant::now() + SHORT;
    let failed = client
        .send(&silent, get("/"), &Allowance::new(9), deadline)
        .await
        .unwrap_err();
    assert_eq!(
        (failed.stage, failed.fault),
        (Stage::Exchange, Fault::Timeout)
    );
    let late = client
        .send(&silent, get("/"), &Allowance::new(9), Instant::now())
        .await
        .unwrap_err();
    assert_eq!((late.stage, late.fault), (Stage::Check, Fault::Timeout));
}

/// The name server hangs for good; the deadline does not wait for it.
#[tokio::test]
async fn a_name_server_that_hangs_is_cut_off() {
    let (_keep, hang) = std::sync::mpsc::channel::<()>();
    let hang = std::sync::Mutex::new(hang);
    let lookup: Lookup = Arc::new(move |_, _| {
        let _ = hang.lock().unwrap().recv();
        Ok(Vec::new())
    });
    let client = OneShot::with_lookup(None, lookup).unwrap();
    let deadline = Instant::now() + SHORT;
    let failed = client
        .send(
            &named(1, Reach::Private),
            get("/"),
            &Allowance::new(9),
            deadline,
        )
        .await
        .unwrap_err();
    assert_eq!(
        (failed.stage, failed.fault),
        (Stage::Resolve, Fault::Timeout)
    );
    assert!(Instant::now() < deadline + AMPLE);
}

#[tokio::test]
async fn a_server_proves_the_name_that_was_asked_for() {
    let authority = Authority::new();
    let server = TlsServer::healthy(&authority).await;
    let file = pem_file(&authority.pem());
    let (lookup, _) = answers(&[&["127.0.0.1"]]);
    let client = OneShot::with_lookup(Some(file.path()), lookup).unwrap();
    let secure = |name: &str| Destination {
        is_tls: true,
        ..to(Host::Name(name.to_owned()), server.port(), Reach::Private)
    };
    assert_eq!(
        send(&client, &secure("localhost")).await.unwrap().status(),
        200
    );
    let failed = send(&client, &secure("other.example")).await.unwrap_err();
    assert!(matches!(failed.fault, Fault::Tls(_)), "{failed:?}");
    let untrusting = OneShot::with_lookup(None, answers(&[&["127.0.0.1"]]).0).unwrap();
    let failed = send(&untrusting, &secure("localhost")).await.unwrap_err();
    assert!(matches!(failed.fault, Fault::Tls(_)), "{failed:?}");
}

/// The server offers to resume; a client that did would be known again.
#[tokio::test]
async fn no_two_exchanges_share_a_tls_session() {
    let authority = Authority::new();
    let acceptor = TlsAcceptor::from(Arc::new(config(authority.issue("localhost", |_| {}))));
    let (kinds, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |peer| {
        let (acceptor, kinds) = (acceptor.clone(), kinds.clone());
        async move {
            let mut tls = acceptor.accept(peer.tcp).await.unwrap();
            kinds.send(tls.get_ref().1.handshake_kind()).unwrap();
            read_request(&mut tls).await;
            tls.write_all(ALLOW.as_bytes()).await.unwrap();
            read_request(&mut tls).await;
        }
    })
    .await;
    let file = pem_file(&authority.pem());
    let client = OneShot::with_lookup(Some(file.path()), answers(&[&["127.0.0.1"]]).0).unwrap();
    let destination = Destination {
        is_tls: true,
        ..to(
            Host::Name("localhost".to_owned()),
            server.address.port(),
            Reach::Private,
        )
    };
    for _ in 0..3 {
        send(&client, &destination).await.unwrap();
        let kind = seen.recv().await.unwrap();
        // Resumed handshakes have a kind of their own.
        assert!(matches!(
            kind,
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)
        ));
    }
}
