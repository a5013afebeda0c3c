//! The figures: how many decisions of which kind, how long they took, what waits in the log.

use std::sync::Weak;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use thoth_core::{Cause, FailureCause, Outcome};

use crate::runtime::Shared;

/// Seconds; a decision takes some milliseconds, a tool up to its limit.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The instruments. Their attributes are words of ours, so there are few of each.
pub(crate) struct Figures {
    meter: Meter,
    decisions: Counter<u64>,
    fail_closed: Counter<u64>,
    enforce: Histogram<f64>,
    call: Histogram<f64>,
}

impl Figures {
    pub(super) fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, what: &'static str| {
            let histogram = meter.f64_histogram(name).with_unit("s");
            histogram
                .with_description(what)
                .with_boundaries(SECONDS.to_vec())
                .build()
        };
        let count = |name: &'static str, what: &'static str| {
            meter.u64_counter(name).with_description(what).build()
        };
        Self {
            meter: meter.clone(),
            decisions: count("thoth.decisions", "Decisions about calls and effects."),
            fail_closed: count(
                "thoth.fail_closed",
                "Calls and effects that were refused because there was no usable decision.",
            ),
            enforce: seconds(
                "thoth.enforce.duration",
                "How long the policy service took to answer.",
            ),
            call: seconds(
                "thoth.call.duration",
                "How long a call took, without what it waited for a human.",
            ),
        }
    }

    /// Lets the events that wait in a runtime's log be looked at, whenever figures are collected.
    pub(crate) fn watch_queue(&self, runtime: Weak<Shared>) {
        let depth = self.meter.u64_observable_gauge("thoth.outbox.waiting");
        let depth =
            depth.with_description("Events in the log that the policy service has not got.");
        let _for_as_long_as_the_provider = depth
            .with_callback(move |observer| {
                let waiting = runtime.upgrade().and_then(|shared| shared.outbox.waiting());
                if let Some(waiting) = waiting {
                    observer.observe(waiting, &[]);
                }
            })
            .build();
    }

    /// A call or an effect (`kind`) was decided about, or the policy service had its last word.
    pub(super) fn decided(&self, kind: &'static str, verdict: &'static str, outcome: &Outcome) {
        let mut attributes = vec![
            KeyValue::new("thoth.kind", kind),
            KeyValue::new("thoth.verdict", verdict),
        ];
        if let Outcome::Refused(refusal) = outcome {
            let cause = KeyValue::new("thoth.cause", refusal.cause.as_str());
            attributes.push(cause.clone());
            if is_fail_closed(refusal.cause) {
                self.fail_closed.add(1, &[cause]);
            }
        }
        self.decisions.add(1, &attributes);
    }

    pub(super) fn asked(&self, took: Duration, error: Option<&'static str>) {
        let error = error.map(|error| KeyValue::new("error.type", error));
        self.enforce.record(took.as_secs_f64(), error.as_slice());
    }

    pub(super) fn called(&self, took: Duration, outcome: &'static str) {
        let outcome = KeyValue::new("thoth.outcome", outcome);
        self.call.record(took.as_secs_f64(), &[outcome]);
    }
}

/// Whether the policy service had no say in a refusal, so that nobody's word kept the call from running.
fn is_fail_closed(cause: Cause) -> bool {
    match cause {
        Cause::Unreachable
        | Cause::Timeout
        | Cause::Protocol
        | Cause::Status
        | Cause::Redirect
        | Cause::ContentType
        | Cause::Encoding
        | Cause::Decode
        | Cause::TooLarge
        | Cause::Ambiguous
        | Cause::Mismatch
        | Cause::InvalidModify
        | Cause::InvalidHold
        | Cause::Tls
        | Cause::NotRecorded
        | Cause::Configuration
        | Cause::GovernorFault => true,
        Cause::Policy
        | Cause::Deferred
        | Cause::Denied
        | Cause::Expired
        | Cause::InvalidArguments
        | Cause::Budget => false,
    }
}

/// How a call ended, in a word.
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed(_) => "completed",
        Outcome::Failed(_) => "failed",
        Outcome::Refused(_) => "refused",
        Outcome::Pending(_) => "pending",
    }
}

/// What was decided, where the outcome says it: of a call that ran, its last event does.
pub(super) fn verdict(outcome: &Outcome, of_event: Option<&'static str>) -> &'static str {
    match outcome {
        Outcome::Completed(_) => of_event.unwrap_or("allow"),
        Outcome::Failed(failure) => match failure.cause {
            // The policy service's change did not fit the tool.
            FailureCause::InvalidArguments => of_event.unwrap_or("modify"),
            _ => of_event.unwrap_or("allow"),
        },
        Outcome::Refused(refusal) if refusal.cause == Cause::Deferred => "defer",
        Outcome::Refused(_) => "block",
        Outcome::Pending(_) => "step_up",
    }
}
