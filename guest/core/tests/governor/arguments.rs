//! Arguments are taken once, up to a limit on what is run, and a digest tells apart whatever differs.

use thoth_core::arguments::{Arguments, ArgumentsError};
use thoth_core::{Session, ToolCall, json};

use crate::support::*;

/// Arguments whose text is far shorter than their canonical form, which has exactly this length.
fn growing_to(length: usize) -> String {
    let numbers = vec!["1e20"; 10_000].join(",");
    let text = |filler: &str| format!(r#"{{"a":[{numbers}],"b":"{filler}"}}"#);
    let canonical = text("").replace("1e20", "100000000000000000000");
    text(&"x".repeat(length - canonical.len()))
}

#[test]
fn arguments_are_as_long_as_their_canonical_form() {
    let longest = growing_to(json::MAX_BYTES);
    assert!(longest.len() < json::MAX_BYTES / 2);
    let arguments = Arguments::parse(&longest).unwrap();
    assert_eq!(arguments.canonical().len(), json::MAX_BYTES);
    assert_eq!(
        Arguments::parse(&growing_to(json::MAX_BYTES + 1)),
        Err(ArgumentsError::TooLong)
    );
    assert_eq!(
        Arguments::parse(&growing_to(json::MAX_BYTES + 2)),
        Err(ArgumentsError::TooLong)
    );
}

#[test]
fn arguments_have_members_and_a_canonical_form() {
    let arguments = Arguments::parse(&call().arguments).unwrap();
    assert_eq!(arguments.canonical(), ARGUMENTS);
    assert_eq!(
        json::canonical(&arguments.members().clone().into()),
        ARGUMENTS
    );
}

#[test]
fn a_digest_tells_apart_who_calls_what_with_which_arguments() {
    type Change = fn(&mut Session, &mut ToolCall);
    let changes: [Change; 7] = [
        |_, _| {},
        |session, _| session.tenant_id.push('2'),
        |session, _| session.agent_id.push('2'),
        |session, _| session.user_id.push('2'),
        |session, _| session.session_id.push('2'),
        |_, call| call.tool.push('2'),
        |_, call| call.arguments = r#"{"q":"a","n":2}"#.into(),
    ];
    let mut digests = changes.map(|change| {
        let (mut session, mut call) = (session(), call());
        change(&mut session, &mut call);
        let arguments = Arguments::parse(&call.arguments).unwrap();
        arguments.digest(&session, &call)
    });
    digests.sort();
    assert!(
        digests.windows(2).all(|pair| pair[0] != pair[1]),
        "{digests:?}"
    );
}
