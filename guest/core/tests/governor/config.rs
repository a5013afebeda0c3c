//! What a governor takes from its environment, and what it refuses to start with.

use std::time::Duration;

use thoth_core::{Config, ConfigError, Mode};

fn config(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let url = ("THOTH_API_URL", "https://enforce.acme.example");
    let vars = [&[url], vars].concat();
    Config::from_vars(
        vars.into_iter()
            .map(|(name, value)| (name.to_string(), value.to_string())),
    )
}

#[test]
fn a_base_url_is_taken_apart() {
    for (url, secure, authority, prefix) in [
        (
            "https://enforce.acme.example",
            true,
            "enforce.acme.example",
            "",
        ),
        (" HTTP://Localhost:8080/// ", false, "localhost:8080", ""),
        ("http://[::1]:9/thoth/api/", false, "[::1]:9", "/thoth/api"),
        ("http://127.0.0.1:65535", false, "127.0.0.1:65535", ""),
        ("http://[::ffff:127.0.0.1]", false, "[::ffff:127.0.0.1]", ""),
    ] {
        let origin = config(&[("THOTH_API_URL", url)]).unwrap().origin;
        assert_eq!(
            (origin.secure, &*origin.authority, &*origin.prefix),
            (secure, authority, prefix)
        );
    }
}

#[test]
fn anything_else_is_not_a_base_url() {
    for url in [
        "enforce.acme.example",
        "ftp://x",
        "file:///x",
        "https://",
        "https:///x",
        "https:/x",
        "//x",
        "https://u:p@x",
        "https://u@x",
        "https://x?a=b",
        "https://x#a",
        "https://x y",
        "https://ä",
        "https://x\r\nHost: y",
        "https://x:0",
        "https://x:65536",
        "https://x:",
        "https://x:1:2",
        "https://x:+1",
        "https://[::1",
        "https://[::1]x",
        "https://[fe80::1%25eth0]",
        "https://[1]",
        "https://x\\y",
        "https://x\u{0}",
        "https://*.x",
    ] {
        assert!(
            matches!(config(&[("THOTH_API_URL", url)]), Err(ConfigError::Url(_))),
            "{url}"
        );
    }
    assert_eq!(Config::from_vars([]), Err(ConfigError::MissingUrl));
    let blank = [("THOTH_API_URL".to_string(), " ".to_string())];
    assert_eq!(Config::from_vars(blank), Err(ConfigError::MissingUrl));
}

#[test]
fn secrets_are_header_values_and_are_never_shown() {
    let config = config(&[
        ("THOTH_API_KEY", " thoth_live_1 "),
        ("THOTH_EVENT_INGEST_TOKEN", "tok"),
    ]);
    let shown = format!("{config:?}");
    let config = config.unwrap();
    assert_eq!(
        config.api_key.as_ref().map(|key| key.reveal()),
        Some("thoth_live_1")
    );
    assert_eq!(
        config.ingest_token.as_ref().map(|token| token.reveal()),
        Some("tok")
    );
    assert!(
        !shown.contains("thoth_live_1") && !shown.contains("tok\""),
        "{shown}"
    );
    for bad in ["a b", "a\nb", "a\u{0}b", "ä", "a\u{7f}"] {
        let error = self::config(&[("THOTH_API_KEY", bad)]).unwrap_err();
        assert_eq!(error, ConfigError::Secret("THOTH_API_KEY"));
        assert!(!error.to_string().contains(bad));
    }
    assert_eq!(
        self::config(&[("THOTH_API_KEY", "")]).unwrap().api_key,
        None
    );
}

#[test]
fn a_timeout_is_more_than_nothing_and_at_most_ten_minutes() {
    assert_eq!(config(&[]).unwrap().timeout, Duration::from_secs(5));
    for (text, seconds) in [("500ms", 0.5), ("2m", 120.0), ("10m", 600.0)] {
        let timeout = config(&[("THOTH_TIMEOUT", text)]).unwrap().timeout;
        assert_eq!(timeout, Duration::from_secs_f64(seconds));
    }
    for bad in ["0s", "0ms", "601s", "11m", "1h"] {
        assert!(
            matches!(
                config(&[("THOTH_TIMEOUT", bad)]),
                Err(ConfigError::TimeoutRange(_))
            ),
            "{bad}"
        );
    }
    assert!(matches!(
        config(&[("THOTH_TIMEOUT", "5")]),
        Err(ConfigError::Timeout(_))
    ));
}

#[test]
fn there_is_no_fail_open() {
    for yes in ["true", "TRUE", "1", "t", "yes", "on", "maybe"] {
        let error = config(&[("THOTH_FAIL_OPEN", yes)]).unwrap_err();
        assert_eq!(error, ConfigError::FailOpen);
        assert!(error.to_string().contains("there is no fail-open"));
    }
    for no in ["", "false", "0", "f", "n", "no", "OFF", " False "] {
        assert!(config(&[("THOTH_FAIL_OPEN", no)]).is_ok(), "{no}");
    }
}

#[test]
fn a_mode_is_one_of_four() {
    for (text, mode) in [
        ("observe", Mode::Observe),
        (" STEP_UP ", Mode::StepUp),
        ("step-up", Mode::StepUp),
        ("Block", Mode::Block),
        ("progressive", Mode::Progressive),
    ] {
        assert_eq!(text.parse(), Ok(mode));
        assert_eq!(mode.as_str().parse(), Ok(mode));
    }
    for bad in ["", "shadow", "enforce", "stepup", "blocks"] {
        let error = bad.parse::<Mode>().unwrap_err().to_string();
        assert_eq!(
            error,
            format!("unknown enforcement mode `{bad}`: use observe, step_up, block or progressive")
        );
    }
}
