//! The value table, row by row, through real components: what is accepted, what comes back, and the
//! exact message of what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod support;

use serde_json::{Value, json};
use support::Echo;
use thoth_values::Lifted;

/// Checks one type: `good` pairs an argument with the result that it comes back as, `bad` with the
/// message.
#[track_caller]
fn row(types: &str, echoed: &str, good: &[(Value, Value)], bad: &[(Value, &str)]) {
    let echo = Echo::of(types, echoed);
    for (argument, expected) in good {
        assert_eq!(
            echo.echo(argument.clone()),
            Ok(Lifted::Completed(expected.clone())),
            "{echoed}: {argument}"
        );
    }
    for (argument, message) in bad {
        let refused = echo.echo(argument.clone()).unwrap_err();
        assert_eq!(refused, *message, "{echoed}: {argument}");
    }
}

fn same(values: &[Value]) -> Vec<(Value, Value)> {
    values
        .iter()
        .map(|value| (value.clone(), value.clone()))
        .collect()
}

/// As a number that the parser reads: `json!` cannot write every spelling.
fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn bool_is_true_or_false() {
    row(
        "",
        "bool",
        &same(&[json!(true), json!(false)]),
        &[
            (json!(1), "arguments.v: expected bool, got a number"),
            (json!("true"), "arguments.v: expected bool, got a string"),
            (json!(null), "arguments.v: expected bool, got null"),
        ],
    );
}

#[test]
fn small_integers_are_whole_numbers_in_range() {
    for (ty, least, most) in [
        ("u8", 0_i64, 255_i64),
        ("u16", 0, 65_535),
        ("u32", 0, 4_294_967_295),
        ("s8", -128, 127),
        ("s16", -32_768, 32_767),
        ("s32", -2_147_483_648, 2_147_483_647),
    ] {
        row(
            "",
            ty,
            &[
                (json!(least), json!(least)),
                (json!(most), json!(most)),
                (number("1.0"), json!(1)),
                (number("1e2"), json!(100)),
                (number("-0.0"), json!(0)),
            ],
            &[
                (
                    json!(most + 1),
                    &format!("arguments.v: {} is out of range for {ty}", most + 1),
                ),
                (
                    json!(least - 1),
                    &format!("arguments.v: {} is out of range for {ty}", least - 1),
                ),
                (
                    number("1e300"),
                    &format!("arguments.v: 1e+300 is out of range for {ty}"),
                ),
                (
                    json!(1.5),
                    &format!("arguments.v: 1.5 is not a whole number for {ty}"),
                ),
                (
                    json!("1"),
                    &format!("arguments.v: expected {ty}, got a string"),
                ),
                (
                    json!([1]),
                    &format!("arguments.v: expected {ty}, got an array"),
                ),
            ],
        );
    }
}

#[test]
fn wide_integers_beyond_2_to_the_53_are_text() {
    let safe = 9_007_199_254_740_991_i64;
    row(
        "",
        "u64",
        &[
            (json!(0), json!(0)),
            (json!(safe), json!(safe)),
            (json!("7"), json!(7)),
            (json!("9007199254740992"), json!("9007199254740992")),
            (json!("18446744073709551615"), json!("18446744073709551615")),
        ],
        &[
            (
                json!(safe + 1),
                "arguments.v: 9007199254740992 is beyond 2^53-1; write the u64 as decimal text",
            ),
            (
                number("1e19"),
                "arguments.v: 1e+19 is beyond 2^53-1; write the u64 as decimal text",
            ),
            (json!(-1), "arguments.v: -1 is out of range for u64"),
            (
                number("-1e39"),
                "arguments.v: -1e+39 is out of range for u64",
            ),
            (number("1e20"), "arguments.v: 1e+20 is out of range for u64"),
            (
                json!("18446744073709551616"),
                "arguments.v: `18446744073709551616` is out of range for u64",
            ),
            (json!("-1"), "arguments.v: `-1` is out of range for u64"),
            (
                json!("007"),
                "arguments.v: `007` is not decimal text for u64",
            ),
            (json!("+1"), "arguments.v: `+1` is not decimal text for u64"),
            (json!(""), "arguments.v: `` is not decimal text for u64"),
        ],
    );
    row(
        "",
        "s64",
        &[
            (json!(-safe), json!(-safe)),
            (json!("-9007199254740992"), json!("-9007199254740992")),
            (json!("-9223372036854775808"), json!("-9223372036854775808")),
            (json!("9223372036854775807"), json!("9223372036854775807")),
        ],
        &[
            (
                json!(-safe - 1),
                "arguments.v: -9007199254740992 is beyond 2^53-1; write the s64 as decimal text",
            ),
            (
                json!("9223372036854775808"),
                "arguments.v: `9223372036854775808` is out of range for s64",
            ),
            (
                number("-1e39"),
                "arguments.v: -1e+39 is out of range for s64",
            ),
            (json!("-0"), "arguments.v: `-0` is not decimal text for s64"),
        ],
    );
}

