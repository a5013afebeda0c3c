//! Secrets go in on this side, and do not come back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use thoth_egress::Kind;
use thoth_grants::{SecretName, SecretSource};

use crate::bed::{Bed, Canary, NAME, Server, ask, ask_with, get, with};

const VALUE: &str = "ghp_16C7e42F292c6912E7";

#[tokio::test]
async fn a_placeholder_is_filled_in_after_the_rules_allow_it() {
    let server = Server::saying("HTTP/1.1 204 No Content\r\n\r\n").await;
    let egress = Bed::open_to(server.port).secret("github", VALUE).egress();
    let parts = with(
        get(&server.url("/")),
        &[
            ("authorization", "Bearer {{secret:github}}"),
            ("x-token", "{{secret:github}}/{{secret:github}}"),
            ("accept-encoding", "gzip"),
        ],
    );
    ask(&egress, &parts).await.unwrap();
    let request = &server.requests()[0];
    assert!(request.contains(&format!("authorization: Bearer {VALUE}\r\n")));
    assert!(request.contains(&format!("x-token: {VALUE}/{VALUE}\r\n")));
    assert!(request.contains("accept-encoding: identity\r\n"));
    let attempts = egress.take_attempts();
    assert!(!format!("{attempts:?} {parts:?}").contains(VALUE));
}

#[tokio::test]
async fn a_secret_that_a_server_sends_back_is_masked() {
    let server = Server::echoing("X-Seen: Bearer ghp_16C7e42F292c6912E7\r\n").await;
    let egress = Bed::open_to(server.port).secret("github", VALUE).egress();
    let parts = with(
        get(&server.url("/")),
        &[("authorization", "Bearer {{secret:github}}")],
    );
    let answer = ask(&egress, &parts).await.unwrap();
    assert!(answer.masked);
    let (head, body) = answer.response.into_parts();
    assert_eq!(head.headers["x-seen"], "Bearer [secret:github]");
    assert_eq!(head.headers["content-length"], body.len().to_string());
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        body.contains("authorization: Bearer [secret:github]\r\n"),
        "{body}"
    );
    assert!(!body.contains(VALUE));
    assert!(egress.take_attempts().ended[0].masked);
}

#[tokio::test]
async fn a_name_of_a_header_that_is_a_secret_is_dropped() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\nkey-0123456789: x\r\nX-Kept: y\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let egress = Bed::open_to(server.port)
        .secret("key", "key-0123456789")
        .egress();
    let parts = with(get(&server.url("/")), &[("x-token", "{{secret:key}}")]);
    let answer = ask(&egress, &parts).await.unwrap();
    assert!(answer.masked);
    assert!(!format!("{:?}", answer.response).contains("key-0123456789"));
    assert_eq!(answer.response.headers()["x-kept"], "y");
}

#[tokio::test]
async fn an_answer_that_cannot_be_searched_is_refused() {
    let server =
        Server::saying("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab")
            .await;
    let egress = Bed::open_to(server.port).secret("github", VALUE).egress();
    let parts = with(
        get(&server.url("/")),
        &[("authorization", "Bearer {{secret:github}}")],
    );
    assert_eq!(ask(&egress, &parts).await.unwrap_err().kind, Kind::Secret);
}

#[tokio::test]
async fn a_secret_goes_nowhere_else() {
    let canary = Canary::new().await;
    let port = canary.port();
    let url = format!("http://{NAME}:{port}/");
    for (url, name, value) in [
        (url.clone(), "x-other", "{{secret:github}}"),
        (url.clone(), "x-token", "{{secret:gitlab}}"),
        (url.clone(), "x-token", "{{secret:}}"),
        (url.clone(), "x-token", "{{secret:github"),
        (url.clone(), "x-token", "{{secret: github}}"),
        (url.clone(), "x-token", "{{secret:{{secret:github}}}}"),
        (format!("{url}?a={{{{secret:github}}}}"), "accept", "a"),
        (
            format!("{url}?a=%7b%7Bsecret%3agithub%7d%7d"),
            "accept",
            "a",
        ),
        (format!("{url}%7B%7Bsecret:github%7D%7D"), "accept", "a"),
    ] {
        let egress = Bed::open_to(port).secret("github", VALUE).egress();
        let refused = ask(&egress, &with(get(&url), &[(name, value)])).await;
        assert_eq!(refused.unwrap_err().kind, Kind::Secret, "{url} {value}");
    }
    // Known to the configuration and not granted to the tool.
    let mut bed = Bed::open_to(port).secret("github", VALUE);
    bed.grants.secrets.clear();
    let parts = with(get(&url), &[("x-token", "{{secret:github}}")]);
    assert_eq!(
        ask(&bed.egress(), &parts).await.unwrap_err().kind,
        Kind::Secret
    );
    // Granted, and not known.
    let mut bed = Bed::open_to(port).secret("github", VALUE);
    bed.sources.clear();
    assert_eq!(
        ask(&bed.egress(), &parts).await.unwrap_err().kind,
        Kind::Secret
    );
    canary.assert_silent().await;
}

