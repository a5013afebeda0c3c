//! What is found in a component: names, refusals, documentation, schemas, and the bounds on all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod support;

use serde_json::json;
use support::{Echo, append_module, append_section, component, documented};
use thoth_values::Docs;

const LEDGER: &str = r#"
package acme:ledger@1.0.0;

interface types {
    /// An amount of money.
    record amount {
        /// In the smallest unit.
        minor: u64,
        /// ISO 4217.
        currency-code: string,
    }
    /// How sure we are.
    enum certainty {
        /// A guess.
        low,
        high,
    }
}

interface transfers {
    use types.{amount, certainty};

    /// What to do afterwards.
    variant follow-up {
        /// Nothing.
        none,
        /// Send a mail.
        mail(string),
    }

    /// Sends money.
    ///
    /// Fails if there is not enough.
    send: func(amount: amount, to: string, then: option<follow-up>) -> result<certainty, string>;
    list-all: func() -> list<tuple<u32, amount>>;
}

world ledger {
    /// The balance of an account.
    export balance: func(account: string) -> s64;
    export transfers;
}
"#;

fn names(echo: &Echo) -> Vec<&str> {
    echo.listing
        .functions
        .iter()
        .map(|function| function.name.as_str())
        .collect()
}

fn refused(echo: &Echo) -> Vec<(&str, &str)> {
    echo.listing
        .refused
        .iter()
        .map(|refused| (refused.export.as_str(), refused.why.as_str()))
        .collect()
}

#[test]
fn functions_are_listed_with_their_documentation() {
    let echo = Echo::from_bytes(&documented(LEDGER));
    assert_eq!(names(&echo), ["balance", "send", "list_all"]);
    assert_eq!(refused(&echo), []);

    let balance = echo.function("balance");
    assert_eq!(balance.docs.as_deref(), Some("The balance of an account."));
    assert_eq!(balance.export.to_string(), "balance");

    let send = echo.function("send");
    assert_eq!(
        send.docs.as_deref(),
        Some("Sends money.\n\nFails if there is not enough.")
    );
    assert_eq!(send.export.to_string(), "acme:ledger/transfers@1.0.0#send");
    let list_all = echo.function("list_all");
    assert_eq!(
        (list_all.title.as_str(), list_all.docs.as_deref()),
        ("List all", None)
    );
}

#[test]
fn schemas_are_precise_and_carry_the_documentation() {
    let echo = Echo::from_bytes(&documented(LEDGER));
    let amount = json!({
        "type": "object",
        "description": "An amount of money.",
        "properties": {
            "minor": {
                "description": "In the smallest unit.",
                "anyOf": [
                    {"type": "integer", "minimum": 0, "maximum": 9007199254740991_u64},
                    {"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$"}
                ]
            },
            "currency_code": {"type": "string", "description": "ISO 4217."}
        },
        "required": ["minor", "currency_code"],
        "additionalProperties": false
    });
    let send = echo.function("send");
    assert_eq!(
        send.input_schema(),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "amount": amount,
                "to": {"type": "string"},
                "then": {
                    "description": "What to do afterwards.",
                    "anyOf": [
                        {
                            "type": "object",
                            "oneOf": [
                                {
                                    "description": "Nothing.",
                                    "properties": {"tag": {"const": "none"}},
                                    "required": ["tag"],
                                    "additionalProperties": false
                                },
                                {
                                    "description": "Send a mail.",
                                    "properties": {"tag": {"const": "mail"}, "val": {"type": "string"}},
                                    "required": ["tag", "val"],
                                    "additionalProperties": false
                                }
                            ]
                        },
                        {"type": "null"}
                    ]
                }
            },
            "required": ["amount", "to"],
            "additionalProperties": false
        })
    );
    assert_eq!(
        send.output_schema(),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "string",
            "description": "How sure we are.\n- `low`: A guess.",
            "enum": ["low", "high"]
        })
    );
    let mut items = json!({"type": "array", "items": false, "minItems": 2});
    items["prefixItems"] =
        json!([{"type": "integer", "minimum": 0, "maximum": 4294967295_u64}, amount]);
    assert_eq!(
        echo.function("list_all").output_schema(),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "array",
            "items": items
        })
    );
}

#[test]
fn an_optional_result_key_is_always_written() {
    let echo = Echo::new(
        "package a:b; interface i { record r { x: option<u8> } go: func(v: r) -> r; } world w { export i; }",
    );
    let go = echo.function("go");
    assert_eq!(go.input_schema()["properties"]["v"]["required"], json!([]));
    assert_eq!(go.output_schema()["required"], json!(["x"]));
    assert_eq!(
        go.output_schema()["properties"]["x"],
        json!({"type": ["integer", "null"], "minimum": 0, "maximum": 255})
    );
}

