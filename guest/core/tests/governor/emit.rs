//! Delivering events: what goes out, and what each answer means for the batch.

use thoth_core::{Cause, Event, EventType, FaultKind, Governor, Method, Receipt, Retry};

use crate::support::*;

fn event(index: usize) -> Event {
    Event {
        event_id: format!("acme:{index}"),
        session_id: "2b9e".into(),
        call_id: CALL_ID.into(),
        event_type: EventType::ToolCallPre,
        body: format!(r#"{{"event_id":"acme:{index}"}}"#),
        reason: String::new(),
    }
}

fn events(count: usize) -> Vec<Event> {
    (0..count).map(event).collect()
}

#[test]
fn a_batch_is_one_request_in_order() {
    let mut fake = Fake::answering(answer(202, &[], ""));
    let receipt = governor().emit_events(&mut fake, &events(3));
    assert_eq!(receipt, Ok(Receipt { accepted: 3 }));
    let request = &fake.requests[0];
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.path, "/v1/events/batch");
    assert_eq!(
        request.body.as_deref(),
        Some(r#"{"events":[{"event_id":"acme:0"},{"event_id":"acme:1"},{"event_id":"acme:2"}]}"#)
    );
    assert!(
        request
            .headers
            .contains(&("X-Thoth-Event-Ingest-Token", "I".into()))
    );
}

#[test]
fn each_answer_says_whether_to_try_again() {
    for (status, retry) in [
        (400, Retry::Never),
        (413, Retry::Never),
        (409, Retry::Never),
        (415, Retry::Never),
        (422, Retry::Never),
        (401, Retry::Later),
        (403, Retry::Later),
        (404, Retry::Later),
        (408, Retry::Later),
        (429, Retry::Later),
        (500, Retry::Later),
        (503, Retry::Later),
        (302, Retry::Later),
        (199, Retry::Later),
    ] {
        let mut fake = Fake::answering(answer(status, &[("retry-after", "7")], ""));
        let error = governor().emit_events(&mut fake, &events(1)).unwrap_err();
        assert_eq!((error.status, error.retry), (Some(status), retry));
        assert_eq!(error.retry_after_seconds, Some(7));
        let cause = if status == 302 {
            Cause::Redirect
        } else {
            Cause::Status
        };
        assert_eq!(error.cause, cause);
        assert_eq!(
            error.to_string(),
            format!("the policy service answered the events with status {status}")
        );
    }
    for status in [200, 202, 204, 299] {
        let mut fake = Fake::answering(answer(status, &[], "<html>"));
        assert!(governor().emit_events(&mut fake, &events(10)).is_ok());
    }
    let error = governor()
        .emit_events(&mut Fake::answering(fault(FaultKind::Timeout)), &events(1))
        .unwrap_err();
    assert_eq!(
        (error.cause, error.status, error.retry),
        (Cause::Timeout, None, Retry::Later)
    );
}

#[test]
fn a_batch_that_is_not_one_is_not_sent() {
    let broken = |body: &str| {
        vec![
            event(0),
            Event {
                body: body.into(),
                ..event(1)
            },
        ]
    };
    let long = Event {
        body: format!(r#"{{"a":"{}"}}"#, "x".repeat(200_000)),
        ..event(0)
    };
    for (batch, cause) in [
        (events(0), Cause::InvalidArguments),
        (events(11), Cause::InvalidArguments),
        (broken("{"), Cause::InvalidArguments),
        (broken("[]"), Cause::InvalidArguments),
        (broken("{},{}"), Cause::InvalidArguments),
        (vec![long; 6], Cause::TooLarge),
    ] {
        let error = governor()
            .emit_events(&mut Fake::default(), &batch)
            .unwrap_err();
        assert_eq!(
            (error.cause, error.status, error.retry),
            (cause, None, Retry::Never)
        );
    }
}

#[test]
fn events_wait_for_a_configuration() {
    let governor = Governor::new(thoth_core::Config::from_vars([]));
    let error = governor
        .emit_events(&mut Fake::default(), &events(1))
        .unwrap_err();
    assert_eq!(
        (error.cause, error.retry),
        (Cause::Configuration, Retry::Later)
    );
    assert!(error.message.contains("THOTH_API_URL"));
}
