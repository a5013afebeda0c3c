//! A governed component gives what the bare one gives, for any values: where the call is allowed, and
//! where the governor answers with the very arguments that it was asked about. The governor is told the
//! same JSON as in the Thoth host.

use fastrand::Rng;
use serde_json::Value;
use thoth_values::{Function, Lifted};
use thoth_wrap::{Options, wrap};
use wasmtime::component::{Type, Val};

use crate::from_wit;
use crate::plain_host::{Plain, bytes};

/// Calls of each function.
const ROUNDS: usize = 60;

#[test]
fn allowed_calls_give_the_same() {
    same(&bytes("shapes"), "allow");
}

#[test]
fn calls_with_the_same_arguments_again_give_the_same() {
    same(&bytes("shapes"), "echo");
}

#[test]
fn calls_of_generated_types_give_the_same() {
    let mut rng = Rng::with_seed(0x7408);
    for rule in ["allow", "echo"].repeat(8) {
        same(&from_wit::component(&generated(&mut rng)), rule);
    }
}

#[test]
fn calls_of_every_kind_of_export_give_the_same() {
    same(&from_wit::component(&every_kind()), "echo");
}

/// Exports by every kind of name, with types from everywhere; one interface is imported as well.
pub(crate) fn every_kind() -> String {
    format!(
        "package a:b; \
         world w {{ \
            import a:c/same@0.1.0; export a:c/same@0.1.0; \
            use a:c/same@0.1.0.{{t}}; \
            export memory: func(v: tuple<string, u8>, {0}) -> tuple<string, u8>; \
            export inline: interface {{ \
                record r {{ a: u8, b: string }} cabi-realloc: func(v: r, {0}) -> r; }} \
            export e: func(v: t, {0}) -> t; \
         }} \
         package a:c@0.1.0 {{ \
            interface types {{ record u {{ name: string }} }} \
            interface same {{ \
                use types.{{u}}; record t {{ u: u, n: u64 }} go: func(t: t, {0}) -> t; }} \
         }}",
        from_wit::PADDING
    )
}

/// A WIT of six functions of types that nobody chose.
fn generated(rng: &mut Rng) -> String {
    let mut definitions = String::new();
    let mut functions = String::new();
    for at in 0..6 {
        let ty = generated_type(rng, &mut definitions, 0);
        functions.push_str(&format!(
            "e{at}: func(v: tuple<{ty}, string>, {}) -> tuple<{ty}, string>;\n",
            from_wit::PADDING
        ));
    }
    format!("package a:b; interface i {{ {definitions} {functions} }} world w {{ export i; }}")
}

fn generated_type(rng: &mut Rng, definitions: &mut String, depth: usize) -> String {
    const SIMPLE: [&str; 13] = [
        "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char",
        "string",
    ];
    if depth > 4 {
        return (*rng.choice(&SIMPLE).unwrap()).to_owned();
    }
    let mut below = |rng: &mut Rng| generated_type(rng, definitions, depth + 1);
    let (kind, body) = match rng.u8(0..12) {
        0 => return format!("list<{}>", below(rng)),
        1 => return format!("option<{}>", below(rng)),
        2 => return format!("result<{}, {}>", below(rng), below(rng)),
        3 => return format!("result<_, {}>", below(rng)),
        4 => return format!("tuple<{}, {}, {}>", below(rng), below(rng), below(rng)),
        5 | 6 => {
            let fields = (0..rng.usize(1..6)).map(|at| format!("field-{at}: {}", below(rng)));
            ("record", fields.collect::<Vec<_>>())
        }
        7 | 8 => {
            let cases = (0..rng.usize(1..7)).map(|at| match rng.bool() {
                true => format!("case-{at}({})", below(rng)),
                false => format!("case-{at}"),
            });
            ("variant", cases.collect())
        }
        9 => {
            let cases = *rng.choice(&[1, 3, 256, 257, 300]).unwrap();
            ("enum", (0..cases).map(|at| format!("case-{at}")).collect())
        }
        10 => {
            let flags = rng.usize(1..33);
            ("flags", (0..flags).map(|at| format!("flag-{at}")).collect())
        }
        _ => return (*rng.choice(&SIMPLE).unwrap()).to_owned(),
    };
    let name = format!("t{}", definitions.matches('{').count());
    definitions.push_str(&format!("{kind} {name} {{ {} }}\n", body.join(", ")));
    name
}

fn same(tool: &[u8], rule: &str) {
    let wrapped = wrap(tool, &bytes("test-gate"), &Options::default()).unwrap();
    let mut bare = Plain::new(tool, &[]);
    let mut governed = Plain::new(&wrapped.bytes, &[("GATE", rule)]);
    let mut rng = Rng::with_seed(0x7407);
    let listing = bare.listing();
    let mut calls = Vec::new();
    for (export, parameters) in bare.functions() {
        if export == "surroundings" {
            continue;
        }
        for _ in 0..ROUNDS {
            let arguments: Vec<Val> = parameters.iter().map(|ty| value(&mut rng, ty, 0)).collect();
            let expected = bare.call(&export, &arguments).unwrap();
            let got = governed
                .call(&export, &arguments)
                .unwrap_or_else(|error| panic!("{export} {arguments:?}: {error:?}"));
            assert_eq!(got, expected, "{export} of {arguments:?}");
            calls.push((export.clone(), arguments, got));
        }
    }
    assert!(calls.len() >= 4 * ROUNDS);
    let notes = governed.notes();
    let lines: Vec<&str> = notes.lines().collect();
    assert_eq!(lines.len(), 2 * calls.len());
    for ((export, arguments, results), lines) in calls.iter().zip(lines.chunks(2)) {
        let mut functions = listing.functions.iter();
        let function = functions.find(|function| function.export.to_string() == *export);
        told(function.unwrap(), arguments, results, lines);
    }
}

