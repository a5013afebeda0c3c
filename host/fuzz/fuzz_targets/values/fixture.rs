//! A component with one function for every kind of type: each returns its first parameter.

use crate::support::PADDING;

/// The names of the flags, which JSON may give in any order.
pub const FLAGS: [&str; 3] = ["may_read", "may_write", "may_grant"];

/// What the functions return: `echo-0`, `echo-1` and so on.
pub const ECHOED: [&str; 28] = [
    "bool",
    "u8",
    "s8",
    "u16",
    "s16",
    "u32",
    "s32",
    "u64",
    "s64",
    "f32",
    "f64",
    "char",
    "string",
    "list<u8>",
    "list<u8, 3>",
    "list<u16>",
    "list<string, 2>",
    "list<list<option<u64>>>",
    "person",
    "shape",
    "colour",
    "rights",
    "tuple<s64, string, bool>",
    "option<char>",
    "option<option<option<u8>>>",
    "tuple<result<person, colour>, result<_, s8>, result<u64>, result>",
    "list<everything>",
    "list<option<tuple<f32, list<f32>>>>",
];

const TYPES: &str = "
    record person { full-name: string, age: u8, nick-name: option<string>, x2: option<option<s8>> }
    variant shape { point, circle(f64), corners(tuple<f64, f64>), drawn-by(person), maybe(option<u8>) }
    enum colour { red, dark-blue, %all }
    flags rights { may-read, may-write, may-grant }
    record everything {
        a: option<rights>, b: option<shape>, c: option<list<u8>>, d: option<result<colour, person>>,
        e: option<list<person, 2>>, f: option<tuple<char, u64>>, g: option<list<shape>>,
    }
";

/// Its WIT.
pub fn wit() -> String {
    let functions: String = ECHOED
        .iter()
        .enumerate()
        .map(|(at, ty)| format!("echo-{at}: func(v: {ty}, {PADDING}) -> {ty};\n"))
        .collect();
    format!("package test:fuzz; interface t {{ {TYPES} {functions} }} world w {{ export t; }}")
}
