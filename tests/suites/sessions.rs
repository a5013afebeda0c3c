//! What a session puts on the wire: headers, request bodies, events, and the protocol's conformance
//! vectors (their numbers are in brackets) where they are about a request.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use thoth_tests::{Answer, Faultd, Site, Thoth, table, thoth::Invocation, tool};

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

fn sing(thoth: &Thoth, service: &Faultd) -> Invocation {
    let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
    call.args(["--enforcer-url", &service.url()])
}

/// The same without what differs from run to run; checks that it has its form.
fn steady(mut body: Value) -> Value {
    for (name, length) in [
        ("request_id", 36),
        ("event_id", 36),
        ("action_attestation_id", 36),
    ] {
        if let Some(id) = body.get_mut(name) {
            assert!(id.as_str().unwrap().len() >= length, "{name}: {id}");
            *id = json!("…");
        }
    }
    if let Some(time) = body.get_mut("occurred_at") {
        let text = time.as_str().unwrap();
        assert!(
            text.len() >= 20 && text.contains('T') && text.ends_with('Z'),
            "{text}"
        );
        *time = json!("…");
    }
    body
}

#[test]
fn a_request_has_every_field_of_the_contract() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = sing(&thoth, &service).args([
        "--session-id",
        "s-1",
        "--tenant-id",
        "acme",
        "--agent-id",
        "bot",
        "--user-id",
        "u1",
        "--scope",
        "sing, search_docs,,",
        "--mode",
        "progressive",
        "--environment",
        "dev",
        "--intent",
        "triage",
        "--purpose",
        "ops",
        "--trace-id",
        "tr-9",
        "--data-classification",
        "internal",
    ]);
    let _completed = call
        .env(
            "THOTH_TASK_CONTEXT_JSON",
            r#"{"initiated_by":"sam","chain":["p"]}"#,
        )
        .run()
        .json(0);
    let expected = json!({
        "request_id": "…",
        "agent_id": "bot",
        "tenant_id": "acme",
        "user_id": "u1",
        "tool_name": "sing",
        "session_id": "s-1",
        "identity_binding": {"agent_id": "bot", "tenant_id": "acme", "user_id": "u1"},
        "approved_scope": ["sing", "search_docs"],
        "session_tool_calls": ["sing"],
        "tool_args": {"note": "a"},
        "enforcement_mode": "progressive",
        "environment": "dev",
        "enforcement_trace_id": "tr-9",
        "action_attestation_id": "…",
        "occurred_at": "…",
        "session_intent": "triage",
        "purpose": "ops",
        "data_classification": "internal",
        "task_context": {"initiated_by": "sam", "chain": ["p"]},
    });
    assert_eq!(steady(service.enforce_body()), expected);
}

#[test]
fn a_bare_request_has_defaults_and_leaves_out_what_it_does_not_know() {
    let (thoth, service) = (thoth(), Faultd::start());
    let json = sing(&thoth, &service).run().json(0);
    let body = service.enforce_body();
    // [10] [13]
    assert_eq!(body["session_id"], json["session_id"]);
    assert_eq!(body["enforcement_trace_id"], body["session_id"]);
    assert_eq!(body["environment"], "prod");
    assert_eq!(body["enforcement_mode"], "block");
    assert_eq!(body["user_id"], "");
    assert_eq!(body["approved_scope"], json!([]));
    assert_eq!(body["identity_binding"].get("user_id"), None);
    for absent in [
        "session_intent",
        "purpose",
        "data_classification",
        "task_context",
        "metadata",
    ] {
        assert_eq!(body.get(absent), None, "{absent}");
    }
}

