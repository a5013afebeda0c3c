//! Limits by flags, and what a call used.

use serde_json::{Value, json};
use thoth_tests::{Faultd, Run, Thoth, Web, table, thoth::Invocation, tool, web::ITEMS};

fn call(
    thoth: &Thoth,
    service: &Faultd,
    component: &str,
    function: &str,
    arguments: &Value,
) -> Invocation {
    let call = thoth.call(tool(component));
    let call = call.args([function, &arguments.to_string()]);
    call.args(["--session-id", "s", "--enforcer-url", &service.url()])
}

fn sing(flags: &[&str]) -> Run {
    let (thoth, service) = (thoth(), Faultd::start());
    call(&thoth, &service, "canary", "sing", &json!({"note": "a"}))
        .args(flags)
        .run()
}

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

#[test]
fn every_limit_has_a_name() {
    let rows = [
        "time=5s",
        "fuel=1000000000",
        "memory=64MiB",
        "table_elements=50000",
        "instances=32",
        "handles=100",
        "resources=100",
        "hostcall=1MiB",
        "random=1KiB",
        "output=1KiB",
        "result=1KiB",
        "requests=1",
        "request_bytes=1KiB",
        "response_bytes=1KiB",
        "open_files=1",
        "write_bytes=1KiB",
    ];
    table::each(
        &rows,
        |row| (*row).to_owned(),
        |row| {
            let run = sing(&["--limit", row]);
            assert_eq!(run.json(0)["outcome"], "completed", "{run}");
        },
    );
    let all = rows
        .iter()
        .flat_map(|row| ["--limit", row])
        .collect::<Vec<_>>();
    assert_eq!(sing(&all).json(0)["outcome"], "completed");
}

#[test]
fn what_is_no_limit_is_a_usage_error() {
    let rows = [
        (["--limit", "feul=1"], "fuel"),
        (["--limit", "fuel"], "fuel=1000000"),
        (["--limit", "fuel=0"], "without fuel"),
        (["--limit", "fuel=-1"], "`fuel=-1`: expected a whole number"),
        (["--limit", "memory=2GiB"], "2GiB"),
        (["--limit", "memory=256MB?"], "256MB?"),
        (["--limit", "time=0s"], "between"),
        (["--limit", "result=1MiB"], "1MiB"),
    ];
    table::each(
        &rows,
        |(flags, _)| flags.join(" "),
        |(flags, said)| {
            let run = sing(flags);
            let error = run.error(2);
            assert!(error.contains("--limit") && error.contains(said), "{run}");
        },
    );
    let run = sing(&[
        "--limit",
        "fuel=5000",
        "--limit",
        "time=5",
        "--limit",
        "random=1KiB",
    ]);
    assert!(run.error(2).contains("`time=5`"), "{run}");
    let run = sing(&["--limit", "fuel=1", "--limit", "fuel=2"]);
    assert!(run.error(2).contains("duplicate"), "{run}");
    for flags in [
        ["--fuel", "0"],
        ["--fuel", "much"],
        ["--max-requests", "-1"],
    ] {
        sing(&flags).assert_code(2);
    }
}

#[test]
fn a_limit_that_is_hit_is_the_cause() {
    let rows: [(&[&str], &str, Value, &str); 6] = [
        (
            &["--fuel", "100"],
            "returns",
            json!({"text": "a"}),
            "limit_fuel",
        ),
        (
            &["--limit", "fuel=100"],
            "returns",
            json!({"text": "a"}),
            "limit_fuel",
        ),
        (
            &["--limit", "time=300ms"],
            "waits_forever",
            json!({}),
            "limit_time",
        ),
        (
            &["--limit", "memory=4MiB"],
            "grows_memory",
            json!({}),
            "limit_memory",
        ),
        (
            &["--limit", "result=1KiB"],
            "returns",
            json!({"text": "a".repeat(2000)}),
            "limit_result",
        ),
        (
            &["--limit", "resources=20"],
            "leaks",
            json!({"thing": "timers"}),
            "limit_resources",
        ),
    ];
    table::each(
        &rows,
        |(flags, ..)| flags.join(" "),
        |(flags, function, arguments, cause)| {
            let (thoth, service) = (thoth(), Faultd::start());
            let run = call(&thoth, &service, "hostile", function, arguments)
                .args(*flags)
                .run();
            assert_eq!(run.json(5)["cause"], *cause, "{run}");
        },
    );
}

