//! Facts about the one form of hosts and paths.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;

use super::form;

#[test]
fn a_host_has_one_spelling() {
    for host in [
        "example.com",
        "localhost",
        "xn--bcher-kva.example",
        "_dmarc.a-b.example",
        "0xample.com",
        "1.example",
        "127.0.0.1",
        "::1",
        "[::1]",
        "2001:db8::1",
    ] {
        assert!(form::is_host(host), "{host}");
    }
    for host in [
        "",
        ".",
        "Example.com",
        "example.com.",
        ".example.com",
        "a..b",
        "bücher.example",
        "user@example.com",
        "example.com:443",
        "example.com/x",
        "a b",
        "127.1",
        "127.0.0.1.",
        "127.0.0.01",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "a.0x1",
        "256.0.0.1",
        "[127.0.0.1]",
        "[::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "0:0:0:0:0:0:0:1",
        "2001:DB8::1",
        "fe80::1%eth0",
        &"a".repeat(64),
        &["a"; 128].join("."),
    ] {
        assert!(!form::is_host(host), "{host}");
    }
}

#[test]
fn a_url_path_has_one_spelling() {
    for path in [
        "/",
        "/v1/items",
        "/v1/",
        "/a%20b",
        "/...",
        "/a;b=c",
        "/~u/%C3%BC",
        "/%25",
    ] {
        assert!(form::is_url_path(path), "{path}");
    }
    for path in [
        "",
        "*",
        "v1",
        "//v1",
        "/v1//x",
        "/v1/..",
        "/./x",
        "/%2e%2e/x",
        "/.%2E/x",
        "/x%2fy",
        "/x%5Cy",
        "/x\\y",
        "/%61dmin",
        "/x%00",
        "/x%",
        "/x%2",
        "/x%zz",
        "/x?y",
        "/x#y",
        "/x y",
        "/ü",
        "/x\r\n",
        "http://example.com/",
    ] {
        assert!(!form::is_url_path(path), "{path}");
    }
}

proptest! {
    #[test]
    fn what_is_taken_is_what_an_http_client_reads(
        host in "[a-zA-Z0-9.:\\[\\]%@_-]{1,12}|[0-9.x]{1,12}|\\[[0-9a-f:.]{2,12}\\]",
        path in "/[a-zA-Z0-9./%\\\\?#;@ü-]{0,12}",
        path_of_escapes in "(/|%2[0-9a-fA-F]|%5[cC]|%00|\\.|a){1,8}",
    ) {
        if form::is_host(&host) {
            let authority = if host.contains(':') {
                format!("[{}]", form::without_brackets(&host))
            } else {
                host.clone()
            };
            let uri: http::Uri = format!("https://{authority}:8443/").parse().unwrap();
            prop_assert_eq!(uri.host(), Some(authority.as_str()));
            prop_assert_eq!(uri.port_u16(), Some(8443));
        }
        for path in [path, path_of_escapes] {
            if form::is_url_path(&path) {
                let uri: http::Uri = format!("https://a{path}").parse().unwrap();
                prop_assert_eq!((uri.host(), uri.path(), uri.query()), (Some("a"), path.as_str(), None));
                // A server that decodes before it splits finds the same segments.
                let decoded = percent_decode_str(&path).decode_utf8_lossy();
                prop_assert_eq!(decoded.split('/').count(), path.split('/').count());
                prop_assert!(!decoded.contains('\\'));
                prop_assert!(decoded.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
