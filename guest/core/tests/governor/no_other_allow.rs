//! No bytes are an allow unless they are a well-formed allow, said by an independent, slow reading of
//! the rules.

use std::collections::HashSet;

use proptest::prelude::*;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use thoth_core::{Outcome, Response};

use crate::support::*;

const ALLOWS: [&str; 4] = [
    r#"{"decision":"ALLOW"}"#,
    r#"{"decision":"allow","authorization_decision":"ALLOW","risk_score":1.5,"rule_version":3}"#,
    r#"{"authorization_decision":" ALLOW ","reason":"fine","enforcement_trace_id":"tr-9","x":[{"a":1},null]}"#,
    r#"{"decision":"ALLOW","tool_name":"look","matched_rule_ids":["r"],"receipt":{"signature":"s"},"modified_tool_args":{}}"#,
];

/// Whether a body allows, read in another way: names and values are collected flat by serde, and
/// the rules are checked on that.
fn allows(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let mut names: Vec<Vec<String>> = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let walked = reader
        .deserialize_any(Walk { names: &mut names })
        .and_then(|()| reader.end());
    if walked.is_err()
        || !text
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .starts_with('{')
    {
        return false;
    }
    for object in &names {
        let unique: HashSet<_> = object.iter().collect();
        if unique.len() != object.len() || object.iter().any(|name| name.contains('\0')) {
            return false;
        }
    }
    let top: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let fold = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let folded: HashSet<_> = top.keys().map(|name| fold(name)).collect();
    let known = [
        "decision",
        "authorization_decision",
        "modified_tool_args",
        "hold_token",
        "token",
        "resolved",
        "resolution",
        "enforcement_trace_id",
        "action_attestation_id",
        "request_id",
        "session_id",
        "tool_name",
        "agent_id",
        "tenant_id",
    ];
    if folded.len() != top.len()
        || top
            .keys()
            .any(|name| known.iter().any(|k| fold(k) == fold(name) && k != name))
    {
        return false;
    }
    let mut said = false;
    for name in ["decision", "authorization_decision"] {
        match top.get(name) {
            None | Some(serde_json::Value::Null) => {}
            Some(serde_json::Value::String(word))
                if word
                    .trim_matches([' ', '\t', '\n', '\r', '\u{c}'])
                    .eq_ignore_ascii_case("allow") =>
            {
                said = true;
            }
            Some(_) => return false,
        }
    }
    said
}

struct Walk<'a> {
    names: &'a mut Vec<Vec<String>>,
}

impl<'de> serde::de::DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items
            .next_element_seed(Walk { names: self.names })?
            .is_some()
        {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut own = Vec::new();
        while let Some(name) = members.next_key()? {
            own.push(name);
            members.next_value_seed(Walk { names: self.names })?;
        }
        self.names.push(own);
        Ok(())
    }
}

fn run(body: &[u8]) -> (Outcome, usize) {
    let mut fake = Fake::answering(Ok(Response {
        status: 200,
        headers: vec![("content-type".into(), b"application/json".to_vec())],
        body: body.to_vec(),
    }));
    let outcome = wrap(&mut fake);
    (outcome, fake.ran.len())
}

/// A change of a body: at a place, of a kind, with a byte or a phrase.
fn changed(body: &mut Vec<u8>, place: usize, kind: u8, byte: u8, phrase: &str) {
    let place = place % (body.len() + 1);
    match kind % 6 {
        0 if place < body.len() => body[place] = byte,
        1 => body.insert(place, byte),
        2 if place < body.len() => drop(body.remove(place)),
        3 => body.truncate(place),
        4 => body.splice(place..place, phrase.bytes()).for_each(drop),
        _ => body.extend_from_slice(phrase.as_bytes()),
    }
}

#[test]
fn the_unchanged_ones_allow() {
    for body in ALLOWS {
        assert!(allows(body.as_bytes()), "{body}");
        assert_eq!(run(body.as_bytes()).1, 1, "{body}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_changed_body_allows_unless_it_is_a_well_formed_allow(
        base in 0..ALLOWS.len(),
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), prop_oneof![Just(b'"'), Just(b'_'), Just(b' '), Just(b'{'), any::<u8>()],
            prop::sample::select(vec![r#","decision":"BLOCK""#, r#","Decision":"ALLOW""#, r#","\u0064ecision":null"#,
                "ALLOW", "{", "}", " ", "\n", "\\u0041", r#""x":{"a":1,"a":1},"#, r#""resolved":true,"#,
                r#","modified_tool_args":{"q":1}"#, r#","session_id":"s""#, "null", "1e999", "9007199254740993"])), 1..4),
    ) {
        let mut body = ALLOWS[base].as_bytes().to_vec();
        for (place, kind, byte, phrase) in changes {
            changed(&mut body, place, kind, byte, phrase);
        }
        let (outcome, ran) = run(&body);
        let shown = String::from_utf8_lossy(&body).into_owned();
        prop_assert!(ran == 0 || allows(&body), "ran on {} with {:?}", shown, outcome);
    }

    #[test]
    fn no_random_bytes_allow(body in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(run(&body).1, 0);
    }
}
