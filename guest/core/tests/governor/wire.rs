//! The bodies that go on the wire, as golden files. To write them anew, set `THOTH_BLESS`.

use std::path::Path;

use serde_json::Value;
use thoth_core::{
    Capture, Config, FailureCause, Governor, Method, Mode, Model, Outcome, Session, ToolCall,
    ToolFailure,
};

use crate::support::*;

fn golden(name: &str, text: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    let shown = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.json"));
    if std::env::var_os("THOTH_BLESS").is_some() {
        std::fs::write(&path, &shown).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(shown, kept, "{name} is not what it was");
}

fn full_session() -> Session {
    Session {
        mode: Mode::StepUp,
        environment: "dev".into(),
        trace_id: String::new(),
        intent: Some("triage".into()),
        purpose: Some("ops".into()),
        data_classification: Some("internal".into()),
        task_context: Some(r#"{"task_id":"T-1","initiated_by":"sam","chain":["p","q"]}"#.into()),
        identity_binding: Some(r#"{"x":1}"#.into()),
        metadata: Some(r#"{"policy_context":{"a":1}}"#.into()),
        auth_context: Some(r#"{"method":"oidc"}"#.into()),
        delegation_context: Some(r#"{"from":"lead"}"#.into()),
        mcp_runtime_identity: Some("spiffe://acme/mcp".into()),
        model: Some(Model {
            name: Some("m-1".into()),
            provider: Some("p".into()),
            artifact_id: Some("sha256:1".into()),
            artifact_version: Some("7".into()),
        }),
        capture: Capture::Full,
        history: vec!["look".into(), "look".into()],
        ..session()
    }
}

const BLOCK: &str = r#"{"decision":"BLOCK","reason":"nope","violation_id":"v1","risk_score":88.5,
    "rule_version":3,"decision_reason_code":"scope","action_classification":"delete","pack_id":"p",
    "pack_version":"2","latency_ms":4,"regulatory_regimes":["gdpr"],"matched_rule_ids":["r1"],
    "matched_control_ids":["c1"],"policy_references":["p1"],"model_signals":["m"],
    "decision_envelope_version":"1","receipt":{"receipt_id":"R","signature":"s","note":"long",
    "decision":{"outcome":"blocked","detail":"d"}}}"#;

#[test]
fn the_question_is_as_the_reference_sdk_asks_it() {
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    wrap(&mut fake);
    let request = fake.requests.remove(0);
    assert_eq!(request.method, Method::Post);
    assert!(request.secure);
    assert_eq!(request.authority, "enforce.acme.example");
    assert_eq!(request.path, "/v1/enforce");
    let agent = concat!("thoth-wasm/", env!("CARGO_PKG_VERSION"));
    let headers = [
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", agent),
        ("Authorization", "Bearer K"),
        ("X-Api-Key", "K"),
        ("Content-Type", "application/json"),
    ];
    assert_eq!(
        request.headers,
        headers.map(|(name, value)| (name, value.to_string()))
    );
    assert!(!format!("{request:?}").contains('K'));
    golden("enforce_minimal", &request.body.unwrap());
}

#[test]
fn a_question_with_everything_says_everything() {
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    governor().wrap_tool(&mut fake, &full_session(), &call());
    golden("enforce_full", fake.requests[0].body.as_deref().unwrap());
    golden("pre_full", &fake.events[0].body);
    golden("post_full", &fake.events[1].body);
}

#[test]
fn a_question_without_arguments_or_user_leaves_them_out() {
    let session = Session {
        user_id: String::new(),
        intent: Some(String::new()),
        task_context: Some("{}".into()),
        ..session()
    };
    let call = ToolCall {
        arguments: "{}".into(),
        ..call()
    };
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    governor().wrap_tool(&mut fake, &session, &call);
    assert_eq!(fake.ran, [("look".to_string(), "{}".to_string())]);
    golden("enforce_empty", fake.requests[0].body.as_deref().unwrap());
}

#[test]
fn events_tell_little_by_default() {
    let mut fake = Fake::answering(ok(BLOCK));
    wrap(&mut fake);
    golden("pre_minimal", &fake.events[0].body);
    golden("block_minimal", &fake.events[1].body);
    assert_eq!(
        fake.events[0].event_id,
        "acme:01010101-0101-4101-8101-010101010101"
    );
    assert_eq!(fake.events[0].call_id, CALL_ID);
    let mut fake = Fake::answering(ok(&BLOCK.replace("BLOCK", "ALLOW")));
    wrap(&mut fake);
    golden("post_minimal", &fake.events[1].body);
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    fake.tool = Some(Err(ToolFailure {
        cause: FailureCause::Trap,
        message: "secret".into(),
        error: None,
    }));
    wrap(&mut fake);
    golden("post_failed", &fake.events[1].body);
    let mut fake = Fake::answering(answer(503, &[], ""));
    wrap(&mut fake);
    golden("block_outage", &fake.events[1].body);
}

#[test]
fn full_capture_adds_arguments_context_and_reasons() {
    let mut fake = Fake::answering(ok(BLOCK));
    governor().wrap_tool(&mut fake, &full_session(), &call());
    golden("block_full", &fake.events[1].body);
}

#[test]
fn a_session_without_tenant_or_agent_still_has_events() {
    let session = Session {
        tenant_id: String::new(),
        agent_id: String::new(),
        ..session()
    };
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    governor().wrap_tool(&mut fake, &session, &call());
    let body: Value = serde_json::from_str(&fake.events[0].body).unwrap();
    assert!(fake.events[0].event_id.starts_with("unknown:"));
    assert_eq!(body["tenant_id"], "");
    assert_eq!(body.get("agent_id"), None);
}

#[test]
fn the_history_on_the_wire_is_the_last_128() {
    for (before, first, length) in [
        (0, "look", 1),
        (126, "t000", 127),
        (127, "t000", 128),
        (139, "t012", 128),
    ] {
        let history = (0..before).map(|index| format!("t{index:03}")).collect();
        let session = Session {
            history,
            ..session()
        };
        let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
        governor().wrap_tool(&mut fake, &session, &call());
        let body: Value = serde_json::from_str(fake.requests[0].body.as_deref().unwrap()).unwrap();
        let sent = body["session_tool_calls"].as_array().unwrap();
        assert_eq!(
            (sent.len(), &sent[0], &sent[length - 1]),
            (length, &first.into(), &"look".into())
        );
        let event: Value = serde_json::from_str(&fake.events[0].body).unwrap();
        assert_eq!(event["session_tool_calls"], body["session_tool_calls"]);
    }
}

#[test]
fn a_poll_names_the_hold_and_nothing_else() {
    let vars = [("THOTH_API_URL", "http://127.0.0.1:9/thoth//")];
    let vars = vars.map(|(name, value)| (name.to_string(), value.to_string()));
    let governor = Governor::new(Config::from_vars(vars));
    let body = r#"{"decision":"STEP_UP","hold_token":"a.b_c:d~e-F9"}"#;
    let mut fake = Fake::answering(ok(body));
    let Outcome::Pending(hold) = governor.wrap_tool(&mut fake, &session(), &call()) else {
        panic!()
    };
    assert_eq!(fake.requests[0].path, "/thoth/v1/enforce");
    let mut fake = Fake::answering(ok(r#"{"resolved":false}"#));
    governor.resume(&mut fake, &session(), &call(), &hold);
    let request = &fake.requests[0];
    assert_eq!(request.method, Method::Get);
    assert_eq!(request.path, "/thoth/v1/enforce/hold/a.b_c%3Ad~e-F9");
    assert_eq!(
        (request.secure, request.authority.as_str()),
        (false, "127.0.0.1:9")
    );
    assert_eq!(request.body, None);
    // Without a key there is nothing to authenticate with.
    assert!(
        request
            .headers
            .iter()
            .all(|(name, _)| !["Authorization", "X-Api-Key"].contains(name))
    );
}

#[test]
fn a_question_over_the_limit_is_not_asked() {
    let context = Some(format!(r#"{{"a":"{}"}}"#, "x".repeat(250_000)));
    let session = Session {
        task_context: context.clone(),
        identity_binding: context.clone(),
        metadata: context.clone(),
        auth_context: context.clone(),
        delegation_context: context,
        ..session()
    };
    let mut fake = Fake::default();
    let outcome = governor().wrap_tool(&mut fake, &session, &call());
    assert!(
        matches!(outcome, Outcome::Refused(refusal) if refusal.cause == thoth_core::Cause::Configuration)
    );
    assert_eq!(fake.order, ["append", "append"]);
}
