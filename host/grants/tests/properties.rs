//! Nothing is granted that a naive reading of rule and URL refuses, and no text makes us panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use http::{Method, Uri};
use proptest::prelude::*;
use proptest::sample::select;
use thoth_grants::{
    Bytes, Config, FileGrant, Grants, NetworkRule, SecretFlag, SecretName, Target,
    environment_name, wassette,
};

/// What somebody who has never seen our code takes a URL for: text, cut at the obvious places.
#[derive(Debug, PartialEq)]
struct Naive {
    scheme: String,
    host: Result<IpAddr, String>,
    port: u16,
    path: String,
}

fn naive(url: &str) -> Option<Naive> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = authority.rsplit('@').next()?.to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host.to_owned(), port.parse().ok()?),
        _ => (authority, if scheme == "http" { 80 } else { 443 }),
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let host = match (literal.parse::<Ipv6Addr>(), literal.parse::<IpAddr>()) {
        (Ok(address), _) => Ok(IpAddr::V6(address).to_canonical()),
        (_, Ok(address)) => Ok(address),
        _ => Err(host),
    };
    let path = rest.split(['?', '#']).next()?;
    let decoded = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .ok()?
        .replace('\\', "/");
    // Whoever resolves dots and drops parameters ends here.
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/').skip(1) {
        match segment.split(';').next()? {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let path = format!("/{}", segments.join("/"));
    Some(Naive {
        scheme,
        host,
        port,
        path,
    })
}

/// Whether a URL is one of the rule's, text against text.
fn naive_grants(rule: &str, url: &str) -> bool {
    let (below_host, rule) = match rule.split_once("://*.") {
        Some((scheme, rest)) => (true, format!("{scheme}://{rest}")),
        None => (false, rule.to_owned()),
    };
    let (Some(rule), Some(url)) = (naive(&rule), naive(url)) else {
        return false;
    };
    let host = match (&rule.host, &url.host) {
        (Err(parent), Err(name)) if below_host => name.ends_with(&format!(".{parent}")),
        (rule, url) => rule == url,
    };
    let path = match rule.path.strip_suffix('*') {
        Some(prefix) => url.path.starts_with(prefix),
        None => url.path == rule.path,
    };
    host && path && rule.scheme == url.scheme && rule.port == url.port
}

/// A rule's parts: scheme, host, port and path.
type Parts = (&'static str, &'static str, &'static str, &'static str);

fn rule() -> impl Strategy<Value = Parts> {
    (
        select(vec!["https", "http", "HTTPS"]),
        select(vec![
            "a.b",
            "*.a.b",
            "*.a.b",
            "A.b",
            "127.0.0.1",
            "[::1]",
            "[::ffff:7f00:1]",
        ]),
        select(vec!["", ":443", ":80", ":8080"]),
        select(vec![
            "/",
            "/*",
            "/v1/*",
            "/v1/*",
            "/v1",
            "/%76%31/*",
            "/v1/a%2cb",
            "/v1/~a/*",
        ]),
    )
}

fn written((scheme, host, port, path): Parts) -> String {
    format!("{scheme}://{host}{port}{path}")
}

fn segment() -> impl Strategy<Value = &'static str> {
    select(vec![
        "v1",
        "a",
        "",
        ".",
        "..",
        "%2e%2E",
        "..;",
        "..%3b",
        "%2f",
        "%5c",
        "\\",
        "%76%31",
        "a%2Cb",
        "%7ea",
        "~a",
        "%00",
        "%252e%252e",
        "*",
        "..%2fx",
        "%c0%ae%c0%ae",
    ])
}

