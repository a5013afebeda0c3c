//! The reader of JSON against another one: a list of text is read as `serde_json` reads it, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_interpreter::layout::Kind;
use thoth_interpreter::{Builder, MAX_BYTES, Memory, Room, Table, lift, lower};

fuzz_target!(|json: &str| {
    // Items, and nothing that ends the list and begins another member.
    let is_list = serde_json::from_str::<serde_json::Value>(&format!("[{json}]")).is_ok();
    if !is_list && json.contains(']') {
        return;
    }
    for kind in [Kind::Text, Kind::F64, Kind::S32] {
        let mut builder = Builder::default();
        let item = match kind {
            Kind::Text => builder.text(),
            kind => builder.scalar(kind),
        };
        let list = builder.list(item.unwrap(), None).unwrap();
        let parameters = builder.record(Kind::Record, &[("v", list)]).unwrap();
        let function = builder.function("f", parameters, None, "");
        let bytes = builder.finish();
        let table = Table::new(&bytes).unwrap();
        let node = table.function(function).unwrap().parameters;

        let json = format!("{{\"v\":[{json}]}}");
        let mut room = Room::default();
        let at = room.allocate(node.size, node.align).unwrap();
        let read = lower::value(table, &node, json.as_bytes(), &mut room, at);
        let expected = expected(kind, &json);
        match (read, expected) {
            (Ok(()), Some(expected)) => {
                if let Ok(lifted) = lift::value(table, &node, &room, at) {
                    let lifted: serde_json::Value = serde_json::from_slice(&lifted).unwrap();
                    let items = lifted["v"].as_array().unwrap();
                    assert_eq!(items.len(), expected.len(), "{json}");
                    for (item, expected) in items.iter().zip(&expected) {
                        let same = match kind {
                            Kind::Text => item == expected,
                            _ => item.as_f64() == expected.as_f64(),
                        };
                        assert!(same, "{json}: {item} is not {expected}");
                    }
                }
            }
            (Err(lower::Error::Misfit(_)), None) => {}
            (read, expected) => panic!("{kind:?} {json}: {read:?}, but {expected:?}"),
        }
    }
});

/// The items, if all of them are of that kind.
fn expected(kind: Kind, json: &str) -> Option<Vec<serde_json::Value>> {
    let parsed: serde_json::Value = serde_json::from_str(json).ok()?;
    let object = parsed.as_object()?;
    // Two keys of a name are one in `serde_json`, and refused here.
    if json.len() > MAX_BYTES || object.len() != 1 {
        return None;
    }
    let items = object.get("v")?.as_array()?;
    let fits = |item: &serde_json::Value| match kind {
        Kind::Text => item.is_string(),
        Kind::F64 => {
            item.is_number() || matches!(item.as_str(), Some("NaN" | "Infinity" | "-Infinity"))
        }
        _ => item.as_f64().is_some_and(|value| {
            value.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value)
        }),
    };
    items.iter().all(fits).then(|| items.clone())
}
