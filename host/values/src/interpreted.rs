//! This crate against the interpreter inside of wrapped components: both make the same JSON of a value,
//! and both take the same JSON for one, so that a policy means the same in each host.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use thoth_interpreter::layout::Kind;
use thoth_interpreter::{Builder, Memory as _, Room, Table, Type, lift, lower};
use wasmtime::component::Val;

use crate::integer::Integer;
use crate::properties::{changed, changes, lifted, lowered, strangers, typed};
use crate::shape::Shape;

/// The shape in the interpreter's table.
fn written(table: &mut Builder, shape: &Shape) -> Type {
    let result = match shape {
        Shape::Bool => table.scalar(Kind::Bool),
        Shape::Integer(integer) => table.scalar(match integer {
            Integer::U8 => Kind::U8,
            Integer::U16 => Kind::U16,
            Integer::U32 => Kind::U32,
            Integer::U64 => Kind::U64,
            Integer::S8 => Kind::S8,
            Integer::S16 => Kind::S16,
            Integer::S32 => Kind::S32,
            Integer::S64 => Kind::S64,
        }),
        Shape::Float32 => table.scalar(Kind::F32),
        Shape::Float64 => table.scalar(Kind::F64),
        Shape::Char => table.scalar(Kind::Char),
        Shape::Text => table.text(),
        Shape::Bytes(len) => {
            let byte = table.scalar(Kind::U8).unwrap();
            table.list(byte, *len)
        }
        Shape::List(item, len) => {
            let item = written(table, item);
            table.list(item, *len)
        }
        Shape::Record(members) => {
            let fields: Vec<_> = members
                .iter()
                .map(|member| (&*member.name.json, written(table, &member.shape)))
                .collect();
            table.record(Kind::Record, &fields)
        }
        Shape::Tuple(shapes) => {
            let fields: Vec<_> = shapes
                .iter()
                .map(|shape| ("", written(table, shape)))
                .collect();
            table.record(Kind::Tuple, &fields)
        }
        Shape::Variant(cases) => {
            let cases: Vec<_> = cases
                .iter()
                .map(|case| {
                    let payload = case.payload.as_ref();
                    (&*case.name.json, payload.map(|shape| written(table, shape)))
                })
                .collect();
            table.variant(Kind::Variant, &cases)
        }
        Shape::Enum(names) => {
            let cases: Vec<_> = names.iter().map(|name| (&*name.json, None)).collect();
            table.variant(Kind::Enum, &cases)
        }
        Shape::Flags(names) => {
            let names: Vec<_> = names.iter().map(|name| &*name.json).collect();
            table.flags(&names)
        }
        Shape::Option(some) => {
            let some = written(table, some);
            table.variant(Kind::Option, &[("none", None), ("some", Some(some))])
        }
        Shape::Result(payloads) => {
            let ok = payloads.ok.as_ref().map(|shape| written(table, shape));
            let err = payloads.err.as_ref().map(|shape| written(table, shape));
            table.variant(Kind::Result, &[("ok", ok), ("err", err)])
        }
    };
    result.unwrap()
}

/// What the interpreter makes of JSON text: JSON again, by way of the value in memory, or the refusal.
fn interpreted(shape: &Shape, json: &str) -> Result<Value, String> {
    let mut table = Builder::default();
    let ty = written(&mut table, shape);
    let parameters = table.record(Kind::Record, &[("item_n0", ty)]).unwrap();
    let function = table.function("f", parameters, None, "");
    let bytes = table.finish();
    let table = Table::new(&bytes).unwrap();
    let node = table.function(function).unwrap().parameters;
    let mut room = Room::default();
    let at = room.allocate(node.size, node.align).unwrap();
    let arguments = format!("{{\"item_n0\":{json}}}");
    match lower::value(table, &node, arguments.as_bytes(), &mut room, at) {
        Ok(()) => {
            let lifted = lift::value(table, &node, &room, at).unwrap();
            let lifted: Value = serde_json::from_slice(&lifted).unwrap();
            Ok(lifted["item_n0"].clone())
        }
        Err(lower::Error::Misfit(misfit)) => Err(misfit.to_string()),
        Err(lower::Error::Fault) => panic!("the table and the memory are ours"),
    }
}