#[test]
fn documentation_is_only_text_and_only_if_whole() {
    let plain = component(LEDGER);
    let docs = |section: &[u8]| {
        let mut bytes = plain.clone();
        append_section(&mut bytes, "package-docs", section);
        Echo::from_bytes(&bytes).function("balance").docs.clone()
    };
    let of = |text: &str| {
        let docs = json!({"worlds": {"w": {"func_exports": {"balance": {"docs": text}}}}});
        [&[1], docs.to_string().as_bytes()].concat()
    };
    assert_eq!(docs(&of("fine")), Some("fine".to_owned()));
    assert_eq!(
        docs(&of("a\u{1b}[2J\u{202e}\u{e0041}\tb\nc")),
        Some("a[2Jb\nc".to_owned())
    );
    assert_eq!(
        docs(&of(&"x".repeat(9_000))).map(|text| text.len()),
        Some(4_096 + '…'.len_utf8())
    );
    // The first version of the format.
    assert_eq!(
        docs(b"\0{\"worlds\":{\"w\":{\"funcs\":{\"balance\":\"old\"}}}}"),
        Some("old".to_owned())
    );
    for broken in [
        &b""[..],
        b"\x01",
        b"\x02{}",
        b"\x01[1]",
        b"\x01{\"worlds\":[]}",
        b"\x01{\"worlds\":{\"w\":{\"func_exports\":{\"balance\":{\"docs\":1}}}}}",
        b"\x01{\"worlds\":{\"w\":{\"func_exports\":[]}}",
    ] {
        assert_eq!(docs(broken), None, "{broken:?}");
    }
    assert_eq!(docs(&[&[1], "[".repeat(100_000).as_bytes()].concat()), None);
    assert_eq!(docs(&of(&"x".repeat(2 << 20))), None);
}

#[test]
fn documentation_may_be_linked_into_the_core_module() {
    let mut module = wat::parse_str("(module)").unwrap();
    let docs = br#"{"worlds":{"w":{"func_exports":{"go":{"docs":"Goes."}}}}}"#;
    append_section(&mut module, "package-docs", &[&[1][..], docs].concat());
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    append_module(&mut component, &module);
    assert!(format!("{:?}", Docs::read(&component)).contains("Goes."));
}

#[test]
fn bytes_that_are_no_component_have_no_documentation() {
    for bytes in [
        &b""[..],
        b"text",
        b"\0asm\x0d\0\x01\0",
        b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\x0f",
    ] {
        assert!(format!("{:?}", Docs::read(bytes)).contains("[]"));
    }
}

#[test]
fn a_function_with_a_resource_is_refused_and_the_others_stay() {
    let echo = Echo::new(
        "package a:b; interface i { resource blob { constructor(); read: func() -> u8; make: static func(); } \
         take: func(it: borrow<blob>); give: func() -> option<own<blob>>; fine: func(v: u8) -> u8; } \
         world w { export i; }",
    );
    assert_eq!(names(&echo), ["fine"]);
    let resource = "it belongs to a resource, and a resource has no JSON form";
    let mut found = refused(&echo);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("a:b/i#[constructor]blob", resource),
            ("a:b/i#[method]blob.read", resource),
            ("a:b/i#[static]blob.make", resource),
            ("a:b/i#give", "result: a resource has no JSON form"),
            ("a:b/i#take", "parameter `it`: a resource has no JSON form"),
        ]
    );
}

#[test]
fn a_map_is_refused_by_name() {
    let bytes = wat::parse_str(
        r#"(component
            (core module $m (func (export "f") (param i32 i32)) (memory (export "memory") 1)
              (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func (export "go") (param "table" (map string u8))
              (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "r")))))"#,
    )
    .unwrap();
    let echo = Echo::from_bytes(&bytes);
    assert_eq!(
        refused(&echo),
        [("go", "parameter `table`: a map has no JSON form")]
    );
}

#[test]
fn colliding_names_are_qualified_by_interface() {
    let echo = Echo::new(
        "package a:b@1.2.3; interface mail { send: func(); } interface post { send: func(); only: func(); } \
         world w { export mail; export post; export get-URL: func(); }",
    );
    let mut found = names(&echo);
    found.sort_unstable();
    assert_eq!(found, ["get_url", "mail_send", "only", "post_send"]);
    assert_eq!(
        echo.call("post_send", &json!({})).unwrap(),
        thoth_values::Lifted::Completed(json!(null))
    );
}

