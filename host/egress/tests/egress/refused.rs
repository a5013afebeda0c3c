//! What never leaves. All of it is aimed at a canary, which must hear nothing.

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use thoth_egress::{Kind, Outcome};

use crate::bed::{Bed, Canary, NAME, ask, get, with};

#[tokio::test]
async fn a_url_that_is_not_what_was_granted_does_not_leave() {
    let canary = Canary::new().await;
    let port = canary.port();
    let at = |host: &str, path: &str| format!("http://{host}:{port}{path}");
    let rows = [
        (at("user@api.example", "/v1/a"), Kind::BadTarget),
        (at("user:pass@api.example", "/v1/a"), Kind::BadTarget),
        (at("@api.example", "/v1/a"), Kind::BadTarget),
        (at("api.example@127.0.0.1", "/v1/a"), Kind::BadTarget),
        (at("api.example.", "/v1/a"), Kind::BadTarget),
        (at("127.0.0.1.", "/v1/a"), Kind::BadTarget),
        (at("127.1", "/v1/a"), Kind::BadTarget),
        (at("0x7f.1", "/v1/a"), Kind::BadTarget),
        (at("0x7f000001", "/v1/a"), Kind::BadTarget),
        (at("0177.0.0.1", "/v1/a"), Kind::BadTarget),
        (at("2130706433", "/v1/a"), Kind::BadTarget),
        (at("[::ffff:127.0.0.1]", "/v1/a"), Kind::NotGranted),
        (at("[::1]", "/v1/a"), Kind::NotGranted),
        (at("127.0.0.1", "/v1/a"), Kind::NotGranted),
        (at("localhost", "/v1/a"), Kind::NotGranted),
        (at("xn--pi-8ia.example", "/v1/a"), Kind::NotGranted),
        (at("xn--a.example", "/v1/a"), Kind::BadTarget),
        (at("a.api.example", "/v1/a"), Kind::NotGranted),
        (at("api.example.evil", "/v1/a"), Kind::NotGranted),
        (at(NAME, "/v2/a"), Kind::NotGranted),
        (at(NAME, "/v1/../v2"), Kind::BadTarget),
        (at(NAME, "/v1/%2e%2E/v2"), Kind::BadTarget),
        (at(NAME, "/v1/..%2fv2"), Kind::BadTarget),
        (at(NAME, "//v1/a"), Kind::BadTarget),
        (at(NAME, "/http://127.0.0.1/"), Kind::BadTarget),
        (at(NAME, "/v1/a%0d%0aHost:%20evil"), Kind::BadTarget),
        (at(NAME, "/v1/a%00"), Kind::BadTarget),
        (format!("https://{NAME}:{port}/v1/a"), Kind::NotGranted),
        (format!("ftp://{NAME}:{port}/v1/a"), Kind::BadTarget),
        (format!("http://{NAME}:0/v1/a"), Kind::BadTarget),
        (format!("http://{NAME}/v1/a"), Kind::NotGranted),
        ("/v1/a".to_owned(), Kind::BadTarget),
        ("*".to_owned(), Kind::BadTarget),
        (format!("{NAME}:{port}"), Kind::BadTarget),
    ];
    for (url, kind) in rows {
        let rule = format!("http://{NAME}:{port}/v1/* GET allow-private");
        let refused = ask(&Bed::new(&[&rule]).egress(), &get(&url)).await;
        assert_eq!(refused.map_err(|r| r.kind).map(drop), Err(kind), "{url}");
    }
    canary.assert_silent().await;
}

/// These do not even become a request: whoever builds one for the tool cannot.
#[test]
fn a_line_break_makes_no_url_and_no_header() {
    for url in [
        "http://api.example/a\r\nHost: evil",
        "http://api.example/a b",
        "http://api.example\\@evil/",
        "http://api。example/",
    ] {
        assert!(url.parse::<Uri>().is_err(), "{url:?}");
    }
    assert!(HeaderValue::from_str("a\r\nHost: evil").is_err());
    assert!("x\r\nhost".parse::<HeaderName>().is_err());
}

#[tokio::test]
async fn a_method_that_is_not_granted_does_not_leave() {
    let canary = Canary::new().await;
    let port = canary.port();
    let rule = format!("http://{NAME}:{port}/* GET allow-private");
    let strange = Method::from_bytes(b"get").unwrap();
    for (method, kind) in [
        (Method::CONNECT, Kind::BadTarget),
        (Method::TRACE, Kind::BadTarget),
        (Method::POST, Kind::NotGranted),
        (Method::HEAD, Kind::NotGranted),
        (strange, Kind::NotGranted),
    ] {
        let mut parts = get(&format!("http://{NAME}:{port}/a"));
        parts.method = method.clone();
        let refused = ask(&Bed::new(&[&rule]).egress(), &parts).await;
        assert_eq!(refused.map_err(|r| r.kind).map(drop), Err(kind), "{method}");
    }
    let (tunnel, ()) = Request::connect(format!("{NAME}:{port}"))
        .body(())
        .unwrap()
        .into_parts();
    let refused = ask(&Bed::new(&[&rule]).egress(), &tunnel).await;
    assert_eq!(refused.unwrap_err().kind, Kind::BadTarget);
    canary.assert_silent().await;
}