/// What this crate makes of the same text.
fn ours(shape: &Shape, json: &str) -> Result<Value, String> {
    let json: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let val: Val = lowered(shape, &json).map_err(|misfit| misfit.to_string())?;
    Ok(lifted(shape, &val, usize::MAX).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_the_same_json_inside_of_a_wrapped_component((shape, val) in typed()) {
        let json = lifted(&shape, &val, usize::MAX).unwrap();
        prop_assert_eq!(interpreted(&shape, &json.to_string()), Ok(json));
    }

    #[test]
    fn the_same_json_is_taken_inside_of_a_wrapped_component(
        (shape, val) in typed(), place in any::<Index>(), change in changes(), stranger in strangers(),
    ) {
        let json = lifted(&shape, &val, usize::MAX).unwrap();
        let text = changed(json, place, change, stranger).to_string();
        let (theirs, ours) = (interpreted(&shape, &text), ours(&shape, &text));
        prop_assert_eq!(theirs.is_ok(), ours.is_ok(), "{}: {:?}, {:?}", text, theirs, ours);
        if theirs.is_ok() {
            prop_assert_eq!(theirs, ours);
        }
    }
}

#[test]
fn numbers_and_texts_of_every_spelling_are_the_same_in_both() {
    use Integer::{S8, S16, S32, S64, U8, U16, U32, U64};
    let integers = [U8, U16, U32, U64, S8, S16, S32, S64].map(Shape::Integer);
    let others = [
        Shape::Bool,
        Shape::Float32,
        Shape::Float64,
        Shape::Char,
        Shape::Text,
        Shape::Bytes(None),
        Shape::Bytes(Some(3)),
    ];
    let numbers = [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1e2",
        "1E+2",
        "10e-1",
        "1.5",
        "127",
        "128",
        "-128",
        "-129",
        "255",
        "256",
        "65535.0",
        "65536",
        "4294967295",
        "4294967296",
        "-2147483649",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551615",
        "1e19",
        "1e300",
        "1e400",
        "-1e400",
        "5e-324",
        "1e-400",
        "3.4028235e38",
        "3.4028236e38",
        "-3.5e38",
        "16777217",
        "0.1",
        "01",
        "+1",
        "1.",
        ".5",
        "-",
        "1e",
        "0x1",
        "NaN",
    ];
    let texts = [
        "\"\"",
        "\"0\"",
        "\"-0\"",
        "\"01\"",
        "\"1.0\"",
        "\"18446744073709551615\"",
        "\"18446744073709551616\"",
        "\"-9223372036854775808\"",
        "\"-9223372036854775809\"",
        "\"9007199254740993\"",
        "\"\\u0031\"",
        "\"NaN\"",
        "\"nan\"",
        "\"Infinity\"",
        "\"-Infinity\"",
        "\"\\u0049nfinity\"",
        "\"a\"",
        "\"ab\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"e\u{301}\"",
        "\"AAAA\"",
        "\"AAA=\"",
        "\"AAE=\"",
        "\"AAF=\"",
        "\"AA==\"",
        "\"AB==\"",
        "\"AAA\"",
        "\"A===\"",
        "\"====\"",
        "\"AA-_\"",
        "\"AA\\/+\"",
        "\"AAAA\\n\"",
        "\"=AAA\"",
        "\"AAAAAA==\"",
        "true",
        "false",
        "null",
        "nul",
        "[]",
        "{}",
        "\"\t\"",
        "\"\\x\"",
        "\"",
    ];
    for shape in integers.iter().chain(&others) {
        for text in numbers.iter().chain(&texts) {
            let (theirs, ours) = (interpreted(shape, text), ours(shape, text));
            assert_eq!(
                theirs.is_ok(),
                ours.is_ok(),
                "{shape:?} {text}: {theirs:?}, {ours:?}"
            );
            if theirs.is_ok() {
                assert_eq!(theirs, ours, "{shape:?} {text}");
            }
        }
    }
}
