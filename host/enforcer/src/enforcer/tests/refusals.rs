//! Facts about requests that are not ones.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::enforcer::MAX_BODY;

#[test]
fn a_request_that_is_not_one_gets_the_documented_error() {
    let enforcer = enforcer();
    let good = go_body("search_docs", json!({})).to_string();
    let without = |field: &str| {
        let mut body = go_body("search_docs", json!({}));
        body.as_object_mut().unwrap().remove(field);
        body.to_string()
    };
    let with = |field: &str, value: Value| {
        let mut body = go_body("search_docs", json!({}));
        body[field] = value;
        body.to_string()
    };
    let mut cases = vec![
        ("POST", "/v1/nothing", good.clone(), 404, "NOT_FOUND"),
        ("POST", "/", good.clone(), 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/page/", String::new(), 404, "NOT_FOUND"),
        ("GET", "/page/../app.js", String::new(), 404, "NOT_FOUND"),
        (
            "GET",
            "/v1/enforce",
            String::new(),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            "PUT",
            "/v1/enforce",
            good.clone(),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            "POST",
            "/v1/enforce/hold/x",
            good.clone(),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            "GET",
            "/v1/enforce/hold/hold_0",
            String::new(),
            404,
            "NOT_FOUND",
        ),
        ("GET", "/v1/enforce/hold/", String::new(), 404, "NOT_FOUND"),
        (
            "GET",
            "/v1/enforce/hold/a/b",
            String::new(),
            404,
            "NOT_FOUND",
        ),
        (
            "POST",
            "/v1/enforce",
            " ".repeat(MAX_BODY + 1),
            413,
            "PAYLOAD_TOO_LARGE",
        ),
        (
            "POST",
            "/v1/enforce",
            with("tool_args", json!([])),
            400,
            "INVALID_REQUEST",
        ),
        (
            "POST",
            "/v1/enforce",
            with("task_context", json!("x")),
            400,
            "INVALID_REQUEST",
        ),
        (
            "POST",
            "/v1/enforce",
            with("approved_scope", json!([1])),
            400,
            "INVALID_REQUEST",
        ),
        (
            "POST",
            "/v1/enforce",
            with("purpose", json!(1)),
            400,
            "INVALID_REQUEST",
        ),
        (
            "POST",
            "/v1/enforce",
            with("request_id", json!({})),
            400,
            "INVALID_REQUEST",
        ),
        (
            "POST",
            "/v1/enforce",
            with("task_context", json!({"taskId": 1})),
            400,
            "INVALID_REQUEST",
        ),
    ];
    for field in [
        "agent_id",
        "tenant_id",
        "tool_name",
        "session_id",
        "user_id",
        "approved_scope",
        "enforcement_mode",
        "session_tool_calls",
    ] {
        cases.push((
            "POST",
            "/v1/enforce",
            without(field),
            400,
            "INVALID_REQUEST",
        ));
        cases.push((
            "POST",
            "/v1/enforce",
            with(field, json!(null)),
            400,
            "INVALID_REQUEST",
        ));
        cases.push((
            "POST",
            "/v1/enforce",
            with(field, json!(7)),
            400,
            "INVALID_REQUEST",
        ));
    }
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{} {}",
        "\u{feff}{}",
        r#"{"agent_id":"a","agent_id":"b"}"#,
    ] {
        cases.push((
            "POST",
            "/v1/enforce",
            text.to_owned(),
            400,
            "INVALID_REQUEST",
        ));
    }
    for (method, path, body, status, code) in cases {
        let (got, answer) = send(&enforcer, method, path, &body);
        assert_eq!(got.as_u16(), status, "{method} {path} {answer}");
        assert_eq!(answer["error"]["code"], code);
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
        assert!(!answer["error"]["requestId"].as_str().unwrap().is_empty());
        assert_eq!(answer.as_object().unwrap().len(), 1);
    }
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/json; charset=utf-16"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-nothing", "x"),
    ] {
        let request = Request::post("/v1/enforce")
            .header("x-api-key", "agent-key")
            .header(name, value);
        let response = enforcer.handle(request.body(Bytes::from(good.clone())).unwrap());
        assert_eq!(
            response.status(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{name}: {value}"
        );
    }
    let response = enforcer.handle(
        Request::get("/v1/enforce")
            .header("x-api-key", "agent-key")
            .body(Bytes::new())
            .unwrap(),
    );
    assert_eq!(response.headers()["allow"], "POST");
}

/// Allows whatever is a call, to whomever.
static PERMISSIVE: LazyLock<Enforcer> = LazyLock::new(|| {
    let policy = Policy::parse("p", "permit (principal, action, resource);").unwrap();
    Enforcer::new(policy, Store::in_memory().unwrap(), Options::default()).unwrap()
});

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_allow(
        body in prop::collection::vec(any::<u8>(), 0..200),
        method in prop::sample::select(vec!["GET", "POST", "PATCH"]),
        path in "/{1,2}(v1|acme|%ff)/(enforce|thoth|events|explain)(/[a-z%0-9]{0,9}){0,3}",
    ) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let response = PERMISSIVE.handle(request.body(Bytes::from(body)).unwrap());
        prop_assert!(response.status() != StatusCode::INTERNAL_SERVER_ERROR);
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        prop_assert!(answer.get("decision").is_none());
    }

    #[test]
    fn a_mutated_body_is_an_error_or_one_whole_decision(
        at in 0_usize..600,
        byte in any::<u8>(),
    ) {
        let mut body = go_body("look", json!({"q": [1, {"a": null}]})).to_string().into_bytes();
        let at = at % body.len();
        body[at] = byte;
        let request = Request::post("/v1/enforce").header("content-type", "application/json");
        let response = PERMISSIVE.handle(request.body(Bytes::from(body)).unwrap());
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        match response.status() {
            StatusCode::OK => {
                prop_assert_eq!(&answer["decision"], "ALLOW");
                prop_assert_eq!(&answer["authorization_decision"], "ALLOW");
            }
            status => prop_assert_eq!(status, StatusCode::BAD_REQUEST),
        }
    }
}