#[test]
fn a_variable_says_the_same_as_its_flag() {
    let rows = [
        ("THOTH_TENANT_ID", "acme", "/tenant_id", json!("acme")),
        ("THOTH_AGENT_ID", "bot", "/agent_id", json!("bot")),
        ("THOTH_USER_ID", "u1", "/user_id", json!("u1")),
        (
            "THOTH_APPROVED_SCOPE",
            " a ,b,,",
            "/approved_scope",
            json!(["a", "b"]),
        ),
        (
            "THOTH_ENFORCEMENT_MODE",
            "step_up",
            "/enforcement_mode",
            json!("step_up"),
        ),
        (
            "THOTH_ENFORCEMENT",
            "progressive",
            "/enforcement_mode",
            json!("progressive"),
        ),
        ("THOTH_ENV", "Dev", "/environment", json!("Dev")),
        ("THOTH_ENVIRONMENT", "stage", "/environment", json!("stage")),
        (
            "THOTH_ENFORCEMENT_TRACE_ID",
            "tr-9",
            "/enforcement_trace_id",
            json!("tr-9"),
        ),
        (
            "THOTH_SESSION_INTENT",
            "triage",
            "/session_intent",
            json!("triage"),
        ),
        ("THOTH_PURPOSE", "ops", "/purpose", json!("ops")),
        (
            "THOTH_DATA_CLASSIFICATION",
            "PHI",
            "/data_classification",
            json!("PHI"),
        ),
        (
            "THOTH_TASK_CONTEXT_JSON",
            r#"{"task_id":"T-1"}"#,
            "/task_context",
            json!({"task_id": "T-1"}),
        ),
        (
            "THOTH_AUTH_CONTEXT_JSON",
            r#"{"amr":["pwd"]}"#,
            "/auth_context/amr",
            json!(["pwd"]),
        ),
        (
            "THOTH_DELEGATION_CONTEXT_JSON",
            r#"{"by":"sam"}"#,
            "/delegation_context",
            json!({"by": "sam"}),
        ),
        (
            "THOTH_REQUEST_METADATA_JSON",
            r#"{"team":"x"}"#,
            "/metadata/team",
            json!("x"),
        ),
        ("THOTH_MODEL_NAME", "m-1", "/model_name", json!("m-1")),
        (
            "THOTH_MODEL_PROVIDER",
            "p-1",
            "/model_provider",
            json!("p-1"),
        ),
        (
            "THOTH_MODEL_ARTIFACT_ID",
            "art",
            "/model_artifact_id",
            json!("art"),
        ),
        (
            "THOTH_MODEL_ARTIFACT_VERSION",
            "7",
            "/model_artifact_version",
            json!("7"),
        ),
        (
            "THOTH_ACTION_ATTESTATION_ID",
            "4be0643f-1d98-473b-97cd-ca98a65347dd",
            "/action_attestation_id",
            json!("4be0643f-1d98-473b-97cd-ca98a65347dd"),
        ),
    ];
    table::each(
        &rows,
        |(name, ..)| (*name).to_owned(),
        |(name, value, pointer, expected)| {
            let (thoth, service) = (thoth(), Faultd::start());
            let _completed = sing(&thoth, &service).env(name, value).run().json(0);
            let body = service.enforce_body();
            assert_eq!(body.pointer(pointer), Some(expected), "{body}");
        },
    );
}

#[test]
fn space_around_a_variable_is_not_part_of_it() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
    let call = call.env("THOTH_API_URL", format!(" {}\n", service.url()));
    let call = call
        .env("THOTH_API_KEY", "key\n")
        .env("THOTH_EVENT_INGEST_TOKEN", "\tingest\n")
        .env("THOTH_TENANT_ID", " acme ");
    let _completed = call.run().json(0);
    assert_eq!(service.enforce_body()["tenant_id"], "acme");
    let told = &service.requests_to(Site::Events)[0];
    assert_eq!(told.header("x-thoth-event-ingest-token"), Some("ingest"));
}

#[test]
fn a_flag_wins_over_its_variable() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = sing(&thoth, &service).args(["--tenant-id", "flag", "--mode", "block"]);
    let call = call
        .env("THOTH_TENANT_ID", "variable")
        .env("THOTH_ENFORCEMENT_MODE", "observe");
    let _completed = call
        .env("THOTH_API_URL", "http://127.0.0.1:1")
        .run()
        .json(0);
    assert_eq!(service.enforce_body()["tenant_id"], "flag");
    assert_eq!(service.enforce_body()["enforcement_mode"], "block");
}

#[test]
fn the_url_may_come_from_its_variable_and_end_in_a_slash() {
    // [67]
    for end in ["", "/", "//"] {
        let (thoth, service) = (thoth(), Faultd::start());
        let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
        let run = call.env("THOTH_API_URL", service.url() + end).run();
        assert_eq!(run.json(0)["outcome"], "completed");
        // The event that it is about to be decided may be delivered before the question.
        let requests = service.requests().into_iter();
        let (asked, told): (Vec<String>, Vec<String>) = requests
            .map(|request| request.path)
            .partition(|path| path == "/v1/enforce");
        assert_eq!(asked.len(), 1, "{asked:?} {told:?}");
        assert!(
            told.iter().all(|path| path == "/v1/events/batch"),
            "{told:?}"
        );
    }
}

