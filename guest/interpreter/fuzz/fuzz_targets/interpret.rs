//! A type, and any JSON text: it is refused in one line, or it becomes a value that comes out again as
//! JSON which becomes the same value, in memory and flat.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_interpreter::layout::{Kind, MANY};
use thoth_interpreter::{Builder, Memory, Node, Room, Table, Type, flat, lift, lower};

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (choice, json) = input.split_at(end);
    let json = json.get(1..).unwrap_or_default();
    // The governor's text is UTF-8 by the canonical ABI.
    if std::str::from_utf8(json).is_err() {
        return;
    }
    let mut builder = Builder::default();
    let Ok(ty) = chosen(&mut builder, &mut choice.iter().copied(), 0) else {
        return;
    };
    let Ok(parameters) = builder.record(Kind::Record, &[("v", ty)]) else {
        return;
    };
    let function = builder.function("f", parameters, None, "");
    let bytes = builder.finish();
    let table = Table::new(&bytes).unwrap();
    let node = table.function(function).unwrap().parameters;
    round(table, &node, json);
});

fn round(table: Table<'_>, node: &Node, json: &[u8]) {
    let mut room = Room::default();
    let at = room.allocate(node.size, node.align).unwrap();
    match lower::value(table, node, json, &mut room, at) {
        Ok(()) => {}
        Err(lower::Error::Misfit(misfit)) => {
            let line = misfit.to_string();
            assert!(
                !line.contains(char::is_control) && line.len() < 10_000,
                "{line}"
            );
            return;
        }
        Err(lower::Error::Fault) => panic!("the table and the memory are ours"),
    }
    let lifted = match lift::value(table, node, &room, at) {
        Ok(lifted) => lifted,
        // It may be written longer than it was: an absent option as `null`.
        Err(lift::Error::TooLarge) => return,
        Err(lift::Error::Fault) => panic!("what was lowered lifts"),
    };
    serde_json::from_slice::<serde_json::Value>(&lifted).expect("what is written is JSON");

    let mut again = Room::default();
    let place = again.allocate(node.size, node.align).unwrap();
    lower::value(table, node, &lifted, &mut again, place).expect("what was lifted lowers");
    assert_eq!(lift::value(table, node, &again, place).unwrap(), lifted);

    if node.flats < MANY {
        let mut slots = [u64::MAX; 16];
        flat::spread(table, node, &room, at, &mut slots).unwrap();
        let copy = room.allocate(node.size, node.align).unwrap();
        flat::gather(table, node, &slots, &mut room, copy).unwrap();
        assert_eq!(lift::value(table, node, &room, copy).unwrap(), lifted);
    }
}

/// The type that these letters choose; where they end, a string.
fn chosen(
    builder: &mut Builder,
    choice: &mut dyn Iterator<Item = u8>,
    depth: usize,
) -> Result<Type, String> {
    const SCALARS: [Kind; 12] = [
        Kind::Bool,
        Kind::U8,
        Kind::S8,
        Kind::U16,
        Kind::S16,
        Kind::U32,
        Kind::S32,
        Kind::U64,
        Kind::S64,
        Kind::F32,
        Kind::F64,
        Kind::Char,
    ];
    const NAMES: [&str; 20] = [
        "a", "b_c", "d2", "tag", "val", "none", "some", "ok", "err", "j", "k", "l", "m", "n", "o",
        "p", "q", "r", "s", "t",
    ];
    if depth > 8 {
        return builder.text();
    }
    let letter = choice.next().unwrap_or(b's');
    let mut below = |builder: &mut Builder| chosen(builder, choice, depth + 1);
    match letter {
        b'A'..=b'L' => builder.scalar(SCALARS[usize::from(letter - b'A')]),
        b'l' => {
            let item = below(builder)?;
            builder.list(item, None)
        }
        b'x' => {
            let item = below(builder)?;
            builder.list(item, Some(2))
        }
        b'o' => {
            let some = below(builder)?;
            builder.variant(Kind::Option, &[("none", None), ("some", Some(some))])
        }
        b'r' => {
            let (ok, err) = (below(builder)?, below(builder)?);
            builder.variant(Kind::Result, &[("ok", Some(ok)), ("err", Some(err))])
        }
        b'u' => builder.variant(Kind::Result, &[("ok", None), ("err", None)]),
        b't' => {
            let (first, second) = (below(builder)?, below(builder)?);
            builder.record(Kind::Tuple, &[("", first), ("", second)])
        }
        b'p' => {
            let (first, second, third) = (below(builder)?, below(builder)?, below(builder)?);
            let fields = [("a", first), ("b_c", second), ("d2", third)];
            builder.record(Kind::Record, &fields)
        }
        b'v' => {
            let (first, second) = (below(builder)?, below(builder)?);
            let cases = [("none", None), ("a", Some(first)), ("b_c", Some(second))];
            builder.variant(Kind::Variant, &cases)
        }
        b'e' => builder.variant(Kind::Enum, &NAMES.map(|name| (name, None))),
        b'f' => builder.flags(&NAMES[..5]),
        b'w' => builder.flags(&NAMES),
        _ => builder.text(),
    }
}
