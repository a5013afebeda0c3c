use alloc::vec;

use super::*;

fn call(tool: &str, id: i32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"a":1}},"_meta":{{"x":1}}}}}}"#
    )
}

fn code(body: &str) -> i32 {
    match read(body.as_bytes()) {
        Err(malformed) => malformed.code,
        Ok(messages) => panic!("it was taken: {messages:?}"),
    }
}

#[test]
fn a_call_is_found_alone_and_in_a_batch() {
    let alone = read(call("add", 1).as_bytes()).unwrap();
    let expected = |index, tool: &str| Call {
        index,
        tool: tool.to_owned(),
        arguments: r#"{"a":1}"#.to_owned(),
    };
    assert_eq!(alone.calls(), [expected(0, "add")]);
    let ping = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
    let batch = format!("[{},{ping},{}]", call("add", 1), call("wipe", 2));
    let batch = read(batch.as_bytes()).unwrap();
    assert_eq!(batch.calls(), [expected(0, "add"), expected(2, "wipe")]);
}

#[test]
fn names_with_escapes_are_the_same_names() {
    let body =
        r#"{"jsonrpc":"2.0","id":1,"\u006dethod":"tools\/call","params":{"n\u0061me":"add"}}"#;
    let calls = read(body.as_bytes()).unwrap().calls();
    assert_eq!(calls[0].tool, "add");
    assert_eq!(calls[0].arguments, "{}");
}

#[test]
fn what_is_no_call_passes_without_one() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"Method":"tools/call"}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"Name":"x"}}"#,
    ] {
        assert_eq!(read(body.as_bytes()).unwrap().calls(), [], "{body}");
    }
}

#[test]
fn what_readers_could_take_for_two_things_is_refused() {
    let params = r#""params":{"name":"add"}"#;
    for body in [
        // Names twice, however they are written.
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call",{params}}}"#),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call",{params}}}"#
        ),
        // Names in another case.
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call",{params}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"METHOD":"tools/call",{params}}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","paramſ":{"name":"add"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","Name":"wipe"}}"#
            .to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","ARGUMENTS":{}}}"#
            .to_owned(),
        // A method in another case, or with blanks.
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"Tools/Call",{params}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":" tools/call",{params}}}"#),
        // Requests and answers in one.
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","result":1,{params}}}"#),
        r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#.to_owned(),
        // No request of that version, or none at all.
        format!(r#"{{"id":1,"method":"tools/call",{params}}}"#),
        format!(r#"{{"jsonrpc":2.0,"id":1,"method":"tools/call",{params}}}"#),
        r#"{"jsonrpc":"2.0","id":1}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":["tools/call"]}"#.to_owned(),
        // Identities that are none, or another's.
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.to_owned(),
        format!("[{},{}]", call("add", 1), call("add", 1)),
        "[]".to_owned(),
        "[[]]".to_owned(),
        "7".to_owned(),
        format!(
            "[{}]",
            vec![r#"{"jsonrpc":"2.0","method":"x"}"#; MAX_BATCH + 1].join(",")
        ),
    ] {
        assert!([-32600, -32700].contains(&code(&body)), "{body}");
    }
}

#[test]
fn a_call_that_is_none_is_refused() {
    for params in [
        r#""params":["add"]"#,
        r#""params":{"name":7}"#,
        r#""params":{"name":""}"#,
        r#""params":{"arguments":{}}"#,
        r#""params":{"name":"add","arguments":[1]}"#,
        r#""params":{"name":"add","arguments":null}"#,
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call",{params}}}"#);
        assert_eq!(code(&body), -32602, "{body}");
    }
    let unanswered = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"add"}}"#;
    assert_eq!(code(unanswered), -32602);
}

#[test]
fn what_is_not_json_within_the_profile_is_refused() {
    for body in [&b"{"[..], b"", b"\xff{}", b"{} {}", b"\xef\xbb\xbf{}"] {
        assert_eq!(read(body).unwrap_err().code, -32700, "{body:?}");
    }
}

#[test]
fn modified_arguments_take_the_place_of_the_others_and_nothing_else_changes() {
    let mut messages = read(call("add", 1).as_bytes()).unwrap();
    messages.modify(0, r#"{"a":2}"#).unwrap();
    let value: Value = serde_json::from_str(&messages.body()).unwrap();
    let mut expected: Value = serde_json::from_str(&call("add", 1)).unwrap();
    expected["params"]["arguments"] = json!({"a": 2});
    assert_eq!(value, expected);
    assert!(messages.modify(1, "{}").is_err());
}

#[test]
fn each_request_of_a_batch_is_answered_where_one_is_refused() {
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    let ping = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
    let batch = format!("[{},{notification},{ping}]", call("wipe", 1));
    let messages = read(batch.as_bytes()).unwrap();
    let told = [(0, Cause::Policy, r#"{"cause":"policy"}"#.to_owned())];
    let answers: Value = serde_json::from_str(&messages.refusals(&told)).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 2);
    assert_eq!(answers[0]["id"], 1);
    assert_eq!(answers[0]["result"]["isError"], true);
    assert_eq!(
        answers[0]["result"]["_meta"]["thoth/outcome"]["cause"],
        "policy"
    );
    assert_eq!(answers[1]["id"], "p");
    assert_eq!(answers[1]["error"]["code"], -32600);

    let alone = read(call("wipe", 7).as_bytes()).unwrap();
    let answer: Value = serde_json::from_str(&alone.refusals(&told)).unwrap();
    assert_eq!(answer["id"], 7);
}
