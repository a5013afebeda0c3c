//! Gives back every kind of value that can cross a component's boundary.

use std::cell::Cell;

use exports::test::values::{counters, left, right};

wit_bindgen::generate!({ path: "wit", world: "values" });
include!(concat!(env!("OUT_DIR"), "/package_docs.rs"));

struct Values;

/// One function for each type that is given back as it came.
macro_rules! echoes {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(fn $name(value: $type) -> $type { value })*
    };
}

impl Guest for Values {
    echoes! {
        echo_bool: bool,
        echo_u8: u8,
        echo_s8: i8,
        echo_u16: u16,
        echo_s16: i16,
        echo_u32: u32,
        echo_s32: i32,
        echo_u64: u64,
        echo_s64: i64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,
        echo_bytes: Vec<u8>,
        echo_list: Vec<i32>,
        echo_tuple: (u8, String, bool),
        echo_option: Option<u32>,
        echo_person: Person,
        echo_people: Vec<Person>,
        echo_shape: Shape,
        echo_colour: Colour,
        echo_rights: Rights,
    }

    // In a tuple, because a function's own `result` is the tool's success or failure.
    fn echo_result(value: Result<u32, String>) -> (Result<u32, String>,) {
        (value,)
    }

    fn echo_unit_result(value: Result<(), ()>) -> (Result<(), ()>,) {
        (value,)
    }

    fn echo_many(
        first: String,
        second: Option<i64>,
        last: Vec<Colour>,
    ) -> (String, Option<i64>, Vec<Colour>) {
        (first, second, last)
    }

    fn no_result(_value: String) {}

    fn fail_with_person(fail: bool) -> Result<String, Person> {
        if fail {
            Err(Person {
                full_name: "Nobody".to_owned(),
                age: 0,
                nick_name: None,
            })
        } else {
            Ok("fine".to_owned())
        }
    }

    fn fail_bare(fail: bool) -> Result<String, ()> {
        if fail { Err(()) } else { Ok("fine".to_owned()) }
    }

    fn check(fail: bool) -> Result<(), String> {
        if fail {
            Err("checked and found wanting".to_owned())
        } else {
            Ok(())
        }
    }

    fn extremes() -> (u64, i64, i64, u64) {
        (u64::MAX, i64::MIN, i64::MAX, (1 << 53) - 1)
    }

    fn odd_floats() -> Vec<f64> {
        vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1.5]
    }
}

struct Counter(Cell<u32>);

impl counters::GuestCounter for Counter {
    fn new() -> Self {
        Self(Cell::new(0))
    }

    fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

impl counters::Guest for Values {
    type Counter = Counter;

    fn open_counter() -> counters::Counter {
        counters::Counter::new(Counter(Cell::new(0)))
    }

    fn neighbour() -> String {
        "still here".to_owned()
    }
}

impl left::Guest for Values {
    fn side() -> String {
        "left".to_owned()
    }
}

impl right::Guest for Values {
    fn side() -> String {
        "right".to_owned()
    }
}

export!(Values);
