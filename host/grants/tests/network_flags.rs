//! Rules as flags: what they become, and what is said of those that are wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use thoth_grants::NetworkRule;

#[test]
fn a_flag_becomes_a_rule() {
    for (flag, rule) in [
        ("https://a.example/", "GET,HEAD https://a.example:443/"),
        ("https://a.example/*", "GET,HEAD https://a.example:443/*"),
        (
            "https://A.example:8443/v1/* GET,POST",
            "GET,POST https://a.example:8443/v1/*",
        ),
        ("https://a.example/x GET,GET", "GET https://a.example:443/x"),
        (
            "https://a.example/%7ex/* PROPFIND",
            "PROPFIND https://a.example:443/~x/*",
        ),
        (
            "https://*.a.example/* govern",
            "GET,HEAD https://*.a.example:443/*  governed",
        ),
        (
            "https://a.example/ header=Authorization header=x-a",
            "GET,HEAD https://a.example:443/  header authorization  header x-a",
        ),
        (
            "http://127.0.0.1:80/* GET allow-private govern",
            "GET http://127.0.0.1:80/*  private addresses too  governed",
        ),
        (
            "http://[::1]/* allow-private",
            "GET,HEAD http://[::1]:80/*  private addresses too",
        ),
        (
            "https://[::ffff:1.2.3.4]/*",
            "GET,HEAD https://1.2.3.4:443/*",
        ),
        (
            "https://xn--bcher-kva.example/*",
            "GET,HEAD https://xn--bcher-kva.example:443/*",
        ),
    ] {
        let parsed: NetworkRule = flag.parse().expect(flag);
        assert_eq!(parsed.to_string(), rule, "{flag}");
    }
}

#[test]
fn what_is_wrong_is_said_with_a_right_example() {
    for (flag, words) in [
        ("", "the rule is empty: write it as `https://"),
        ("api.example.com", "neither http nor https"),
        ("ftp://a.example/", "neither http nor https"),
        ("https://a.example", "end it with `/*` for all"),
        ("https://a.example:443", "end it with `/*` for all"),
        ("https://*/*", "neither a leading `*.`"),
        ("https://a.*.example/*", "neither a leading `*.`"),
        ("https://*a.example/*", "neither a leading `*.`"),
        ("https://*.*.a.example/*", "neither a leading `*.`"),
        ("https://a.example/*/x", "neither a leading `*.`"),
        ("https://a.example/x*", "neither a leading `*.`"),
        ("https://a.example/**", "neither a leading `*.`"),
        ("https://a.example:*/", "neither a leading `*.`"),
        ("*://a.example/*", "neither http nor https"),
        ("https://*.com/*", "name at least two labels"),
        ("https://*.127.0.0.1/*", "name at least two labels"),
        ("https://*.[::1]/*", "name at least two labels"),
        ("https://a.example/x?y=1", "has a query or a fragment"),
        ("https://a.example/x#y", "has a query or a fragment"),
        ("https://user@a.example/", "has a user name"),
        ("https://a.example./", "ends with a dot"),
        (
            "https://127.1/*",
            "two URL parsers do not agree on the host",
        ),
        ("https://a.example:0/", "the port is not a number"),
        ("https://a.example/x/../y", "dot segment"),
        ("https://a.example//x", "empty segment"),
        ("https:///x", "is not a URL"),
        (
            "https://bücher.example/*",
            "write the host as `xn--bcher-kva.example`",
        ),
        ("http://a.example/*", "is not encrypted"),
        ("https://a.example/ get", "`get` is not an option of a rule"),
        ("https://a.example/ GET,post", "`post` is not a method"),
        ("https://a.example/ GET,", "`` is not a method"),
        ("https://a.example/ CONNECT", "`CONNECT` is not a method"),
        ("https://a.example/ TRACE", "`TRACE` is not a method"),
        ("https://a.example/ G=T", "`G=T` is not a method"),
        ("https://a.example/ GET govrn", "did you mean `govern`?"),
        (
            "https://a.example/ GET POST",
            "`POST` is not an option of a rule",
        ),
        (
            "https://a.example/ header=",
            "`` is not the name of a header",
        ),
        ("https://a.example/ header=Host", "`host` is the host's own"),
        (
            "https://a.example/ header=transfer-encoding",
            "is the host's own",
        ),
    ] {
        let error = match NetworkRule::from_flag(flag) {
            Err(error) => error.to_string(),
            Ok(rule) => panic!("{flag} became {rule}"),
        };
        assert!(error.contains(words), "{flag}: {error}");
        assert!(!error.contains('\n'), "{flag}: {error}");
    }
}