#[tokio::test]
async fn a_placeholder_in_a_body_stays_as_it_is() {
    let server = Server::saying("HTTP/1.1 204 No Content\r\n\r\n").await;
    let egress = Bed::open_to(server.port).secret("github", VALUE).egress();
    let mut parts = get(&server.url("/"));
    parts.method = http::Method::POST;
    let body = Bytes::from_static(b"{{secret:github}}");
    ask_with(&egress, &parts, body).await.unwrap();
    assert!(server.requests()[0].ends_with("\r\n\r\n{{secret:github}}"));
}

/// The name is granted, and private addresses are; but in the clear a secret stays on this machine.
#[tokio::test]
async fn in_the_clear_a_secret_stays_on_this_machine() {
    for addresses in [&["10.0.0.1"][..], &["127.0.0.1", "10.0.0.1"]] {
        let mut bed = Bed::open_to(9).secret("github", VALUE);
        bed.addresses = addresses.to_vec();
        let parts = with(
            get(&format!("http://{NAME}:9/")),
            &[("x-token", "{{secret:github}}")],
        );
        assert_eq!(
            ask(&bed.egress(), &parts).await.unwrap_err().kind,
            Kind::Address
        );
    }
}

/// Flags and files do not make such a rule; a program can.
#[tokio::test]
async fn in_the_clear_a_secret_needs_a_rule_for_this_machine() {
    let canary = Canary::new().await;
    let mut bed = Bed::open_to(canary.port()).secret("github", VALUE);
    bed.grants.network[0].allow_private = false;
    let parts = with(
        get(&format!("http://{NAME}:{}/", canary.port())),
        &[("x-token", "{{secret:github}}")],
    );
    assert_eq!(
        ask(&bed.egress(), &parts).await.unwrap_err().kind,
        Kind::Secret
    );
    canary.assert_silent().await;
}

#[tokio::test]
async fn a_command_is_run_once_for_all_requests() {
    let server = Server::echoing("").await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("runs");
    let script = format!("echo run >> {}; echo {VALUE}", log.display());
    let mut bed = Bed::open_to(server.port);
    let name: SecretName = "github".parse().unwrap();
    let command = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
    bed.sources
        .push((name.clone(), SecretSource::Command(command)));
    bed.grants.secrets.push(name);
    let egress = bed.egress();
    let parts = with(
        get(&server.url("/")),
        &[("authorization", "Bearer {{secret:github}}")],
    );
    for _ in 0..3 {
        assert!(ask(&egress, &parts).await.unwrap().masked);
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "run\n");
    assert_eq!(server.requests().len(), 3);
}

/// Servers show a credential in the form in which they got it.
#[tokio::test]
async fn basic_credentials_are_masked_too() {
    let basic = STANDARD.encode(format!("user:{VALUE}"));
    let answer = format!("Basic {basic}");
    let server = Server::saying(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    ))
    .await;
    let egress = Bed::open_to(server.port).secret("github", VALUE).egress();
    let parts = with(get(&server.url("/")), &[("x-token", "{{secret:github}}")]);
    let answer = ask(&egress, &parts).await.unwrap();
    let body = String::from_utf8(answer.response.body().to_vec()).unwrap();
    assert!(answer.masked && body.starts_with("Basic ") && body.contains("[secret:github]"));
    // `user:` in base64 is `dXNlcj` and the bits of the next character.
    assert!(
        body.len() < "Basic dXNlcj[secret:github]".len() + 4,
        "{body}"
    );
}