#[test]
fn floats_are_numbers_and_three_texts() {
    let text = [json!("NaN"), json!("Infinity"), json!("-Infinity")];
    for ty in ["f32", "f64"] {
        row(
            "",
            ty,
            &same(&text),
            &[
                (
                    json!("1.5"),
                    &format!(
                        "arguments.v: `1.5` is not a number for {ty}; as text only `NaN`, `Infinity` and `-Infinity` are"
                    ),
                ),
                (
                    json!(false),
                    &format!("arguments.v: expected {ty}, got a boolean"),
                ),
            ],
        );
    }
    row(
        "",
        "f64",
        &[
            (json!(0.1), json!(0.1)),
            (number("100000000000000000000"), json!(1e20)),
            (json!(3), json!(3.0)),
            (json!(1.7976931348623157e308), json!(1.7976931348623157e308)),
        ],
        &[],
    );
    row(
        "",
        "f32",
        &[
            (json!(0.1), json!(0.1)),
            (json!(16777217), json!(16777216.0)),
            (json!(3.4028234663852886e38), json!(3.4028235e38)),
            (json!(-3.4028235e38), json!(-3.4028235e38)),
        ],
        &[
            (json!(1e39), "arguments.v: 1e+39 is out of range for f32"),
            (
                json!(-3.4028236e38),
                "arguments.v: -3.4028236e+38 is out of range for f32",
            ),
        ],
    );
}

#[test]
fn char_is_one_character() {
    row(
        "",
        "char",
        &same(&[json!("a"), json!("\u{1f600}"), json!("\u{0}")]),
        &[
            (json!(""), "arguments.v: `` is not one character"),
            (json!("ab"), "arguments.v: `ab` is not one character"),
            (
                json!("e\u{301}"),
                "arguments.v: `e\\u{301}` is not one character",
            ),
            (
                json!(97),
                "arguments.v: expected char (one character), got a number",
            ),
        ],
    );
}

#[test]
fn string_is_text() {
    row(
        "",
        "string",
        &same(&[json!(""), json!("h\u{e9}llo\n\u{0}\u{1f600}")]),
        &[(json!(1), "arguments.v: expected string, got a number")],
    );
}

#[test]
fn list_of_u8_is_canonical_base64() {
    row(
        "",
        "list<u8>",
        &same(&[json!(""), json!("AA=="), json!("+/8="), json!("AAEC")]),
        &[
            (
                json!("AA"),
                "arguments.v: not canonical base64 for list<u8> (standard alphabet, padded)",
            ),
            (
                json!("AB=="),
                "arguments.v: not canonical base64 for list<u8> (standard alphabet, padded)",
            ),
            (
                json!("-_8="),
                "arguments.v: not canonical base64 for list<u8> (standard alphabet, padded)",
            ),
            (
                json!("AA==\n"),
                "arguments.v: not canonical base64 for list<u8> (standard alphabet, padded)",
            ),
            (
                json!([0, 1]),
                "arguments.v: expected list<u8> (base64 text), got an array",
            ),
        ],
    );
}

#[test]
fn list_is_an_array() {
    row(
        "",
        "list<u16>",
        &same(&[json!([]), json!([1, 2, 65535])]),
        &[
            (
                json!({"0": 1}),
                "arguments.v: expected list (an array), got an object",
            ),
            (
                json!([1, 2, 65536]),
                "arguments.v[2]: 65536 is out of range for u16",
            ),
        ],
    );
    row("", "list<list<u8>>", &same(&[json!(["AA==", ""])]), &[]);
}

#[test]
fn list_of_fixed_length_has_exactly_that_length() {
    row(
        "",
        "list<u16, 3>",
        &same(&[json!([1, 2, 3])]),
        &[
            (json!([1, 2]), "arguments.v: expected 3 items, got 2"),
            (json!([1, 2, 3, 4]), "arguments.v: expected 3 items, got 4"),
        ],
    );
    row(
        "",
        "list<u8, 4>",
        &same(&[json!("AAECAw==")]),
        &[(json!("AAEC"), "arguments.v: expected 4 bytes, got 3")],
    );
}

