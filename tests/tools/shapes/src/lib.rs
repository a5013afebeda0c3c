//! Gives back values of every type that can be governed, flat and in memory.

use exports::test::shapes::shapes::{self, *};

wit_bindgen::generate!({ path: "wit", world: "shapes-world" });

struct Shapes;

/// One function for each type that is given back as it came.
macro_rules! echoes {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(fn $name(value: $type) -> $type { value })*
    };
}

type Fifteen = (
    u8,
    String,
    i64,
    f32,
    bool,
    char,
    u16,
    Option<u8>,
    u32,
    f64,
    i8,
    i16,
    i32,
    u64,
    Vec<u8>,
);

impl shapes::Guest for Shapes {
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
        echo_colour: Colour,
        echo_few: Few,
        echo_more: More,
        echo_most: Most,
        echo_string: String,
        echo_bytes: Vec<u8>,
        echo_lists: Vec<Vec<u32>>,
        echo_points: Vec<Point>,
        echo_point: Point,
        echo_tuple: (i8, f32, String, bool),
        echo_options: Option<Option<Option<u8>>>,
        echo_joined: Joined,
        echo_many_joined: Vec<Joined>,
        echo_results: (Result<u64, String>, Result<(), Joined>, Result<f32, ()>, Result<(), ()>),
        echo_everything: Everything,
        echo_all: Vec<Everything>,
        echo_result: Result<Point, String>,
        fail_with_variant: Result<String, Trouble>,
        fail_with_record: Result<(), Fault>,
        fail_with_enum: Result<u8, Colour>,
        fail_bare: Result<(), ()>,
        fail_plain: Result<f64, ()>,
    }

    #[expect(clippy::too_many_arguments, reason = "that is what it is for")]
    fn echo_fifteen(
        a: u8,
        b: String,
        c: i64,
        d: f32,
        e: bool,
        f: char,
        g: u16,
        h: Option<u8>,
        i: u32,
        j: f64,
        k: i8,
        l: i16,
        m: i32,
        n: u64,
        o: Vec<u8>,
    ) -> Fifteen {
        (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
    }

    #[expect(clippy::too_many_arguments, reason = "that is what it is for")]
    fn echo_sixteen(
        a: String,
        b: String,
        c: String,
        d: String,
        e: String,
        f: String,
        g: String,
        h: String,
    ) -> String {
        [a, b, c, d, e, f, g, h].join("|")
    }

    fn nothing() {}
}

impl Guest for Shapes {
    fn middle(a: Point, b: Point) -> Point {
        Point {
            x: a.x.midpoint(b.x),
            y: a.y.midpoint(b.y),
        }
    }

    fn surroundings() -> (Vec<(String, String)>, Vec<String>, Option<String>) {
        (
            std::env::vars().collect(),
            std::env::args().collect(),
            std::env::current_dir()
                .ok()
                .map(|path| path.display().to_string()),
        )
    }
}

export!(Shapes);