#[test]
fn inline_interfaces_are_found_with_their_documentation() {
    let echo = Echo::from_bytes(&documented(
        "package a:b; world w { export kebab-api: interface { /// Goes.\n go: func(); } }",
    ));
    let go = echo.function("go");
    assert_eq!(
        (go.export.to_string().as_str(), go.docs.as_deref()),
        ("kebab-api#go", Some("Goes."))
    );
}

#[test]
fn a_command_is_a_tool_called_run() {
    let echo = Echo::new(
        "package wasi:cli@0.2.3; interface run { run: func() -> result; } world w { export run; }",
    );
    assert_eq!(names(&echo), ["run"]);
    assert_eq!(echo.function("run").output_schema()["type"], json!("null"));
}

#[test]
fn deep_types_are_refused() {
    let nested = |depth: usize| format!("{}bool{}", "list<".repeat(depth), ">".repeat(depth));
    let wit = |depth: usize| {
        let ty = nested(depth);
        format!("package a:b; world w {{ export go: func(v: {ty}); export fine: func(); }}")
    };
    assert_eq!(names(&Echo::new(&wit(30))), ["go", "fine"]);
    let echo = Echo::new(&wit(31));
    assert_eq!(names(&echo), ["fine"]);
    assert_eq!(
        refused(&echo),
        [("go", "parameter `v`: types nest deeper than 31")]
    );
    assert_eq!(names(&Echo::new(&wit(90))), ["fine"]);
}

#[test]
fn wide_types_are_refused() {
    let wit = |cases: usize| {
        let cases: Vec<String> = (0..cases).map(|n| format!("c{n}(u8)")).collect();
        format!(
            "package a:b; interface i {{ variant v {{ {} }} go: func(v: v); fine: func(); }} world w {{ export i; }}",
            cases.join(", ")
        )
    };
    assert_eq!(names(&Echo::new(&wit(1_000))), ["go", "fine"]);
    let echo = Echo::new(&wit(1_001));
    assert_eq!(names(&echo), ["fine"]);
    assert_eq!(
        refused(&echo),
        [(
            "a:b/i#go",
            "parameter `v`: a type has 1001 members, more than 1000"
        )]
    );
}

#[test]
fn types_that_double_at_each_level_are_refused_in_time() {
    // 2^12 leaves out of twelve lines; the engine itself stops at a million.
    let types: String = (1..=12)
        .map(|n| format!("type t{n} = tuple<t{}, t{}>;", n - 1, n - 1))
        .collect();
    let bomb = format!("package a:b; interface i {{ type t0 = list<u8>; {types} ");
    let echo = Echo::new(&format!(
        "{bomb} go: func(v: list<t12>); fine: func(); }} world w {{ export i; }}"
    ));
    assert_eq!(names(&echo), ["fine"]);
    assert_eq!(
        refused(&echo),
        [(
            "a:b/i#go",
            "parameter `v`: its types have more than 4096 parts in all"
        )]
    );
}

#[test]
fn absent_options_are_not_free() {
    let fields: String = (0..900)
        .map(|n| format!("field{n}: option<u8>, "))
        .collect();
    let echo = Echo::new(&format!(
        "package a:b; interface i {{ record r {{ {fields} }} go: func(v: list<r>); }} world w {{ export i; }}"
    ));
    let function = echo.function("go");
    assert!(function.check(&json!({"v": vec![json!({}); 200]})).is_ok());
    let misfit = function
        .check(&json!({"v": vec![json!({}); 80_000]}))
        .unwrap_err();
    assert_eq!(misfit.message, "the arguments have more than 262144 values");
}

#[test]
fn too_many_functions_are_cut_off_by_name() {
    let functions: String = (0..1_030).map(|n| format!("go{n}: func(); ")).collect();
    let echo = Echo::new(&format!(
        "package a:b; interface i {{ {functions} }} world w {{ export i; }}"
    ));
    assert_eq!(names(&echo).len(), 1_024);
    assert_eq!(
        refused(&echo),
        [("the rest", "the component exports more than 1024 functions")]
    );
}

#[test]
fn a_result_beyond_the_cap_is_an_error() {
    let echo = Echo::of("", "string");
    let refused = echo.echo(json!("x".repeat((1 << 20) - 1))).unwrap_err();
    assert_eq!(refused, "the result is larger than 1048576 bytes of JSON");
    assert!(echo.echo(json!("x".repeat((1 << 20) - 2))).is_ok());
}