#[test]
fn tuple_is_an_array_of_its_length() {
    row(
        "",
        "tuple<u8, string>",
        &same(&[json!([1, "a"])]),
        &[
            (json!([1]), "arguments.v: expected 2 items, got 1"),
            (
                json!([1, "a", null]),
                "arguments.v: expected 2 items, got 3",
            ),
            (json!(["a", 1]), "arguments.v[0]: expected u8, got a string"),
            (
                json!({}),
                "arguments.v: expected tuple (an array), got an object",
            ),
        ],
    );
}

#[test]
fn record_is_an_object_with_snake_case_keys() {
    let types = "record person { full-name: string, age: u8, home-URL: option<string> }";
    row(
        types,
        "person",
        &[
            (
                json!({"full_name": "Ada", "age": 36, "home_url": "x"}),
                json!({"full_name": "Ada", "age": 36, "home_url": "x"}),
            ),
            (
                json!({"full_name": "Ada", "age": 36}),
                json!({"full_name": "Ada", "age": 36, "home_url": null}),
            ),
        ],
        &[
            (
                json!({"full_name": "Ada", "age": 256}),
                "arguments.v.age: 256 is out of range for u8",
            ),
            (
                json!({"full_name": "Ada"}),
                "arguments.v.age: missing; a u8 is required",
            ),
            (
                json!({"full_name": "Ada", "age": 1, "nick": "a"}),
                "arguments.v: unknown key `nick`; known keys are `full_name`, `age`, `home_url`",
            ),
            (
                json!({"full-name": "Ada", "age": 1}),
                "arguments.v: unknown key `full-name`; known keys are `full_name`, `age`, `home_url`",
            ),
            (
                json!([]),
                "arguments.v: expected record (an object), got an array",
            ),
            (
                json!({"full_name": null, "age": 1}),
                "arguments.v.full_name: expected string, got null",
            ),
        ],
    );
}

#[test]
fn option_is_the_value_or_null() {
    row(
        "",
        "option<u8>",
        &same(&[json!(null), json!(7)]),
        &[
            (json!("7"), "arguments.v: expected u8, got a string"),
            (
                json!({"some": 7}),
                "arguments.v: expected u8, got an object",
            ),
        ],
    );
}

#[test]
fn option_of_option_says_some() {
    row(
        "",
        "option<option<u8>>",
        &same(&[json!(null), json!({"some": null}), json!({"some": 7})]),
        &[
            (
                json!(7),
                "arguments.v: expected option of an option (null or an object with `some`), got a number",
            ),
            (
                json!({}),
                "arguments.v: expected an object with exactly one key, `some`",
            ),
            (
                json!({"some": 7, "x": 1}),
                "arguments.v: expected an object with exactly one key, `some`",
            ),
            (
                json!({"some": 256}),
                "arguments.v.some: 256 is out of range for u8",
            ),
        ],
    );
    row(
        "",
        "option<option<option<bool>>>",
        &same(&[
            json!(null),
            json!({"some": null}),
            json!({"some": {"some": null}}),
            json!({"some": {"some": true}}),
        ]),
        &[],
    );
}

#[test]
fn variant_is_a_tag_with_a_value() {
    let types = "variant shape { none, circle(f64), maybe-URL(option<string>) }";
    row(
        types,
        "shape",
        &[
            (json!({"tag": "none"}), json!({"tag": "none"})),
            (
                json!({"tag": "circle", "val": 1.5}),
                json!({"tag": "circle", "val": 1.5}),
            ),
            (
                json!({"tag": "maybe_url"}),
                json!({"tag": "maybe_url", "val": null}),
            ),
            (
                json!({"tag": "maybe_url", "val": "x"}),
                json!({"tag": "maybe_url", "val": "x"}),
            ),
        ],
        &[
            (
                json!({"tag": "none", "val": null}),
                "arguments.v.val: case `none` has no value",
            ),
            (
                json!({"tag": "circle"}),
                "arguments.v.val: missing; a f64 is required",
            ),
            (
                json!({"tag": "circle", "val": "x"}),
                "arguments.v.val: `x` is not a number for f64; as text only `NaN`, `Infinity` and `-Infinity` are",
            ),
            (
                json!({"tag": "oval"}),
                "arguments.v.tag: unknown case `oval`; known are `none`, `circle`, `maybe_url`",
            ),
            (
                json!({"tag": 1}),
                "arguments.v.tag: expected the name of a case, got a number",
            ),
            (
                json!({"val": 1}),
                "arguments.v.tag: missing; the name of a case is required",
            ),
            (
                json!({"tag": "none", "value": 1}),
                "arguments.v: unknown key `value`; known keys are `tag`, `val`",
            ),
            (
                json!("none"),
                "arguments.v: expected variant (an object with `tag`), got a string",
            ),
        ],
    );
}

