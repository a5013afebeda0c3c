//! Tricky URLs: each is read in one way, or refused.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<String, OriginError> {
    Origin::parse(text).map(|origin| origin.to_string())
}

#[test]
fn a_plain_url_is_normalised() {
    for (text, shown) in [
        (
            "https://enforce.acme.example",
            "https://enforce.acme.example",
        ),
        (
            "https://enforce.acme.example/",
            "https://enforce.acme.example",
        ),
        (
            "HTTPS://Enforce.ACME.example:443//",
            "https://enforce.acme.example",
        ),
        (
            "https://e.example:8443/api/v2/",
            "https://e.example:8443/api/v2",
        ),
        ("https://10.0.0.1", "https://10.0.0.1"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        (
            "https://xn--bcher-kva.example",
            "https://xn--bcher-kva.example",
        ),
        ("https://e.example:80", "https://e.example:80"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.1.2.3:80/a", "http://127.1.2.3/a"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://LocalHost:9", "http://localhost:9"),
        ("https://e.example/a.b~c-d_e", "https://e.example/a.b~c-d_e"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(shown), "{text}");
    }
}

#[test]
fn the_parts_are_as_written_or_implied() {
    let origin = Origin::parse("http://[::1]:9/base/").unwrap();
    assert_eq!(
        (
            origin.authority(),
            origin.host(),
            origin.port(),
            origin.base_path(),
            origin.is_tls()
        ),
        ("[::1]:9", "::1", 9, "/base", false)
    );
    let origin = Origin::parse("https://e.example").unwrap();
    assert_eq!(
        (
            origin.authority(),
            origin.host(),
            origin.port(),
            origin.base_path(),
            origin.is_tls()
        ),
        ("e.example", "e.example", 443, "", true)
    );
}

#[test]
fn plain_http_stays_on_this_machine() {
    for host in [
        "127.0.0.1.evil",
        "evil.127.0.0.1.example",
        "localhost.evil",
        "evil.localhost",
        "enforce.acme.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::2]",
        "169.254.169.254",
    ] {
        assert_eq!(
            parse(&format!("http://{host}")),
            Err(OriginError::PlainHttp(host.into()))
        );
    }
}

#[test]
fn another_spelling_of_a_host_is_refused() {
    for (written, meaning) in [
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("localhost.", "localhost"),
        ("e.example.", "e.example"),
    ] {
        for scheme in ["http", "https"] {
            let expected = OriginError::HostForm {
                written: written.into(),
                meaning: meaning.into(),
            };
            assert_eq!(parse(&format!("{scheme}://{written}:8080")), Err(expected));
        }
    }
    // Written as it is used, a mapped address is still not loopback.
    assert!(matches!(
        parse("http://[::ffff:7f00:1]"),
        Err(OriginError::PlainHttp(_))
    ));
}

#[test]
fn every_other_oddity_has_its_own_refusal() {
    use OriginError::*;
    for (text, error) in [
        ("", Scheme),
        ("enforce.acme.example", Scheme),
        ("//enforce.acme.example", Scheme),
        ("ftp://e.example", Scheme),
        ("https:/e.example", Scheme),
        ("https:e.example", Scheme),
        ("javascript://e.example", Scheme),
        (" https://e.example", Character),
        ("https://e.example ", Character),
        ("https://e.exa\tmple", Character),
        ("https://e.example\n", Character),
        ("https://e.example\r\nX: y", Character),
        ("https://e.example\0", Character),
        ("http:\\\\127.0.0.1", Character),
        ("https://e.example\\@evil.example", Character),
        ("https://bücher.example", Character),
        ("https://e.example。evil", Character),
        ("https://user:hunter2@e.example", UserInfo),
        ("https://user@e.example", UserInfo),
        ("https://@e.example", UserInfo),
        ("http://127.0.0.1:80@evil.example", UserInfo),
        ("https://e.example?", QueryOrFragment),
        ("https://e.example/?a=b", QueryOrFragment),
        ("https://e.example/#", QueryOrFragment),
        ("https://e.example#@evil", QueryOrFragment),
        ("https://[fe80::1%25eth0]", ZoneId),
        ("https://[fe80::1%eth0]:80", ZoneId),
        ("https://e%2eexample", ZoneId),
        ("https://", Host(String::new())),
        ("https:///e.example", Host(String::new())),
        ("https://:443", Host(String::new())),
        ("https://[::1", Port(":1".into())),
        ("https://[::g]", Host("[::g]".into())),
        ("https://[::1]x", Host("[::1]x".into())),
        ("https://256.1.1.1", Host("256.1.1.1".into())),
        ("https://e..example", Host("e..example".into())),
        ("https://e.example:", Port(String::new())),
        ("https://e.example:0", Port("0".into())),
        ("https://e.example:080", Port("080".into())),
        ("https://e.example:+443", Port("+443".into())),
        ("https://e.example:65536", Port("65536".into())),
        ("https://e.example:a", Port("a".into())),
        ("https://e.example:1:2", Port("1:2".into())),
        ("https://e.example/a/../b", Path),
        ("https://e.example/.", Path),
        ("https://e.example/%2e%2e/b", Path),
        ("https://e.example/a//b", Path),
        ("https://e.example/a;b", Path),
        ("https://e.example/a@b", Path),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
    let long = format!("https://e.example/{}", "a".repeat(MAX_URL));
    assert_eq!(parse(&long), Err(TooLong));
}

#[test]
fn a_password_is_never_shown() {
    for text in [
        "https://u:hunter2@e.example",
        "http://u:hunter2@e.example:x/..?#",
        "https://hunter2@",
    ] {
        let error = Origin::parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn a_message_is_one_line_with_the_next_step() {
    let error = Origin::parse("http://enforce.acme.example")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "plain http goes to a loopback address or `localhost` only, and `enforce.acme.example` is \
         neither; use `https://enforce.acme.example`"
    );
}

proptest! {
    /// Whatever is accepted means the same when it is read again, and plain http never leaves.
    #[test]
    fn what_is_accepted_is_stable(
        scheme in "(https?|HTTP)://",
        host in "[a-z0-9.:%@\\[\\]_-]{0,16}|localhost|127\\.0\\.0\\.1|\\[::1\\]",
        rest in "(:[0-9]{0,6})?[/a-z.%?#@]{0,12}",
    ) {
        if let Ok(origin) = Origin::parse(&format!("{scheme}{host}{rest}")) {
            prop_assert_eq!(Origin::parse(&origin.to_string()), Ok(origin.clone()));
            let loopback = origin.address().is_some_and(|address| address.is_loopback());
            prop_assert!(origin.is_tls() || loopback || origin.is_localhost());
            prop_assert!(url::Url::parse(&origin.to_string()).is_ok());
        }
    }

    /// No text makes the parser panic.
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let _ = Origin::parse(&text);
    }
}
