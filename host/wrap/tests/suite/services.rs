//! What is no HTTP service, or more than one, does not get a governor in front.

use thoth_wrap::{Error, Kind, Options, front};

use crate::plain_host::bytes;

fn refusal(component: &[u8]) -> String {
    match front(component, b"", Kind::Service, &Options::default()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was taken"),
    }
}

#[test]
fn a_component_without_a_handler_is_refused() {
    let refusal = refusal(&bytes("docs-search"));
    assert_eq!(
        refusal,
        "`search-docs` cannot be governed: only requests are governed in front of an HTTP service; \
         build it without this export"
    );
}

#[test]
fn what_is_no_component_is_refused() {
    let module = refusal(b"\0asm\x01\0\0\0");
    assert!(module.contains("it is a core module"), "{module}");
    let text = refusal(b"(component)");
    assert!(text.contains("it is not a component"), "{text}");
}

#[test]
fn what_would_not_govern_is_not_put_in_front() {
    let result = front(
        &bytes("http-canary"),
        &bytes("docs-search"),
        Kind::Service,
        &Options::default(),
    );
    assert!(matches!(result, Err(Error::Governor(_))), "{result:?}");
}