#[tokio::test]
async fn a_header_that_a_tool_may_not_set_does_not_leave() {
    let canary = Canary::new().await;
    let url = format!("http://{NAME}:{}/a", canary.port());
    for name in [
        "host",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "proxy-connection",
        "proxy-authorization",
        "cookie",
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x_forwarded_for",
        "x-real-ip",
        "x-api-key",
        "x-thoth-tenant",
        "x_thoth_tenant",
        "x-http-method-override",
        "x-original-url",
    ] {
        let egress = Bed::open_to(canary.port()).egress();
        let refused = ask(&egress, &with(get(&url), &[(name, "x")])).await;
        assert_eq!(refused.unwrap_err().kind, Kind::Header, "{name}");
    }
    for lengths in [
        &["1", "1"][..],
        &["0", "1"],
        &["+0"],
        &["0x0"],
        &["1"],
        &[""],
    ] {
        let lines: Vec<_> = lengths.iter().map(|l| ("content-length", *l)).collect();
        let egress = Bed::open_to(canary.port()).egress();
        let refused = ask(&egress, &with(get(&url), &lines)).await;
        assert_eq!(refused.unwrap_err().kind, Kind::Header, "{lengths:?}");
    }
    canary.assert_silent().await;
}

#[tokio::test]
async fn more_headers_than_fit_do_not_leave() {
    let canary = Canary::new().await;
    let url = format!("http://{NAME}:{}/a", canary.port());
    let mut many = get(&url);
    let mut count = 0;
    while count < 32_769 {
        let name: HeaderName = format!("x-{count}").parse().unwrap();
        // The map itself ends before that.
        if many
            .headers
            .try_append(name, HeaderValue::from_static(""))
            .is_err()
        {
            break;
        }
        count += 1;
    }
    assert!(count > 20_000);
    let large = "x".repeat(40_000);
    for parts in [many, with(get(&url), &[("x-large", &large)])] {
        let egress = Bed::open_to(canary.port()).egress();
        let refused = ask(&egress, &parts).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Header);
        let attempts = egress.take_attempts().ended;
        assert_eq!(attempts[0].outcome, Outcome::Refused(refused));
    }
    canary.assert_silent().await;
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_connected_to() {
    let canary = Canary::new().await;
    let port = canary.port();
    let rule = format!("https://{NAME}:{port}/* GET");
    for answers in [
        &["127.0.0.1"][..],
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "1.1.1.1"],
        &["10.0.0.1"],
        &["100.64.0.1"],
        &["169.254.169.254"],
        &["172.16.0.1"],
        &["192.0.0.8"],
        &["192.168.0.1"],
        &["198.18.0.1"],
        &["224.0.0.1"],
        &["240.0.0.1"],
        &["0.0.0.0"],
        &["::1"],
        &["::"],
        &["fc00::1"],
        &["fe80::1"],
        &["ff02::1"],
        &["::ffff:127.0.0.1"],
        &["::127.0.0.1"],
        &["64:ff9b::127.0.0.1"],
        &["64:ff9b:1::127.0.0.1"],
        &["2002:7f00:1::"],
        &["2001::1"],
        &["2001:db8::1"],
    ] {
        let mut bed = Bed::new(&[&rule]);
        bed.addresses = answers.to_vec();
        let refused = ask(&bed.egress(), &get(&format!("https://{NAME}:{port}/a"))).await;
        assert_eq!(refused.unwrap_err().kind, Kind::Address, "{answers:?}");
    }
    let literal = format!("https://127.0.0.1:{port}/* GET");
    let egress = Bed::new(&[&literal]).egress();
    let refused = ask(&egress, &get(&format!("https://127.0.0.1:{port}/a"))).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Address);
    canary.assert_silent().await;
}

#[tokio::test]
async fn an_empty_grant_lets_nothing_out() {
    let canary = Canary::new().await;
    let url = format!("http://{NAME}:{}/", canary.port());
    let refused = ask(&Bed::new(&[]).egress(), &get(&url)).await.unwrap_err();
    assert_eq!(refused.kind, Kind::NotGranted);
    canary.assert_silent().await;
}