#[test]
fn enum_is_a_snake_case_name() {
    row(
        "enum level { low, very-high }",
        "level",
        &same(&[json!("low"), json!("very_high")]),
        &[
            (
                json!("very-high"),
                "arguments.v: unknown case `very-high`; known are `low`, `very_high`",
            ),
            (
                json!(0),
                "arguments.v: expected enum (a string), got a number",
            ),
        ],
    );
}

#[test]
fn flags_are_an_array_of_names() {
    row(
        "flags may { read, write-all, run }",
        "may",
        &[
            (json!([]), json!([])),
            (json!(["run", "read"]), json!(["read", "run"])),
            (json!(["write_all"]), json!(["write_all"])),
        ],
        &[
            (
                json!(["read", "read"]),
                "arguments.v[1]: flag `read` is given twice",
            ),
            (
                json!(["fly"]),
                "arguments.v[0]: unknown flag `fly`; known are `read`, `write_all`, `run`",
            ),
            (
                json!([1]),
                "arguments.v[0]: expected the name of a flag, got a number",
            ),
            (
                json!("read"),
                "arguments.v: expected flags (an array of names), got a string",
            ),
        ],
    );
}

#[test]
fn nested_result_says_ok_or_err() {
    row(
        "",
        "tuple<result<u8, string>>",
        &same(&[json!([{"ok": 1}]), json!([{"err": "no"}])]),
        &[
            (
                json!([1]),
                "arguments.v[0]: expected result (an object with `ok` or `err`), got a number",
            ),
            (
                json!([{}]),
                "arguments.v[0]: expected an object with exactly one key, `ok` or `err`",
            ),
            (
                json!([{"ok": 1, "err": "x"}]),
                "arguments.v[0]: expected an object with exactly one key, `ok` or `err`",
            ),
            (
                json!([{"ok": 256}]),
                "arguments.v[0].ok: 256 is out of range for u8",
            ),
        ],
    );
    row(
        "",
        "list<result>",
        &same(&[json!([{"ok": null}, {"err": null}])]),
        &[(
            json!([{"ok": 1}]),
            "arguments.v[0].ok: expected null, got a number",
        )],
    );
}

#[test]
fn err_of_a_function_is_a_failed_tool() {
    let echo = Echo::of("", "result<u8, string>");
    assert_eq!(echo.echo(json!({"ok": 5})), Ok(Lifted::Completed(json!(5))));
    assert_eq!(
        echo.echo(json!({"err": "no"})),
        Ok(Lifted::ToolError(json!("no")))
    );
    let echo = Echo::of("", "result<_, u64>");
    assert_eq!(
        echo.echo(json!({"ok": null})),
        Ok(Lifted::Completed(json!(null)))
    );
    assert_eq!(
        echo.echo(json!({"err": 1})),
        Ok(Lifted::ToolError(json!(1)))
    );
    let echo = Echo::of("", "result<list<u8>>");
    assert_eq!(
        echo.echo(json!({"ok": "AA=="})),
        Ok(Lifted::Completed(json!("AA==")))
    );
    assert_eq!(
        echo.echo(json!({"err": null})),
        Ok(Lifted::ToolError(json!(null)))
    );
}

#[test]
fn no_result_is_null() {
    let echo = Echo::new("package test:echo; world w { export go: func(); }");
    assert_eq!(echo.function("go").result_slots(), 0);
    assert_eq!(
        echo.call("go", &json!({})).unwrap(),
        Lifted::Completed(json!(null))
    );
}

#[test]
fn arguments_are_an_object_of_the_parameters() {
    let echo = Echo::new(
        "package test:echo; world w { export go: func(page-size: u8) -> u8; export no: func(); }",
    );
    let refused =
        |name: &str, arguments: Value| echo.call(name, &arguments).unwrap_err().to_string();
    assert_eq!(
        refused("go", json!([1])),
        "arguments: expected an object, got an array"
    );
    assert_eq!(
        refused("go", json!(null)),
        "arguments: expected an object, got null"
    );
    assert_eq!(
        refused("go", json!({})),
        "arguments.page_size: missing; a u8 is required"
    );
    assert_eq!(
        refused("go", json!({"page-size": 1})),
        "arguments: unknown key `page-size`; known keys are `page_size`"
    );
    assert_eq!(
        refused("no", json!({"\u{1b}[2J": 1})),
        "arguments: unknown key `\\u{1b}[2J`; there are no known keys"
    );
    assert_eq!(
        echo.call("go", &json!({"page_size": 3})).unwrap(),
        Lifted::Completed(json!(3))
    );
}
