//! The strict reader and the canonical writer, against `serde_json` and each other.

use proptest::prelude::*;
use serde_json::{Value, json};
use thoth_core::JsonErrorKind::*;
use thoth_core::json::{JsonError, canonical, check, digest, parse, parse_canonical, type_name};

/// What a text comes to where its value is of no interest.
fn kind(text: &str) -> Result<&'static str, JsonError> {
    parse(text).map(|value| type_name(&value))
}

#[test]
fn what_is_refused_is_named_with_its_place() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(deep(32)).is_ok());
    for (text, kind, line, column) in [
        (deep(33).as_str(), TooDeep, 1, 33),
        (&"[".repeat(100_000), TooDeep, 1, 33),
        (&" ".repeat(256 * 1024 + 1), TooLong, 1, 1),
        (
            "{\"a\":1,\n \"\\u0061\":2}",
            DuplicateName("a".into()),
            2,
            2,
        ),
        (r#"{"x":[{"b":1,"b":1}]}"#, DuplicateName("b".into()), 1, 14),
        (r#"{"a\u0000":1}"#, NulInName, 1, 2),
        ("[9007199254740992]", IntegerTooLarge, 1, 2),
        ("-9007199254740992", IntegerTooLarge, 1, 1),
        ("18446744073709551616", IntegerTooLarge, 1, 1),
        ("[1,\n1e400]", NumberTooLarge, 2, 1),
        ("-1e999999999999", NumberTooLarge, 1, 1),
        ("{} {}", Syntax("something follows the value"), 1, 4),
        ("1\0", Syntax("something follows the value"), 1, 2),
        ("\u{feff}1", Syntax("expected a value"), 1, 1),
        ("", Syntax("expected a value"), 1, 1),
        ("[1,]", Syntax("expected a value"), 1, 4),
        ("{\"a\":1,}", Syntax("expected a name in quotes"), 1, 8),
        ("{a:1}", Syntax("expected a name in quotes"), 1, 2),
        ("{\"a\" 1}", Syntax("expected `:`"), 1, 6),
        ("{\"a\":1 \"b\"", Syntax("expected `,` or `}`"), 1, 8),
        ("[1 2]", Syntax("expected `,` or `]`"), 1, 4),
        ("nul", Syntax("expected a value"), 1, 1),
        ("True", Syntax("expected a value"), 1, 1),
        ("\"\\ud800\"", Syntax("a lone surrogate in a string"), 1, 8),
        (
            "\"\\ud800\\u0041\"",
            Syntax("a lone surrogate in a string"),
            1,
            14,
        ),
        ("\"\\udc00\"", Syntax("a lone surrogate in a string"), 1, 8),
        ("\"\\x\"", Syntax("an unknown escape"), 1, 3),
        ("\"\\u12g4\"", Syntax("expected four hex digits"), 1, 6),
        ("\"\t\"", Syntax("a control character in a string"), 1, 2),
        ("\"abc", Syntax("a string without an end"), 1, 5),
        ("\"abc\\", Syntax("an unknown escape"), 1, 6),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(check(text), Err(error.clone()));
        assert_eq!(
            (error.kind, error.line, error.column),
            (kind, line, column),
            "{:.40}",
            text
        );
    }
    for text in [
        "01", "-", "+1", "1.", ".5", "1e", "1e+", "-01", "00", "0x1", "1_0", "Infinity", "NaN",
        "--1",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert_eq!(parse(b"\"a\xff\"").unwrap_err().kind, NotUtf8);
    let error = parse("{\"a\":1,\"a\":2}").unwrap_err().to_string();
    assert_eq!(error, "the name `a` comes twice (line 1, column 8)");
}

#[test]
fn what_fits_is_read() {
    for text in [
        "9007199254740991",
        "-9007199254740991",
        "0",
        "-0",
        "1.5e3",
        "1E-2",
        "1e20",
        "1e300",
        "1e-400",
        "9007199254740993.0",
        "\"\\ud83d\\ude00\"",
        "\"\\u0000\"",
        " [ ] ",
        "{ }",
        "\t\n\r null ",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "{\"\":{\"\":[]}}",
        "true",
        "false",
        "\"\u{7f}\u{2028}ä😀\"",
    ] {
        let reference: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text).unwrap(), reference, "{text}");
    }
}

