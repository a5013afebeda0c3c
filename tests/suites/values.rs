//! The table of values: JSON in, component values, JSON out, and what does not fit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use thoth_tests::{Faultd, Run, Site, Thoth, table, tool};

fn call(thoth: &Thoth, service: &Faultd, function: &str, arguments: &str) -> Run {
    let call = thoth.call(tool("values")).args([function, arguments]);
    call.args(["--enforcer-url", &service.url()]).run()
}

/// Each echo gives back what it was given; `None` where it comes back as it went in.
fn echoes() -> Vec<(&'static str, Value, Option<Value>)> {
    let same = |function, value| (function, value, None);
    let person = json!({"full_name": "Ada", "age": 36, "nick_name": "A"});
    vec![
        same("echo_bool", json!(true)),
        same("echo_u8", json!(255)),
        same("echo_s8", json!(-128)),
        same("echo_u16", json!(65535)),
        same("echo_s16", json!(-32768)),
        same("echo_u32", json!(4_294_967_295_u32)),
        same("echo_s32", json!(-2_147_483_648)),
        same("echo_u64", json!(9_007_199_254_740_991_u64)),
        same("echo_u64", json!("9007199254740992")),
        same("echo_u64", json!("18446744073709551615")),
        ("echo_u64", json!("7"), Some(json!(7))),
        same("echo_s64", json!(-9_007_199_254_740_991_i64)),
        same("echo_s64", json!("-9223372036854775808")),
        same("echo_f32", json!(0.5)),
        same("echo_f64", json!(0.1)),
        same("echo_f64", json!("NaN")),
        same("echo_f64", json!("Infinity")),
        same("echo_f64", json!("-Infinity")),
        same("echo_f32", json!("-Infinity")),
        same("echo_char", json!("ß")),
        same("echo_char", json!("🦀")),
        same("echo_string", json!("")),
        same("echo_string", json!("tab\t\"quoted\" \u{1f980} \u{0001}")),
        same("echo_bytes", json!("")),
        same("echo_bytes", json!("AP8Q")),
        same("echo_list", json!([])),
        same("echo_list", json!([1, -2, 3])),
        same("echo_tuple", json!([1, "two", true])),
        same("echo_option", json!(7)),
        same("echo_option", Value::Null),
        same("echo_shape", json!({"tag": "point"})),
        same("echo_shape", json!({"tag": "circle", "val": 1.5})),
        same(
            "echo_shape",
            json!({"tag": "right_angle", "val": [3.5, 4.5]}),
        ),
        same("echo_shape", json!({"tag": "drawn_by", "val": person})),
        same("echo_colour", json!("dark_blue")),
        same("echo_rights", json!([])),
        same("echo_rights", json!(["read", "grant_others"])),
        (
            "echo_rights",
            json!(["grant_others", "read"]),
            Some(json!(["read", "grant_others"])),
        ),
        ("echo_result", json!({"ok": 5}), Some(json!([{"ok": 5}]))),
        (
            "echo_result",
            json!({"err": "no"}),
            Some(json!([{"err": "no"}])),
        ),
        (
            "echo_unit_result",
            json!({"ok": null}),
            Some(json!([{"ok": null}])),
        ),
        (
            "echo_unit_result",
            json!({"err": null}),
            Some(json!([{"err": null}])),
        ),
    ]
}

#[test]
fn every_value_comes_back_as_the_table_says() {
    let (thoth, service) = (Thoth::new(env!("CARGO_BIN_EXE_thoth")), Faultd::start());
    table::each(
        &echoes(),
        |(function, value, _)| format!("{function} {value}"),
        |(function, value, expected)| {
            let arguments = json!({"v": value}).to_string();
            let json = call(&thoth, &service, function, &arguments).json(0);
            assert_eq!(json["result"], *expected.as_ref().unwrap_or(value));
        },
    );
}

