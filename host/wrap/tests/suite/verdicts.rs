//! What a governor inside of a component says is what happens.

use wasmtime::component::Val;

use crate::plain_host::{Plain, bytes, failed, none, text, wrapped};

#[test]
fn an_allowed_call_gives_what_the_tool_gives() {
    let arguments = [text("leave"), none()];
    let bare = Plain::new(&bytes("docs-search"), &[]).call("search-docs", &arguments);
    let mut governed = Plain::new(&wrapped("docs-search"), &[("GATE", "allow")]);
    assert_eq!(
        governed.call("search-docs", &arguments).unwrap(),
        bare.unwrap()
    );
    let notes = governed.notes();
    let (asked, told) = notes.split_once('\n').unwrap();
    assert_eq!(
        asked,
        "check search_docs {\"query\":\"leave\",\"limit\":null}"
    );
    assert!(
        told.starts_with("done 0 [{\"path\":\"hr/leave.md\","),
        "{told}"
    );
}

#[test]
fn a_refused_call_does_not_run_and_returns_the_refusal_as_its_error() {
    let refusal = r#"{"outcome":"refused","cause":"policy","reason":"no \"leave\" today"}"#;
    let environment = [("GATE", "refuse"), ("GATE_REFUSAL", refusal)];
    let mut governed = Plain::new(&wrapped("docs-search"), &environment);
    let result = governed.call("read-doc", &[text("hr/leave.md")]).unwrap();
    assert_eq!(result, [failed(Some(text(refusal)))]);
    assert_eq!(
        governed.notes(),
        "check read_doc {\"path\":\"hr/leave.md\"}\n"
    );
}

#[test]
fn a_governor_without_configuration_refuses() {
    let mut governed = Plain::new(&wrapped("docs-search"), &[]);
    let result = governed.call("read-doc", &[text("hr/leave.md")]).unwrap();
    assert_eq!(result, [failed(Some(text(r#"{"outcome":"refused"}"#)))]);
}

#[test]
fn a_modified_call_runs_with_the_other_arguments() {
    let arguments = r#"{"path":"hr\/\u006ceave.md"}"#;
    let environment = [("GATE", "modify"), ("GATE_ARGUMENTS", arguments)];
    let mut governed = Plain::new(&wrapped("docs-search"), &environment);
    let modified = governed.call("read-doc", &[text("hr/salaries.md")]);
    let asked = Plain::new(&bytes("docs-search"), &[]).call("read-doc", &[text("hr/leave.md")]);
    assert_eq!(modified.unwrap(), asked.unwrap());
}

#[test]
fn arguments_that_do_not_fit_are_rejected_and_nothing_runs() {
    for (arguments, why) in [
        ("", "arguments: expected record (an object), got no JSON"),
        ("[]", "arguments: expected record (an object), got an array"),
        ("{}", "arguments.query: missing; a string is required"),
        (
            r#"{"query":1}"#,
            "arguments.query: expected string, got a number",
        ),
        (
            r#"{"query":"a","limit":1.5}"#,
            "arguments.limit: 1.5 is not a whole number for u32",
        ),
        (
            r#"{"query":"a","limit":4294967296}"#,
            "arguments.limit: `4294967296` is out of range for u32",
        ),
        (
            r#"{"query":"a","query":"b"}"#,
            "arguments: the key `query` comes twice",
        ),
        (
            r#"{"query":"a","more":1}"#,
            "arguments: unknown key `more`; known are `query`, `limit`",
        ),
        (
            r#"{"query":"a"} x"#,
            "arguments: not JSON: something follows the value (byte 14)",
        ),
        (
            r#"{"query":"\ud800"}"#,
            "arguments.query: not JSON: an unknown escape (byte 10)",
        ),
    ] {
        let environment = [("GATE", "modify"), ("GATE_ARGUMENTS", arguments)];
        let mut governed = Plain::new(&wrapped("docs-search"), &environment);
        let result = governed.call("search-docs", &[text("leave"), none()]);
        let [Val::Result(Err(Some(refusal)))] = result.as_deref().unwrap() else {
            panic!("{arguments}: {result:?}");
        };
        let Val::String(refusal) = &**refusal else {
            panic!("{refusal:?}")
        };
        assert!(refusal.contains("invalid_modify"), "{refusal}");
        let notes = governed.notes();
        assert_eq!(notes.lines().nth(1), Some(&*format!("reject 0 {why}")));
        assert_eq!(notes.lines().count(), 2, "{notes}");
    }
}

#[test]
fn a_refused_call_without_an_error_to_return_traps_by_name() {
    let mut governed = Plain::new(&wrapped("shapes"), &[("GATE", "refuse")]);
    let trap = governed
        .call("test:shapes/shapes@0.1.0#echo-bool", &[Val::Bool(true)])
        .unwrap_err();
    assert!(format!("{trap:?}").contains("thoth-refused"), "{trap:?}");
}

#[test]
fn arguments_beyond_the_limit_are_refused_whatever_the_governor_says() {
    let long = "x".repeat(256 * 1024);
    for rule in ["allow", "modify", "refuse"] {
        let mut governed = Plain::new(&wrapped("docs-search"), &[("GATE", rule)]);
        let result = governed.call("read-doc", &[text(&long)]).unwrap();
        assert!(matches!(result[..], [Val::Result(Err(_))]), "{rule}");
        let notes = governed.notes();
        assert!(
            notes.starts_with("check read_doc !longer than 262144 bytes of JSON\n"),
            "{notes}"
        );
        assert!(
            !notes.contains("done") && !notes.contains("failed"),
            "{notes}"
        );
    }
}
