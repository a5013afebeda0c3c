//! What a policy service does, and what must come of it, in every host.

use serde_json::json;
use thoth_tests::{Answer, Faultd, Reply, Site, Step, faultd::response};

use crate::matrix::{self, ALLOW, JSON};

/// The deadline of a question: enough for a busy machine, and to be waited for a few times.
pub(crate) const TIMEOUT: &str = "4s";
/// The hold that a human is asked about.
pub(crate) const HOLD: &str = "hold-7";

/// What must come of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// It runs with its arguments.
    Runs,
    /// It runs with others in place of them.
    Modified,
    /// It does not run, and one of these causes is told.
    Refused(&'static [&'static str]),
}

/// One behaviour of the policy service.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    set: fn(&Faultd),
}

impl Case {
    /// Makes the service behave so, from now on.
    pub(crate) fn set(&self, service: &Faultd) {
        service.heal(thoth_tests::Listener::Plain);
        (self.set)(service);
    }
}

/// Everything that a service on its port may do.
pub(crate) fn cases() -> Vec<Case> {
    use Expected::{Modified, Refused, Runs};
    let case = |name, expected, set| Case {
        name,
        expected,
        set,
    };
    vec![
        case("allow", Runs, |service| {
            service.enforce(Answer::allow());
        }),
        case("block", Refused(&["policy"]), |service| {
            service.enforce(Answer::block("not you"));
        }),
        case("modify", Modified, |service| {
            service.enforce(Answer::modify(json!({"note": "hush"})));
        }),
        case("defer", Refused(&["deferred"]), |service| {
            service.enforce(Answer::defer("later", 12));
        }),
        case("step-up, approved", Runs, |service| {
            service.enforce(Answer::step_up(HOLD));
            service.next(Site::Hold, Answer::unresolved(HOLD));
            service.hold(Answer::resolved(HOLD, "ALLOW"));
        }),
        case("step-up, denied", Refused(&["denied"]), |service| {
            service.enforce(Answer::step_up(HOLD));
            service.hold(Answer::resolved(HOLD, "BLOCK"));
        }),
        case("step-up, undecided", Refused(&["expired"]), |service| {
            service.enforce(Answer::step_up(HOLD));
            service.hold(Answer::unresolved(HOLD));
        }),
        case("hang", Refused(&["timeout"]), |service| {
            service.enforce(vec![Step::Hold]);
        }),
        case(
            "truncated",
            Refused(&["protocol", "unreachable"]),
            |service| {
                let whole = response(200, &[JSON], ALLOW.as_bytes());
                let half = whole[..whole.len() - 4].to_vec();
                service.enforce(Reply::bytes(half));
            },
        ),
        case(
            "garbage",
            Refused(&["protocol", "unreachable"]),
            |service| {
                service.enforce(Reply::bytes("\u{1}garbage\r\n\r\n"));
            },
        ),
        case("garbage for JSON", Refused(&["decode"]), |service| {
            service.enforce(Reply::json(200, "{\"decision\":\"ALL"));
        }),
        case("redirect", Refused(&["redirect"]), |service| {
            let location = ("location", "/v1/enforce/elsewhere");
            service.enforce(Reply::with_headers(302, &[location, JSON], ALLOW));
        }),
        case("drip", Refused(&["timeout"]), |service| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                        content-length: 90000\r\n\r\n";
            let drip = Step::Drip(vec![b' '; 90_000], matrix::slowly());
            service.enforce(vec![Step::text(head), drip]);
        }),
        case("oversized", Refused(&["too_large"]), |service| {
            let long = "x".repeat(1 << 20);
            let body = format!("{{\"decision\":\"ALLOW\",\"reason\":\"{long}\"}}");
            service.enforce(Reply::json(200, &body));
        }),
    ]
}