#[test]
fn canonical_form_is_that_of_rfc_8785() {
    // The example of RFC 8785, 3.2.3, and its numbers.
    let text = "{\"\\u20ac\": \"Euro Sign\", \"\\r\": \"Carriage Return\", \"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\", \"1\": \"One\", \"\\ud83d\\ude00\": \"Emoji: Grinning Face\", \"\\u0080\": \"Control\", \"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}";
    let written = canonical(&parse(text).unwrap());
    assert_eq!(
        written,
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
    );
    for (text, written) in [
        ("333333333.33333329", "333333333.3333333"),
        ("1E30", "1e+30"),
        ("4.50", "4.5"),
        ("2e-3", "0.002"),
        ("0.000000000000000000000000001", "1e-27"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("295147905179352830000.0", "295147905179352830000"),
        ("[ 1 , true,null ]", "[1,true,null]"),
        (
            "\"\\u20ac$\\u000f\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"",
            "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"",
        ),
        (
            "\"\\u0008\\u0009\\u000c\\u000d\\u0000\\u001f\\u007f\"",
            "\"\\b\\t\\f\\r\\u0000\\u001f\u{7f}\"",
        ),
    ] {
        assert_eq!(canonical(&parse(text).unwrap()), written, "{text}");
    }
    assert_eq!(canonical(&json!(u64::MAX)), "18446744073709552000");
}

#[test]
fn canonical_text_is_read_back_and_other_text_is_not() {
    for text in [
        "{}",
        "100000000000000000000",
        r#"{"a":1,"b":[1.5,"x"]}"#,
        "18446744073709552000",
    ] {
        assert_eq!(canonical(&parse_canonical(text).unwrap()), text);
    }
    for (text, column) in [
        ("{ }", 2),
        ("1.0", 2),
        (r#"{"b":1,"a":2}"#, 3),
        ("9007199254740993", 16),
        ("\"\\u0041\"", 2),
        ("1e20", 2),
    ] {
        let error = parse_canonical(text).unwrap_err();
        assert_eq!((error.kind, error.column), (NotCanonical, column), "{text}");
    }
    assert!(parse_canonical("{").is_err());
}

#[test]
fn a_digest_is_sha_256_in_hex() {
    assert_eq!(
        digest("abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

fn values() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        (-9_007_199_254_740_991..=9_007_199_254_740_991_i64).prop_map(Value::from),
        (-1000..1000_i64).prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |double| serde_json::Number::from_f64(double)
            .map(Value::Number)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-c\u{e000}\u{10000}\"\\\\]{0,3}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_form_is_stable_and_means_the_same(value in values()) {
        let text = canonical(&value);
        let read = parse_canonical(&text).unwrap();
        prop_assert_eq!(&canonical(&read), &text);
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        if let Ok(read) = parse(&pretty) {
            prop_assert_eq!(canonical(&read), text.as_str());
        }
        let lenient: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical(&lenient), text);
    }

    #[test]
    fn equal_digests_are_equal_values(a in values(), b in values()) {
        let same = digest(&canonical(&a)) == digest(&canonical(&b));
        prop_assert_eq!(same, canonical(&a) == canonical(&b));
    }

    #[test]
    fn whatever_is_read_serde_json_reads_the_same(text in r#"[\[\]{}",:0-9eE.+\-a-cntruefals\\ ]{0,24}"#) {
        if let Ok(value) = parse(&text) {
            let reference: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(canonical(&value), canonical(&reference));
        } else if let Ok(reference) = serde_json::from_str::<Value>(&text) {
            // Only the profile is stricter.
            let kind = parse(&text).unwrap_err().kind;
            prop_assert!(matches!(kind, DuplicateName(_) | IntegerTooLarge | NulInName), "{} {:?}", reference, kind);
        }
    }

    #[test]
    fn a_check_says_what_reading_says(
        text in r#"[\[\]{}",:0-9eE.+\-a-cntruefals\\ ]{0,24}"#,
        value in values(),
        cut in any::<prop::sample::Index>(),
    ) {
        prop_assert_eq!(check(&text), kind(&text));
        let mut text = canonical(&value);
        prop_assert_eq!(check(&text), kind(&text));
        while !text.is_char_boundary(cut.index(text.len())) {
            text.insert(0, ' ');
        }
        text.remove(cut.index(text.len()));
        prop_assert_eq!(check(&text), kind(&text));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = parse(&bytes) {
            prop_assert_eq!(parse_canonical(&canonical(&value)).map(|value| canonical(&value)), Ok(canonical(&value)));
        }
    }

    #[test]
    fn a_decimal_is_read_as_the_nearest_double(
        text in r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,60}([eE][+-]?[0-9]{1,3})?|[eE][+-]?[0-9]{1,3})"
    ) {
        let nearest: f64 = text.parse().unwrap();
        match parse(&text) {
            Ok(read) => prop_assert_eq!(read.as_f64().unwrap().to_bits(), nearest.to_bits()),
            Err(_) => prop_assert!(nearest.is_infinite()),
        }
    }

    #[test]
    fn a_double_comes_out_as_it_went_in(double in any::<f64>()) {
        prop_assume!(double.is_finite());
        let read = parse(format!("{double:e}")).unwrap();
        prop_assert_eq!(read.as_f64().unwrap(), double);
        let again = parse_canonical(&canonical(&read)).unwrap();
        prop_assert_eq!(again.as_f64().unwrap(), double);
    }
}

#[test]
fn extreme_decimals_are_read_as_the_nearest_double() {
    let zeros = "0".repeat(200_000);
    let texts = [
        "0e999999999999",
        "-0.0",
        "1e-999999999999",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623157e308",
        "2.2250738585072011e-308",
        "9007199254740993.0",
        "123456789012345678901234567890e-10",
        "8.5e-320",
    ]
    .map(String::from);
    let long = [
        format!("0.{zeros}1e200001"),
        format!("1{zeros}e-200000"),
        format!("1.{zeros}1"),
        format!("9007199254740993.{zeros}1"),
    ];
    for text in texts.into_iter().chain(long) {
        let read = parse(&text).unwrap().as_f64().unwrap();
        let start = text.get(..40).unwrap_or(&text);
        assert_eq!(
            read.to_bits(),
            text.parse::<f64>().unwrap().to_bits(),
            "{start}"
        );
    }
    for text in ["1e309", "-1e999999999999", "1.7976931348623159e308"] {
        assert!(parse(text).is_err(), "{text}");
    }
}