#[test]
fn a_flag_of_its_own_wins_over_the_name_of_a_limit() {
    let (thoth, service) = (thoth(), Faultd::start());
    let run = call(
        &thoth,
        &service,
        "hostile",
        "returns",
        &json!({"text": "a"}),
    );
    let run = run
        .args(["--limit", "fuel=100", "--fuel", "1000000000"])
        .run();
    assert_eq!(run.json(0)["result"], "a", "{run}");
}

#[test]
fn what_was_used_is_told_and_recorded() {
    let (thoth, service, web) = (thoth(), Faultd::start(), Web::start());
    let url = format!("{}/v1/items.json", web.origin());
    let rule = format!("{}/v1/* GET allow-private", web.origin());
    let run = call(
        &thoth,
        &service,
        "fetcher",
        "fetch_json",
        &json!({ "url": url }),
    );
    let run = run.args(["--allow-net", &rule]).run();
    let usage = run.json(0)["usage"].clone();
    let used = |name: &str| {
        usage[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {usage}"))
    };
    assert_eq!(used("requests"), 1);
    assert_eq!(used("response_bytes"), ITEMS.len() as u64);
    assert!((20..4096).contains(&used("request_bytes")), "{usage}");
    assert!((1_000..1_000_000_000).contains(&used("fuel")), "{usage}");
    assert!(
        (64 << 10..64 << 20).contains(&used("memory_peak_bytes")),
        "{usage}"
    );
    assert!(
        u128::from(used("wall_us")) < run.elapsed.as_micros(),
        "{usage}"
    );
    assert_eq!(used("output_bytes"), 0);
    let events = service.events();
    let post = events.iter().find(|event| {
        event["event_type"] == "TOOL_CALL_POST" && event["tool_name"] == "fetch_json"
    });
    assert_eq!(post.unwrap()["metadata"]["usage"], usage);
}

#[test]
fn a_call_that_fails_has_used_something_too() {
    let (thoth, service) = (thoth(), Faultd::start());
    let run = call(&thoth, &service, "hostile", "grows_memory", &json!({}));
    let run = run.args(["--limit", "memory=8MiB"]).run();
    let usage = run.json(5)["usage"].clone();
    let peak = usage["memory_peak_bytes"].as_u64().unwrap();
    assert!((4 << 20..=8 << 20).contains(&peak), "{usage}");
    let events = service.events();
    assert_eq!(events.last().unwrap()["metadata"]["usage"], usage);
}

#[test]
fn what_a_tool_says_is_kept_to_a_cap_with_a_mark_and_inert() {
    let (thoth, service) = (thoth(), Faultd::start());
    let run = call(&thoth, &service, "hostile", "floods_output", &json!({}));
    let run = run
        .args(["--limit", "output=1KiB", "--tool-timeout", "60s"])
        .run();
    let json = run.json(0);
    let total = json["usage"]["output_bytes"].as_u64().unwrap();
    assert!(total >= 256 << 20, "{total}");
    for stream in ["stdout", "stderr"] {
        let text = json[stream].as_str().unwrap();
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text}");
        assert!(text.contains("\\u{1b}]0;owned"), "{text}");
        let (kept, mark) = text.rsplit_once('\n').unwrap();
        assert!(
            kept.len() < 8 << 10,
            "escapes are longer than what they stand for"
        );
        let left = mark
            .strip_prefix("… ")
            .unwrap()
            .strip_suffix(" bytes more")
            .unwrap();
        assert_eq!(left.parse::<u64>().unwrap(), total / 2 - 1024);
    }
}

#[test]
fn output_is_never_in_an_event() {
    let (thoth, service) = (thoth(), Faultd::start());
    let said = "said-by-the-tool".as_bytes();
    let arguments = json!({"bytes": base64(said)});
    let run = call(&thoth, &service, "hostile", "says_and_traps", &arguments).run();
    assert_eq!(run.json(5)["stderr"], "said-by-the-tool", "{run}");
    assert!(
        !Value::from(service.events())
            .to_string()
            .contains("said-by-the-tool")
    );
}

/// RFC 4648, for texts of a length that needs no end.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(*chunk.get(at).unwrap_or(&0))
        });
        for at in 0..4 {
            let digit = ALPHABET[bits >> (18 - 6 * at) & 63];
            text.push(if at > chunk.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    text
}
