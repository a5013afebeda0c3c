//! The wrapped component as a file: what it asks for, what it says about itself, how it lasts.

use thoth_wrap::{Integrity, Options, Wrapped, seal, verify, wrap};
use wasmtime::component::Val;

use crate::plain_host::{Plain, bytes, text};

fn wrapped(tool: &[u8], keep: &[&str]) -> Wrapped {
    let options = Options {
        keep_env: keep.iter().map(|name| (*name).to_owned()).collect(),
        ..Options::default()
    };
    wrap(tool, &bytes("test-gate"), &options).unwrap()
}

/// What a component sees of this environment.
fn seen(component: &[u8], environment: &[(&str, &str)]) -> Val {
    let mut plain = Plain::new(component, environment);
    plain.call("surroundings", &[]).unwrap().remove(0)
}

fn surroundings(variables: &[(&str, &str)]) -> Val {
    let variables = variables
        .iter()
        .map(|(name, value)| Val::Tuple(vec![text(name), text(value)]));
    let cwd = Val::Option(Some(Box::new(text("/"))));
    Val::Tuple(vec![
        Val::List(variables.collect()),
        Val::List(Vec::new()),
        cwd,
    ])
}

#[test]
fn the_component_sees_nothing_of_the_environment() {
    let environment = [
        ("GATE", "allow"),
        ("THOTH_API_KEY", "secret"),
        ("LANG", "C"),
    ];
    assert_eq!(
        seen(&bytes("shapes"), &environment),
        surroundings(&environment)
    );
    let governed = wrapped(&bytes("shapes"), &[]).bytes;
    assert_eq!(seen(&governed, &environment), surroundings(&[]));
}

#[test]
fn the_component_sees_the_names_that_are_kept() {
    let environment = [
        ("LAN", "no"),
        ("GATE", "allow"),
        ("LANG", "C"),
        ("THOTH_API_KEY", "secret"),
        ("LANGUAGE", "no"),
        ("TZ", ""),
    ];
    let governed = wrapped(&bytes("shapes"), &["TZ", "LANG", "ABSENT"]).bytes;
    let kept = surroundings(&[("LANG", "C"), ("TZ", "")]);
    let mut plain = Plain::new(&governed, &environment);
    for _ in 0..2_000 {
        assert_eq!(
            plain.call("surroundings", &[]).unwrap(),
            std::slice::from_ref(&kept)
        );
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for keep in [&[][..], &["LANG"]] {
        let first = wrapped(&bytes("shapes"), keep).bytes;
        assert!(first == wrapped(&bytes("shapes"), keep).bytes);
    }
}

#[test]
fn it_asks_a_host_for_what_its_parts_ask_for_and_nothing_of_ours() {
    let wrapped = wrapped(&bytes("shapes"), &[]);
    assert!(!wrapped.imports.is_empty());
    for import in &wrapped.imports {
        assert!(
            import.starts_with("wasi:") || import == "test:shapes/types@0.1.0",
            "{import}"
        );
    }
}

#[test]
fn a_hundred_thousand_calls_need_no_more_memory_than_one() {
    // Every memory is capped at 4 MiB.
    let governed = wrapped(&bytes("shapes"), &[]).bytes;
    let mut plain = Plain::new(&governed, &[("GATE", "echo"), ("GATE_QUIET", "1")]);
    let name = "test:shapes/shapes@0.1.0#echo-string";
    let long = text(&"long \"enough\" ".repeat(100));
    for _ in 0..100_000 {
        assert_eq!(
            plain.call(name, std::slice::from_ref(&long)).unwrap(),
            std::slice::from_ref(&long)
        );
    }
}

#[test]
fn a_wrapped_component_can_be_wrapped_again() {
    let once = wrapped(&bytes("docs-search"), &[]);
    let twice = wrapped(&once.bytes, &["GATE"]);
    let mut plain = Plain::new(&twice.bytes, &[("GATE", "allow")]);
    let result = plain.call("read-doc", &[text("hr/leave.md")]).unwrap();
    assert!(matches!(result[..], [Val::Result(Ok(_))]));
    let notes = plain.notes();
    let asked = notes
        .lines()
        .filter(|line| line.starts_with("check read_doc "));
    let told = notes.lines().filter(|line| line.starts_with("done 0 "));
    assert_eq!((asked.count(), told.count()), (2, 2), "{notes}");

    // Its governor, inside, has no configuration of its own then.
    let twice = wrapped(&once.bytes, &[]);
    let mut plain = Plain::new(&twice.bytes, &[("GATE", "allow")]);
    let result = plain.call("read-doc", &[text("hr/leave.md")]).unwrap();
    assert!(matches!(result[..], [Val::Result(Err(_))]));
}

#[test]
fn a_seal_names_the_parts_and_a_changed_byte_shows() {
    let wrapped = wrapped(&bytes("shapes"), &["LANG"]);
    let seal = seal(&wrapped.bytes).unwrap().unwrap();
    assert_eq!(seal, wrapped.seal);
    assert_eq!(seal.component, thoth_wrap::Digest::of(&bytes("shapes")));
    assert_eq!(seal.governor, thoth_wrap::Digest::of(&bytes("test-gate")));
    assert_eq!(verify(&wrapped.bytes, &seal), Integrity::Intact);

    for at in [9, wrapped.bytes.len() / 3, wrapped.bytes.len() / 2] {
        let mut changed = wrapped.bytes.clone();
        changed[at] ^= 1;
        assert_ne!(verify(&changed, &seal), Integrity::Intact, "{at}");
    }
}

#[test]
fn a_component_that_reaches_around_its_governor_is_not_intact() {
    let honest = wrapped(&bytes("docs-search"), &[]);
    // The same seal behind the bare tool, and in the middle of another.
    for content in [bytes("docs-search"), wrapped(&bytes("shapes"), &[]).bytes] {
        let mut forged = content;
        let section = honest.bytes.len() - 1;
        let start = (0..section)
            .rev()
            .find(|at| honest.bytes[*at..].starts_with(b"\x0athoth:wrap"))
            .unwrap();
        forged.push(0);
        let body = &honest.bytes[start..];
        let mut size = body.len();
        while size >= 0x80 {
            forged.push((size & 0x7f) as u8 | 0x80);
            size >>= 7;
        }
        forged.push(size as u8);
        forged.extend(body);
        let seal = seal(&forged).unwrap().unwrap();
        assert!(matches!(verify(&forged, &seal), Integrity::Altered(_)));
    }
    assert!(seal(&bytes("docs-search")).is_none());
}
