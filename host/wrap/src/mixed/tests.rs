use wit_parser::{Resolve, SourceMap};

use super::*;
use crate::http::INCOMING;

const WASI: &str = "
    package wasi:io@0.2.3 {
        interface streams {
            resource input-stream { skip: func(len: u64) -> result<u64>; }
            resource output-stream { flush: func(); }
        }
    }
    package wasi:io@0.2.4 {
        interface streams { resource input-stream { skip: func(len: u64) -> result<u64>; } }
    }
    package wasi:http@0.2.3 {
        interface types {
            use wasi:io/streams@0.2.3.{input-stream};
            resource incoming-body { %stream: func() -> result<input-stream>; }
        }
    }
    package acme:odd {
        interface takes {
            use wasi:io/streams@0.2.3.{input-stream};
            send: func(source: borrow<input-stream>);
        }
        interface gives-bodies {
            use wasi:http/types@0.2.3.{incoming-body};
            receive: func() -> result<incoming-body, string>;
        }
        interface gives-many {
            use wasi:io/streams@0.2.3.{input-stream};
            receive: func() -> list<input-stream>;
        }
        interface spoofs {
            use wasi:io/streams@0.2.3.{input-stream, output-stream};
            output-stream-splice: func(self: borrow<output-stream>, src: borrow<input-stream>, len: u64) -> result<u64>;
        }
        interface takes-texts {
            use wasi:io/streams@0.2.3.{input-stream};
            open: func(name: string) -> input-stream;
        }
        interface gives {
            use wasi:io/streams@0.2.3.{input-stream, output-stream};
            resource door { open: func(at: u64) -> result<tuple<u8, input-stream, output-stream>, u64>; }
            later: func() -> option<input-stream>;
            now: func() -> input-stream;
        }
        interface others {
            use wasi:io/streams@0.2.3.{output-stream};
            send: func(name: string, to: output-stream) -> list<string>;
        }
    }";

/// What comes of a service with these imports.
fn mixed_of(imports: &str) -> Result<Mixed, Error> {
    let mut sources = SourceMap::new();
    let text = format!("package acme:service;\nworld service {{ {imports} }}\n{WASI}");
    sources.push_str("service.wit", &text);
    let mut resolve = Resolve::default();
    let group = sources.parse().map_err(|(_, error)| error).unwrap();
    let package = resolve.push_group(group).unwrap();
    let world = resolve.packages[package].worlds["service"];
    let service = Surface {
        resolve,
        world,
        functions: Vec::new(),
    };
    mixed(&service, INCOMING)
}

fn refusal(imports: &str) -> String {
    match mixed_of(imports) {
        Err(Error::Refused(why)) => why,
        Err(error) => panic!("{imports}: {error}"),
        Ok(_) => panic!("{imports}: it was taken"),
    }
}

#[test]
fn an_import_about_bodies_that_is_not_known_is_refused_by_name() {
    for (import, function) in [
        ("takes", "send"),
        ("gives-bodies", "receive"),
        ("gives-many", "receive"),
        ("spoofs", "output-stream-splice"),
        ("takes-texts", "open"),
    ] {
        let why = refusal(&format!("import acme:odd/{import};"));
        assert!(why.contains(&format!("`{function}`")), "{import}: {why}");
    }
    let why = refusal(
        "use wasi:io/streams@0.2.3.{input-stream}; import odd: func(of: borrow<input-stream>);",
    );
    assert!(why.contains("input-stream"), "{why}");
}

#[test]
fn two_versions_of_streams_are_refused() {
    let why = refusal("import wasi:io/streams@0.2.3; import wasi:io/streams@0.2.4;");
    assert!(why.contains("two versions"), "{why}");
}

#[test]
fn functions_that_give_a_stream_are_made_ours_wherever_it_is() {
    let mixed = mixed_of("import acme:odd/gives; import acme:odd/others;").unwrap();
    let sources = decode(&mixed.sources.unwrap()).unwrap();
    let exported: Vec<String> = offered_by(&sources, "sources");
    assert_eq!(exported, ["door-open", "later", "now"]);
    let (resolve, world) = decode(&mixed.interfaces).unwrap();
    let exports = resolve.worlds[world].exports.keys();
    let names: Vec<String> = exports.map(|key| resolve.name_world_key(key)).collect();
    // What has nothing of ours in it stays the host's as a whole.
    assert_eq!(names, ["wasi:io/streams@0.2.3", "acme:odd/gives"]);
}

fn offered_by((resolve, world): &(Resolve, wit_parser::WorldId), name: &str) -> Vec<String> {
    let exports = resolve.worlds[*world].exports.values();
    let interfaces = exports.filter_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    });
    let mut named = interfaces.filter(|interface| interface.name.as_deref() == Some(name));
    named.next().unwrap().functions.keys().cloned().collect()
}
