//! Rows about the answer inside a sound HTTP response.

use serde_json::{Value, json};
use thoth_tests::{Answer, Reply, faultd::chunked, faultd::response};

use super::{ALLOW, HEAD, JSON, Row, body, row};

pub(super) fn bodies() -> Vec<Row> {
    let decode: &[&str] = &["decode"];
    let deep = |depth: usize| {
        format!(
            r#"{{"decision":"ALLOW","x":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let large = |text: &str| format!(r#"{{"decision":"ALLOW","reason":"{text}"}}"#);
    let many: String = (0..1_000_000)
        .map(|key| format!(r#""k{key}":0,"#))
        .collect();
    let mut rows = Vec::new();
    for (id, text) in [
        ("F46", ""),
        ("F46", " "),
        ("F47", "null"),
        ("F48", "true"),
        ("F48", "\"ALLOW\""),
        ("F48", "1"),
        ("F49", r#"[{"decision":"ALLOW"}]"#),
        ("F50", "ALLOW"),
        ("F50", "decision=ALLOW"),
        ("F50", "{decision:'ALLOW'}"),
        ("F51", r#"{"decision":"ALLOW""#),
        ("F51", r#"{"decision":"ALLO"#),
        ("F51", r#"{"decision":"ALLOW","#),
        ("F52", r#"{"decision":"ALLOW"} tail"#),
        ("F52", r#"{"decision":"ALLOW"}{"decision":"BLOCK"}"#),
        ("F52", "{\"decision\":\"ALLOW\"}\0"),
        ("F52", r#"{"decision":"ALLOW",}"#),
        ("F52", "\u{feff}{\"decision\":\"ALLOW\"}"),
        ("F52", r#"{"decision":"ALLOW"/* no */}"#),
        ("F52", r#"{"decision":"ALLOW","x":"\ud800"}"#),
        ("F52", r#"{"decision":"ALLOW","x":NaN}"#),
        ("F52", r#"{"decision":"ALLOW","x":01}"#),
        ("F52", r#"{"decision":"ALLOW","x":1e999}"#),
        ("F52", "{\"decision\":\"ALLOW\",\"x\":\"\n\"}"),
    ] {
        rows.push(row(
            id,
            format!("body {}", text.escape_debug()),
            body(text),
            decode,
        ));
    }
    rows.push(row(
        "F52",
        "invalid UTF-8",
        Reply::with_headers(
            200,
            &[JSON],
            [
                br#"{"decision":"ALLOW","x":""#.as_slice(),
                &[0xff],
                br#""}"#,
            ]
            .concat(),
        ),
        decode,
    ));
    // [27] [28] A known field of another type: the answer is not one that we know how to read.
    for text in [
        r#"{"decision":"ALLOW","risk_score":"x"}"#,
        r#"{"decision":"ALLOW","rule_version":1.5}"#,
    ] {
        rows.push(row("F62", text, body(text), decode));
    }
    rows.push(row(
        "F53",
        "33 levels",
        body(deep(33)),
        &["decode", "too_large"],
    ));
    rows.push(row(
        "F54",
        "128 levels",
        body(deep(128)),
        &["decode", "too_large"],
    ));
    rows.push(row(
        "F55",
        "100 000 levels",
        body(deep(100_000)),
        &["decode", "too_large"],
    ));
    rows.push(row(
        "F56",
        "text of 300 KiB",
        body(large(&"x".repeat(300 << 10))),
        &["too_large"],
    ));
    rows.push(row(
        "F56",
        "text of 64 MiB",
        body(large(&"x".repeat(64 << 20))),
        &["too_large"],
    ));
    rows.push(row(
        "F57",
        "a million keys",
        body(format!(r#"{{{many}"decision":"ALLOW"}}"#)),
        &["too_large"],
    ));
    rows
}

pub(super) fn ambiguous() -> Vec<Row> {
    let ambiguous: &[&str] = &["ambiguous"];
    let mut rows = Vec::new();
    for (id, text) in [
        ("F58", r#"{"decision":"BLOCK","decision":"ALLOW"}"#),
        ("F58", r#"{"decision":"ALLOW","decision":"BLOCK"}"#),
        ("F58", r#"{"decision":"ALLOW","decision":"ALLOW"}"#),
        ("F58", r#"{"decision":"ALLOW","receipt":{"a":1,"a":2}}"#),
        ("F59", r#"{"decision":"BLOCK","Decision":"ALLOW"}"#),
        ("F59", r#"{"Decision":"ALLOW","decision":"BLOCK"}"#),
        ("F59", r#"{"decision":"ALLOW","DECISION":"BLOCK"}"#),
        ("F61", r#"{"decision":"BLOCK","d\u0065cision":"ALLOW"}"#),
        ("F61", r#"{"d\u0065cision":"ALLOW","decision":"BLOCK"}"#),
    ] {
        rows.push(row(id, text, body(text), ambiguous));
    }
    for text in [
        r#"{"decision":"ALLOW","authorization_decision":"BLOCK"}"#,
        r#"{"decision":"BLOCK","authorization_decision":"ALLOW"}"#,
    ] {
        rows.push(row("F60", text, body(text), &["policy"]).on_hold(&["denied"]));
    }
    let other = r#"{"decision":"ALLOW","authorizationDecision":"BLOCK"}"#;
    rows.push(
        row("F60", other, body(other), &["ambiguous", "policy"]).on_hold(&["ambiguous", "denied"]),
    );
    for text in [r#"{"Decision":"ALLOW"}"#, r#"{"DECISION":"ALLOW"}"#] {
        rows.push(row("F59", text, body(text), &["ambiguous", "decode"]));
    }
    rows
}

pub(super) fn decisions() -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, value) in [
        ("F62", json!(1)),
        ("F62", json!(true)),
        ("F62", Value::Null),
        ("F62", json!(["ALLOW"])),
        ("F62", json!({"value": "ALLOW"})),
        ("F63", json!("PERMIT")),
        ("F63", json!("")),
        ("F63", json!("ALLOWED")),
        ("F63", json!("observe")),
        ("F63", json!("FLAG")),
        ("F63", json!("ALLOW BLOCK")),
        ("F64", json!("ALLOW\u{0}")),
        ("F65", json!("ALLOW\u{a0}")),
        ("F65", json!("\u{200b}ALLOW")),
        ("F66", json!("\u{391}LLOW")),
        ("F66", json!("ＡＬＬＯＷ")),
    ] {
        let text = json!({"decision": value}).to_string();
        rows.push(row(
            id,
            format!("decision {}", text.escape_unicode()),
            body(text),
            &["decode"],
        ));
    }
    rows.push(row("F63", "no decision", body("{}"), &["decode"]));
    let one = r#"{"decision":"ALLOW","authorization_decision":"PERMIT"}"#;
    rows.push(row("F63", one, body(one), &["decode", "ambiguous"]));
    rows
}

pub(super) fn modifications() -> Vec<Row> {
    let mut rows = vec![row(
        "F81",
        "MODIFY without arguments",
        Answer::decision("MODIFY"),
        &["invalid_modify"],
    )];
    for (id, arguments) in [
        ("F82", Value::Null),
        ("F82", json!("x")),
        ("F82", json!(["x"])),
        ("F82", json!(7)),
        ("F83", json!({})),
        ("F83", json!({"note": 5})),
        ("F83", json!({"note": null})),
        ("F83", json!({"other": "x"})),
        ("F83", json!({"note": "x", "other": 1})),
        ("F83", json!({"Note": "x"})),
        ("F83", json!({"arg0": "x"})),
        ("F83", json!({"input": "x"})),
    ] {
        let fault = format!("MODIFY to {arguments}");
        rows.push(row(
            id,
            fault,
            Answer::modify(arguments),
            &["invalid_modify"],
        ));
    }
    let text = json!({"note": "x".repeat(300 << 10)});
    rows.push(row(
        "F84",
        "MODIFY over the cap",
        Answer::modify(text),
        &["invalid_modify", "too_large"],
    ));
    let duplicate = r#"{"decision":"MODIFY","modified_tool_args":{"note":"a","note":"b"}}"#;
    rows.push(row(
        "F83",
        duplicate,
        body(duplicate),
        &["ambiguous", "invalid_modify"],
    ));
    rows.push(row(
        "F85",
        "MODIFY to another tool",
        Answer::modify(json!({"note": "x"})).with("tool_name", "sing"),
        &["mismatch"],
    ));
    rows
}

pub(super) fn holds() -> Vec<Row> {
    let invalid: &[&str] = &["invalid_hold"];
    let mut rows = vec![
        row(
            "F87",
            "STEP_UP without a token",
            Answer::decision("STEP_UP"),
            invalid,
        )
        .not_on_hold(),
    ];
    for token in [
        json!(""),
        json!("../x"),
        json!("a/b"),
        json!("?a=b"),
        json!("a#b"),
        json!("a%2e"),
        json!("a b"),
        json!("a\r\nx: y"),
        json!("x".repeat(257)),
        json!("x".repeat(10 << 10)),
        json!("tök"),
        json!("."),
        json!(".."),
        json!(7),
        Value::Null,
    ] {
        let mut shown = token.to_string();
        shown.truncate(24);
        let fault = format!("token {shown}");
        rows.push(
            row(
                "F88",
                fault,
                Answer::decision("STEP_UP").with("hold_token", token),
                &["invalid_hold", "decode"],
            )
            .not_on_hold(),
        );
    }
    rows
}

pub(super) fn mismatches() -> Vec<Row> {
    let mismatch: &[&str] = &["mismatch"];
    vec![
        row(
            "F92",
            "another trace",
            Answer::allow().with("enforcement_trace_id", "other"),
            mismatch,
        ),
        row(
            "F93",
            "another session",
            Answer::allow().with("session_id", "other"),
            mismatch,
        ),
        row(
            "F94",
            "another tool",
            Answer::allow().with("tool_name", "sing"),
            mismatch,
        ),
        row(
            "F95",
            "another call",
            Answer::allow().with("action_attestation_id", "other"),
            mismatch,
        ),
        row(
            "F95",
            "another call, modified",
            Answer::modify(json!({"note": "x"})).with("action_attestation_id", "other"),
            mismatch,
        ),
        row(
            "F95",
            "a call id that is no text",
            Answer::allow().with("action_attestation_id", 7),
            &["mismatch", "decode"],
        ),
    ]
}

/// Answers for a hold, token `hold-7`, that must not run the tool.
pub(crate) fn resolutions() -> Vec<Row> {
    let hold = |members: Value| body(members.to_string());
    let mut rows = vec![
        row(
            "F91",
            "another token",
            Answer::resolved("hold-8", "ALLOW"),
            &["invalid_hold", "mismatch"],
        ),
        row(
            "F91",
            "another hold token",
            Answer::resolved("hold-7", "ALLOW").with("hold_token", "hold-8"),
            &["invalid_hold", "mismatch"],
        ),
        row(
            "F91",
            "resolved without a resolution",
            hold(json!({"token": "hold-7", "resolved": true})),
            &["decode"],
        ),
        row(
            "F91",
            "resolved to null",
            hold(json!({"token": "hold-7", "resolved": true, "resolution": null})),
            &["decode"],
        ),
        row(
            "F91",
            "resolved to an unknown word",
            hold(json!({"token": "hold-7", "resolved": true, "resolution": "PERMIT"})),
            &["decode"],
        ),
        row(
            "F91",
            "resolved in words",
            hold(json!({"token": "hold-7", "resolved": "true", "resolution": "ALLOW"})),
            &["decode"],
        ),
        row(
            "F91",
            "resolution against decision",
            hold(
                json!({"token": "hold-7", "resolved": true, "resolution": "ALLOW", "decision": "BLOCK"}),
            ),
            &["denied", "ambiguous"],
        ),
        row(
            "F91",
            "decision against resolution",
            hold(
                json!({"token": "hold-7", "resolved": true, "resolution": "BLOCK", "decision": "ALLOW"}),
            ),
            &["denied", "ambiguous"],
        ),
        row(
            "F86",
            "MODIFY without arguments",
            hold(json!({"token": "hold-7", "resolved": true, "resolution": "MODIFY"})),
            &["invalid_modify"],
        ),
        row(
            "F91",
            "expired",
            Answer::resolved("hold-7", "BLOCK").with("reason", "timeout: nobody decided"),
            &["expired", "denied"],
        ),
        row(
            "F91",
            "deferred",
            Answer::resolved("hold-7", "DEFER"),
            &["deferred"],
        ),
    ];
    rows.push(row(
        "F91",
        "410",
        Reply::json(410, ALLOW),
        &["invalid_hold", "expired", "status"],
    ));
    rows
}

/// Answers that are odd and leave no doubt, so the call runs.
pub(crate) fn allowed() -> Vec<Row> {
    let none: &[&str] = &[];
    let mut rows = Vec::new();
    for text in [
        r#"{"decision":"ALLOW","future":{"a":[1,2]}}"#,
        " {\n\"decision\" : \"allow\"\n} ",
        r#"{"authorization_decision":"ALLOW"}"#,
        r#"{"decision":"ALLOW","authorization_decision":"Allow"}"#,
        r#"{"\u0064ecision":"ALLOW"}"#,
    ] {
        rows.push(row("OK", text.escape_debug().to_string(), body(text), none));
    }
    for media in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/json;charset=\"UTF-8\"",
    ] {
        rows.push(row(
            "OK",
            media,
            Reply::with_headers(200, &[("Content-Type", media)], ALLOW),
            none,
        ));
    }
    let chunks = [r#"{"deci"#, r#"sion":"#, r#""ALLOW"}"#];
    rows.push(row(
        "OK",
        "chunks",
        Reply::bytes(chunked(&chunks, true)),
        none,
    ));
    rows.push(row(
        "OK",
        "a body to the end of the connection",
        Reply::bytes(format!("{HEAD}\r\n{ALLOW}")),
        none,
    ));
    rows.push(row(
        "OK",
        "100 before the answer",
        Reply::bytes(
            [
                b"HTTP/1.1 100 Continue\r\n\r\n".as_slice(),
                &response(200, &[JSON], ALLOW.as_bytes()),
            ]
            .concat(),
        ),
        none,
    ));
    rows
}