/// The governor was told of a call what the Thoth host would have told.
fn told(function: &Function, arguments: &[Val], results: &[Val], lines: &[&str]) {
    let [asked, ended] = lines else {
        panic!("{lines:?}")
    };
    let asked = asked.strip_prefix(&format!("check {} ", function.name));
    let asked: Value = serde_json::from_str(asked.unwrap()).unwrap();
    assert_eq!(function.lower(&asked).unwrap(), arguments, "{asked}");
    let (how, told) = match function.lift(results, usize::MAX).unwrap() {
        Lifted::Completed(json) => ("done", json),
        Lifted::ToolError(json) => ("failed", json),
    };
    // Its ticket comes between.
    let [ended_how, _, ended] = ended.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        panic!("{ended}")
    };
    let ended: Value = serde_json::from_str(ended).unwrap();
    assert_eq!((ended_how, ended), (how, told));
}

/// A value of that type, with the odd ones often among them. No NaN: it is not equal to itself.
pub(crate) fn value(rng: &mut Rng, ty: &Type, depth: usize) -> Val {
    let len = |rng: &mut Rng| rng.usize(0..=if depth > 2 { 1 } else { 5 });
    let below = depth + 1;
    match ty {
        Type::Bool => Val::Bool(rng.bool()),
        Type::U8 => Val::U8(rng.u8(..)),
        Type::S8 => Val::S8(rng.i8(..)),
        Type::U16 => Val::U16(rng.u16(..)),
        Type::S16 => Val::S16(rng.i16(..)),
        Type::U32 => Val::U32(rng.u32(..)),
        Type::S32 => Val::S32(rng.i32(..)),
        Type::U64 => Val::U64(
            *rng.choice(&[0, u64::MAX, 1 << 53, (1 << 53) - 1, 7])
                .unwrap()
                ^ rng.u64(0..2),
        ),
        Type::S64 => Val::S64(
            *rng.choice(&[0, i64::MIN, i64::MAX, -(1 << 53), 12])
                .unwrap()
                ^ i64::from(rng.bool()),
        ),
        Type::Float32 => Val::Float32(loop {
            let float = f32::from_bits(rng.u32(..));
            if !float.is_nan() {
                break *rng
                    .choice(&[float, float, 0.1, -0.0, f32::MAX, f32::NEG_INFINITY])
                    .unwrap();
            }
        }),
        Type::Float64 => Val::Float64(loop {
            let float = f64::from_bits(rng.u64(..));
            if !float.is_nan() {
                break *rng
                    .choice(&[float, float, 1e21, -0.0, f64::MAX, f64::INFINITY])
                    .unwrap();
            }
        }),
        Type::Char => Val::Char(character(rng)),
        Type::String => {
            let len = rng.usize(0..20);
            Val::String((0..len).map(|_| character(rng)).collect())
        }
        Type::List(list) => {
            let len = len(rng);
            Val::List((0..len).map(|_| value(rng, &list.ty(), below)).collect())
        }
        Type::Record(record) => Val::Record(
            record
                .fields()
                .map(|field| (field.name.to_owned(), value(rng, &field.ty, below)))
                .collect(),
        ),
        Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| value(rng, &ty, below)).collect()),
        Type::Variant(variant) => {
            let cases: Vec<_> = variant.cases().collect();
            let case = rng.choice(&cases).unwrap();
            let payload = case.ty.as_ref().map(|ty| Box::new(value(rng, ty, below)));
            Val::Variant(case.name.to_owned(), payload)
        }
        Type::Enum(cases) => {
            let names: Vec<_> = cases.names().collect();
            Val::Enum((*rng.choice(&names).unwrap()).to_owned())
        }
        Type::Flags(flags) => Val::Flags(
            flags
                .names()
                .filter(|_| rng.bool())
                .map(str::to_owned)
                .collect(),
        ),
        Type::Option(option) => Val::Option(
            rng.bool()
                .then(|| Box::new(value(rng, &option.ty(), below))),
        ),
        Type::Result(result) => {
            let side =
                |rng: &mut Rng, ty: Option<Type>| ty.map(|ty| Box::new(value(rng, &ty, below)));
            Val::Result(if rng.bool() {
                Ok(side(rng, result.ok()))
            } else {
                Err(side(rng, result.err()))
            })
        }
        other => panic!("{other:?}"),
    }
}

fn character(rng: &mut Rng) -> char {
    match rng.u8(0..6) {
        0 => *rng
            .choice(&['"', '\\', '\n', '\0', '\u{7f}', '\u{2028}', '/'])
            .unwrap(),
        1 => rng.char(..),
        2 => '\u{10ffff}',
        _ => rng.alphanumeric(),
    }
}