#[test]
fn requests_have_the_headers_of_the_contract() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = sing(&thoth, &service).env("THOTH_API_KEY", " thoth_test_k ");
    let _completed = call.env("THOTH_EVENT_INGEST_TOKEN", "ingest").run().json(0);
    for request in service.requests() {
        // [3]
        assert_eq!(request.header("authorization"), Some("Bearer thoth_test_k"));
        assert_eq!(request.header("x-api-key"), Some("thoth_test_k"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.header("accept-encoding").unwrap_or("identity"),
            "identity"
        );
        // [4]
        let ingest = (request.site() == Site::Events).then_some("ingest");
        assert_eq!(request.header("x-thoth-event-ingest-token"), ingest);
        let host = service.url();
        assert_eq!(request.header("host"), host.strip_prefix("http://"));
    }
}

#[test]
fn without_a_key_no_header_claims_one_and_events_still_go() {
    // [2]
    let (thoth, service) = (thoth(), Faultd::start());
    let _completed = sing(&thoth, &service)
        .args(["--session-id", "s"])
        .run()
        .json(0);
    for request in service.requests() {
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("x-api-key"), None);
    }
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

#[test]
fn a_key_from_a_file_is_used_and_shown_nowhere() {
    let (thoth, service) = (thoth(), Faultd::start());
    let file = thoth.file("key", "thoth_live_secret\n");
    service.enforce(Answer::block("no"));
    let run = sing(&thoth, &service)
        .arg("--verbose")
        .arg("--api-key-file")
        .arg(file)
        .run();
    run.assert_code(3);
    assert_eq!(
        service.requests()[0].header("x-api-key"),
        Some("thoth_live_secret")
    );
    assert!(!run.stderr.contains("thoth_live_secret") && !run.stdout.contains("thoth_live_secret"));
    assert!(
        !service
            .events()
            .iter()
            .any(|event| event.to_string().contains("thoth_live_secret"))
    );
}

#[test]
fn events_tell_names_codes_and_sizes_and_no_more() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(
        Answer::allow()
            .with("decision_reason_code", "ok")
            .with("reason", "secret reason"),
    );
    let call = thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"secret note"}"#]);
    let call = call.args([
        "--enforcer-url",
        &service.url(),
        "--session-id",
        "s",
        "--tenant-id",
        "acme",
    ]);
    let json = call
        .args([
            "--agent-id",
            "bot",
            "--user-id",
            "u1",
            "--purpose",
            "secret purpose",
        ])
        .run()
        .json(0);
    let events = service.events();
    assert_eq!(events.len(), 2);
    for (event, phase) in events.iter().zip(["pre", "post"]) {
        assert!(!event.to_string().contains("secret"), "{event}");
        assert!(
            event["event_id"].as_str().unwrap().starts_with("acme:"),
            "{event}"
        );
        assert_eq!(event["source_type"], "agent_tool_call");
        assert_eq!(event["tool_name"], "sing");
        assert_eq!(event["session_id"], "s");
        assert_eq!(event["agent_id"], "bot");
        assert_eq!(event["user_id"], "u1");
        assert_eq!(event["session_tool_calls"], json!(["sing"]));
        assert_eq!(event["enforcement_mode"], "block");
        assert!(!event["content"].as_str().unwrap().is_empty());
        let metadata = &event["metadata"];
        assert_eq!(metadata["event_phase"], phase);
        assert_eq!(metadata["telemetry_capture"], "minimal");
        assert_eq!(metadata["action_attestation_id"], json["call_id"]);
        assert_eq!(metadata["enforcement_trace_id"], "s");
        assert_eq!(metadata["tool_call"], json!({"name": "sing"}));
        // [70]
        let ttl = event["ttl"].as_u64().unwrap();
        assert!(ttl > 7_776_000, "{ttl}");
    }
    let post = &events[1]["metadata"];
    assert_eq!(post["authorization_decision"], "ALLOW");
    assert_eq!(post["decision_reason_code"], "ok");
    assert!(
        post["duration_ms"].is_number() && post["result_size_bytes"].is_number(),
        "{post}"
    );
}