#[test]
fn records_take_snake_case_and_absent_options_are_null() {
    let (thoth, service) = (Thoth::new(env!("CARGO_BIN_EXE_thoth")), Faultd::start());
    let rows = [
        (
            "echo_person",
            r#"{"p":{"full_name":"Ada","age":36}}"#,
            json!({"full_name": "Ada", "age": 36, "nick_name": null}),
        ),
        (
            "echo_people",
            r#"{"people":[{"age":1,"full_name":"B","nick_name":"b"}]}"#,
            json!([{"full_name": "B", "age": 1, "nick_name": "b"}]),
        ),
        ("echo_option", "{}", Value::Null),
        (
            "echo_many",
            r#"{"last":["red"],"first_part":"x"}"#,
            json!(["x", null, ["red"]]),
        ),
        ("no_result", r#"{"v":"x"}"#, Value::Null),
        ("check", r#"{"fail":false}"#, Value::Null),
        ("fail_bare", r#"{"fail":false}"#, json!("fine")),
        (
            "extremes",
            "{}",
            json!([
                "18446744073709551615",
                "-9223372036854775808",
                "9223372036854775807",
                9_007_199_254_740_991_u64
            ]),
        ),
        ("left_side", "{}", json!("left")),
        ("right_side", "{}", json!("right")),
        ("neighbour", "{}", json!("still here")),
    ];
    table::each(
        &rows,
        |(function, ..)| (*function).to_owned(),
        |(function, arguments, expected)| {
            let json = call(&thoth, &service, function, arguments).json(0);
            assert_eq!(json["result"], *expected);
        },
    );
}

#[test]
fn odd_floats_come_out_as_text() {
    let (thoth, service) = (Thoth::new(env!("CARGO_BIN_EXE_thoth")), Faultd::start());
    let json = call(&thoth, &service, "odd_floats", "{}").json(0);
    let floats = json["result"].as_array().unwrap();
    assert_eq!(
        floats[..3],
        [json!("NaN"), json!("Infinity"), json!("-Infinity")]
    );
    // Minus zero is zero to a reader who takes the number for what it is.
    assert_eq!(floats[3].as_f64(), Some(0.0));
    assert_eq!(floats[4], json!(1.5));
}

#[test]
fn an_error_result_is_a_failed_call_with_the_error_as_json() {
    let (thoth, service) = (Thoth::new(env!("CARGO_BIN_EXE_thoth")), Faultd::start());
    let nobody = json!({"full_name": "Nobody", "age": 0, "nick_name": null});
    let rows = [
        ("fail_with_person", Some(nobody)),
        ("check", Some(json!("checked and found wanting"))),
        ("fail_bare", None),
    ];
    for (function, error) in rows {
        let json = call(&thoth, &service, function, r#"{"fail":true}"#).json(5);
        assert_eq!(json["outcome"], "failed");
        assert_eq!(json["cause"], "tool_error");
        let given = json.get("error").filter(|error| !error.is_null());
        assert_eq!(given, error.as_ref(), "{function}");
    }
}

#[test]
fn what_does_not_fit_names_the_path_and_never_reaches_the_policy_service() {
    let (thoth, service) = (Thoth::new(env!("CARGO_BIN_EXE_thoth")), Faultd::start());
    let rows = [
        (
            "echo_person",
            r#"{"p":{"full_name":"A","age":256}}"#,
            "arguments.p.age: 256 is out of range for u8",
        ),
        (
            "echo_person",
            r#"{"p":{"full_name":"A"}}"#,
            "arguments.p.age",
        ),
        (
            "echo_person",
            r#"{"p":{"full_name":"A","age":1,"extra":1}}"#,
            "`extra`",
        ),
        (
            "echo_person",
            r#"{"p":{"full-name":"A","age":1}}"#,
            "`full-name`",
        ),
        (
            "echo_people",
            r#"{"people":[{"full_name":"A","age":1},{"full_name":2,"age":1}]}"#,
            "arguments.people[1].full_name",
        ),
        ("echo_u8", "{}", "arguments.v"),
        ("echo_u8", r#"{"v":1,"w":2}"#, "`w`"),
        ("echo_u8", r#"{"v":-1}"#, "-1 is out of range for u8"),
        ("echo_u8", r#"{"v":1.5}"#, "arguments.v"),
        ("echo_u8", r#"{"v":"1"}"#, "arguments.v"),
        ("echo_u8", r#"{"v":null}"#, "arguments.v"),
        ("echo_s8", r#"{"v":128}"#, "out of range for s8"),
        ("echo_u64", r#"{"v":"18446744073709551616"}"#, "u64"),
        ("echo_u64", r#"{"v":"07"}"#, "arguments.v"),
        ("echo_u64", r#"{"v":"-1"}"#, "u64"),
        ("echo_u64", r#"{"v":9007199254740993}"#, "9007199254740991"),
        ("echo_s64", r#"{"v":"1e3"}"#, "arguments.v"),
        ("echo_f64", r#"{"v":"nan"}"#, "arguments.v"),
        ("echo_f32", r#"{"v":1e300}"#, "arguments.v"),
        ("echo_char", r#"{"v":"ab"}"#, "arguments.v"),
        ("echo_char", r#"{"v":""}"#, "arguments.v"),
        ("echo_bytes", r#"{"v":"A"}"#, "base64"),
        ("echo_bytes", r#"{"v":[1,2]}"#, "arguments.v"),
        ("echo_list", r#"{"v":[1,"2"]}"#, "arguments.v[1]"),
        ("echo_tuple", r#"{"v":[1,"two"]}"#, "arguments.v"),
        ("echo_tuple", r#"{"v":[1,"two",true,4]}"#, "arguments.v"),
        ("echo_shape", r#"{"v":{"tag":"square"}}"#, "`square`"),
        (
            "echo_shape",
            r#"{"v":{"tag":"point","val":1}}"#,
            "arguments.v",
        ),
        ("echo_shape", r#"{"v":{"tag":"circle"}}"#, "arguments.v.val"),
        (
            "echo_shape",
            r#"{"v":{"tag":"right-angle","val":[1,2]}}"#,
            "`right-angle`",
        ),
        ("echo_colour", r#"{"v":"dark-blue"}"#, "`dark-blue`"),
        ("echo_rights", r#"{"v":["read","fly"]}"#, "arguments.v[1]"),
        ("echo_rights", r#"{"v":["read","read"]}"#, "arguments.v[1]"),
        ("echo_result", r#"{"v":{"ok":1,"err":"x"}}"#, "arguments.v"),
        ("echo_result", r#"{"v":{}}"#, "arguments.v"),
        ("echo_bool", r#"{"v":1}"#, "arguments.v"),
        ("echo_string", r#"{"v":1}"#, "arguments.v"),
        ("echo_string", r#"[1]"#, "object"),
        ("echo_string", r#""v""#, "object"),
        ("echo_string", "null", "object"),
    ];
    table::each(
        &rows,
        |(function, arguments, _)| format!("{function} {arguments}"),
        |(function, arguments, named)| {
            let run = call(&thoth, &service, function, arguments);
            let line = run.error(2);
            assert!(line.contains(named), "{line}");
        },
    );
    assert_eq!(service.requests_to(Site::Enforce).len(), 0);
}

#[test]
fn a_function_with_a_resource_is_refused_by_name_and_its_neighbours_stay() {
    let (thoth, service) = (Thoth::new(env!("CARGO_BIN_EXE_thoth")), Faultd::start());
    let run = call(&thoth, &service, "open_counter", "{}");
    let line = run.error(2);
    assert!(
        line.contains("open-counter") && line.contains("resource"),
        "{line}"
    );
    assert_eq!(service.requests_to(Site::Enforce).len(), 0);

    let inspect = thoth
        .bare()
        .args(["inspect", "--json"])
        .arg(tool("values"))
        .run()
        .json(0);
    let names: Vec<&str> = inspect["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"neighbour") && !names.contains(&"open_counter"),
        "{names:?}"
    );
    assert!(
        inspect["refused"].to_string().contains("open-counter"),
        "{}",
        inspect["refused"]
    );
}

#[test]
fn inspecting_shows_schemas_and_the_authors_words() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let inspect = thoth
        .bare()
        .args(["inspect", "--json"])
        .arg(tool("docs-search"))
        .run()
        .json(0);
    let search = &inspect["tools"]
        .as_array()
        .unwrap()
        .iter()
        .find(|tool| tool["name"] == "search_docs")
        .unwrap();
    assert!(
        search["description"]
            .as_str()
            .unwrap()
            .starts_with("Searches the company handbook.")
    );
    let schema = &search["input_schema"];
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["required"], json!(["query"]));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["query"]["type"], "string");
    assert_eq!(inspect["sha256"].as_str().unwrap().len(), 64);
    assert!(
        inspect["imports"]
            .as_array()
            .unwrap()
            .iter()
            .all(|import| { import.as_str().unwrap().starts_with("wasi:") })
    );
}

/// One function that can be called, and one for each type of WASI 0.3 that has no JSON form.
const WITH_STREAMS: &str = r#"(component
  (core module $m
    (func (export "one") (result i32) i32.const 1)
    (func (export "take") (param i32)))
  (core instance $i (instantiate $m))
  (type $stream (stream u8))
  (type $future (future u8))
  (func (export "one") (result u32) (canon lift (core func $i "one")))
  (func (export "flow") (param "s" $stream) (canon lift (core func $i "take")))
  (func (export "later") (param "f" $future) (canon lift (core func $i "take")))
  (func (export "complain") (param "e" error-context) (canon lift (core func $i "take")))
)"#;

#[test]
fn a_stream_is_refused_by_name_and_the_other_functions_stay_usable() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let service = Faultd::start();
    let component = thoth.file("streams.wasm", wat::parse_str(WITH_STREAMS).unwrap());
    let seen = thoth.bare().arg("inspect").arg(&component).arg("--json");
    let seen = seen.run().json(0);
    assert_eq!(seen["tools"][0]["name"], "one");
    let refused: Vec<_> = seen["refused"].as_array().unwrap().iter().collect();
    for (refused, (export, why)) in refused.iter().zip([
        ("flow", "a stream"),
        ("later", "a future"),
        ("complain", "an error-context"),
    ]) {
        assert_eq!(refused["export"], export);
        assert!(refused["why"].as_str().unwrap().contains(why), "{refused}");
    }
    assert_eq!(refused.len(), 3);
    let call = thoth.call(&component).args(["one", "{}"]);
    let call = call.args(["--enforcer-url", &service.url()]).run();
    assert_eq!(call.json(0)["result"], 1);
    let call = thoth.call(&component).args(["flow", "{}"]);
    let call = call.args(["--enforcer-url", &service.url()]).run();
    assert!(call.assert_code(2).stderr.contains("a stream"));
}