/// A URL near a rule: most of its parts are the rule's, the others a trap.
fn url((scheme, host, port, path): Parts) -> impl Strategy<Value = String> {
    let hosts = select(vec![
        "a.b",
        "x.a.b",
        "x.y.a.b",
        "A.B",
        "a.b.",
        "xa.b",
        "a.b.evil",
        "evil",
        ".a.b",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "xn--a.a.b",
    ]);
    let ports = select(vec![
        "", ":443", ":80", ":8080", ":0443", ":", ":0", ":65536",
    ]);
    let own_path = path.trim_end_matches('*');
    (
        prop_oneof![4 => Just(scheme), 1 => select(vec!["https", "http", "ftp"])],
        prop_oneof![9 => Just(""), 1 => select(vec!["a.b@", "a.b:443@", "@"])],
        prop_oneof![1 => Just(host.trim_start_matches("*.")), 1 => hosts],
        prop_oneof![4 => Just(port), 1 => ports],
        prop_oneof![
            4 => Just(own_path),
            2 => Just(own_path.trim_end_matches('/')),
            1 => Just("/"),
        ],
        prop::collection::vec(segment(), 0..4),
        prop_oneof![3 => Just(""), 1 => select(vec!["?", "?/../x", "?https://a.b/v1/", "#/v1/"])],
        any::<prop::sample::Index>(),
        prop_oneof![
            6 => Just(""),
            1 => select(vec!["/", "@", ".", ":", "\\", "%", "\t", "#", ";", "x"]),
        ],
    )
        .prop_map(
            |(scheme, user, host, port, path, more, query, index, extra)| {
                let more = more.join("/");
                let mut url = format!("{scheme}://{user}{host}{port}{path}{more}{query}");
                url.insert_str(index.index(url.len()), extra);
                url
            },
        )
}

fn rule_and_url() -> impl Strategy<Value = (String, String)> {
    rule().prop_flat_map(|rule| (Just(written(rule)), url(rule)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_naive_reader_refuses_is_never_granted((flag, url) in rule_and_url()) {
        let rule = NetworkRule::from_flag(&format!("{flag} GET allow-private")).unwrap();
        let grants = Grants { network: vec![rule], ..Grants::default() };
        let Ok(uri) = url.parse::<Uri>() else { return Ok(()) };
        let Ok(target) = Target::parse(&Method::GET, &uri) else { return Ok(()) };
        if grants.rule_for(&target).is_ok() {
            prop_assert!(naive_grants(&flag, &url), "{flag} grants {url} as {target}");
        }
        let post = Target { method: Method::POST, ..target };
        prop_assert!(grants.rule_for(&post).is_err());
    }

    #[test]
    fn a_target_is_the_same_when_it_is_read_again((_, url) in rule_and_url()) {
        let Ok(uri) = url.parse::<Uri>() else { return Ok(()) };
        let Ok(target) = Target::parse(&Method::GET, &uri) else { return Ok(()) };
        let again = format!("{}://{}{}", target.scheme, target.authority(), target.path_and_query());
        prop_assert_eq!(Target::parse(&Method::GET, &again.parse().unwrap()), Ok(target));
    }

    #[test]
    fn a_rule_is_the_same_when_it_is_read_again(flag in rule().prop_map(written), govern: bool) {
        let govern = if govern { " govern" } else { "" };
        let rule = NetworkRule::from_flag(&format!("{flag} GET,POST allow-private{govern}")).unwrap();
        let shown = rule.to_string();
        let url = shown.split(' ').nth(1).unwrap();
        let again = NetworkRule::from_flag(&format!("{url} GET,POST allow-private{govern}")).unwrap();
        prop_assert_eq!(rule, again);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC*|[a-z:/.*@%#? \\[\\]\\\\=,0-9{}\"'\n-]*") {
        let nowhere = Path::new("/nonexistent");
        if let Ok(uri) = text.parse::<Uri>() {
            let _ = Target::parse(&Method::GET, &uri);
        }
        let errors = [
            NetworkRule::from_flag(&text).err().map(|error| error.to_string()),
            FileGrant::from_flag(&text).err().map(|error| error.to_string()),
            text.parse::<SecretFlag>().err().map(|error| error.to_string()),
            text.parse::<SecretName>().err().map(|error| error.to_string()),
            text.parse::<Bytes>().err().map(|error| error.to_string()),
            environment_name(&text).err().map(|error| error.to_string()),
            Config::parse(&text, nowhere).err().map(|error| error.to_string()),
            wassette::parse(&text, nowhere).err().map(|error| error.to_string()),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(!error.contains(char::is_control), "{:?}", error);
            prop_assert!(error.chars().count() < 800, "{}", error);
        }
    }
}