#[test]
fn full_capture_is_the_operators_choice() {
    let (thoth, service) = (thoth(), Faultd::start());
    let _completed = sing(&thoth, &service)
        .args(["--capture", "full", "--purpose", "ops"])
        .run()
        .json(0);
    let pre = &service.events()[0];
    assert_eq!(pre["metadata"]["tool_args"], json!({"note": "a"}));
    assert_eq!(pre["purpose"], "ops");
}

#[test]
fn without_a_tenant_an_event_id_says_so() {
    // [72]
    let (thoth, service) = (thoth(), Faultd::start());
    let _completed = sing(&thoth, &service).run().json(0);
    for event in service.events() {
        assert!(
            event["event_id"].as_str().unwrap().starts_with("unknown:"),
            "{event}"
        );
    }
}

#[test]
fn no_arguments_are_left_out_of_the_request() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = thoth
        .call(tool("hostile"))
        .args(["looks_around", "--enforcer-url", &service.url()]);
    let _completed = call.run().json(0);
    let arguments = service.enforce_body().get("tool_args").cloned();
    assert!(arguments.is_none_or(|arguments| arguments == json!({})));
}

#[test]
fn what_is_decided_on_is_what_runs() {
    let (thoth, service) = (thoth(), Faultd::start());
    // Escapes, order and blanks differ; the value does not.
    let text = " {\n\"last\" : [ ], \"first_\\u0070art\":\"\\u00e9\\ud83e\\udd80\" }\n";
    let call =
        thoth
            .call(tool("values"))
            .args(["echo_many", text, "--enforcer-url", &service.url()]);
    let json = call.run().json(0);
    assert_eq!(
        service.enforce_body()["tool_args"],
        json!({"first_part": "é🦀", "last": []})
    );
    assert_eq!(json["result"], json!(["é🦀", null, []]));
}

#[test]
fn a_component_that_offers_tools_itself_is_used_as_it_is() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = |arguments: [&str; 2]| {
        let call = thoth.call(tool("provider")).args(arguments);
        call.args(["--enforcer-url", &service.url()]).run()
    };
    assert_eq!(
        call(["shout", r#"{"text":"hello"}"#]).json(0)["result"],
        "HELLO"
    );
    let json = call(["give_up", "{}"]).json(5);
    assert_eq!(json["cause"], "tool_error");
    assert_eq!(json["error"], json!({"code": 7}));
    assert_eq!(json["reason"], "it gave up");
    let unknown = call(["dance", "{}"]);
    assert!(unknown.error(2).contains("shout"), "{unknown}");
    let unfit = call(["shout", r#"{"text":7}"#]);
    assert!([Some(2), Some(5)].contains(&unfit.status.code()), "{unfit}");
}

#[test]
fn the_start_and_the_end_of_a_session_reach_the_service_as_the_go_sdk_sends_them() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
    let call = call.args(["--enforcer-url", &service.url(), "--session-id", "s-1"]);
    let call = call.args([
        "--tenant-id",
        "acme",
        "--agent-id",
        "bot",
        "--user-id",
        "sam",
    ]);
    let _ran = call.args(["--intent", "secret plan"]).run().json(0);
    let told = service.session_events();
    let of = |name: &str| -> Vec<&Value> { told.iter().map(|event| &event[name]).collect() };
    assert_eq!(of("tool_name"), ["session_start", "session_end"]);
    assert_eq!(of("content"), ["session started", "session ended"]);
    for event in &told {
        assert_eq!(event["event_type"], "TOOL_CALL_POST");
        assert_eq!(event["source_type"], "agent_tool_call");
        assert_eq!(event["metadata"], json!({}));
        assert_eq!(event["session_id"], "s-1");
        assert_eq!(event["agent_id"], "bot");
        assert!(event["event_id"].as_str().unwrap().starts_with("acme:"));
        assert!(
            !event.to_string().contains("secret plan"),
            "it stays in the log"
        );
    }
    assert_eq!(told[0]["session_tool_calls"], json!([]));
    assert_eq!(told[1]["session_tool_calls"], json!(["sing"]));
    assert_eq!(
        service.event_types("s-1"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}
