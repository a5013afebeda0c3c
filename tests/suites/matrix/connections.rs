//! Rows about connections, before a byte of HTTP.

use std::sync::Mutex;

use thoth_tests::{
    Listener, Step,
    faultd::{
        response,
        tls::{Authority, Identity},
    },
};

use crate::matrix::{ALLOW, JSON, slowly};

/// A connection that must not run the tool.
pub(crate) struct Fault {
    id: &'static str,
    fault: &'static str,
    listener: Mutex<Option<Listener>>,
    /// The causes that a refusal may name.
    pub(crate) causes: &'static [&'static str],
}

impl Fault {
    /// Id and fault.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.id, self.fault)
    }

    /// The listener; there is one.
    pub(crate) fn take(&self) -> Listener {
        self.listener.lock().unwrap().take().unwrap()
    }
}

/// Connections that must not run the tool.
pub(crate) fn connections(authority: &Authority) -> Vec<Fault> {
    let fault = |id, fault, listener, causes| Fault {
        id,
        fault,
        listener: Mutex::new(Some(listener)),
        causes,
    };
    let cut: &[&str] = &["unreachable", "protocol"];
    let tls: &[&str] = &["tls"];
    let answer = response(200, &[JSON], ALLOW.as_bytes());
    // A fatal alert that says `protocol_version`, as a server of TLS 1.1 answers.
    let too_old = vec![0x15, 0x03, 0x02, 0x00, 0x02, 0x02, 0x46];
    vec![
        fault("F02", "never accepted", Listener::Full, &["unreachable"]),
        fault(
            "F07",
            "accepted and closed",
            Listener::Steps(Vec::new()),
            cut,
        ),
        fault(
            "F08",
            "accepted and reset",
            Listener::Steps(vec![Step::Reset]),
            cut,
        ),
        fault(
            "F20",
            "accepted and silent",
            Listener::Steps(vec![Step::Hold]),
            &["timeout"],
        ),
        fault(
            "F20",
            "TLS and silence",
            Listener::StepsForTls(vec![Step::Hold]),
            &["timeout"],
        ),
        fault(
            "F20",
            "TLS and a drip",
            Listener::StepsForTls(vec![Step::Drip(vec![0x16; 4096], slowly())]),
            &["timeout", "tls"],
        ),
        fault(
            "F74",
            "self-signed",
            Listener::Tls(Identity::self_signed()),
            tls,
        ),
        fault(
            "F74",
            "unknown authority",
            Listener::Tls(Authority::new().good()),
            tls,
        ),
        fault("F75", "expired", Listener::Tls(authority.expired()), tls),
        fault(
            "F76",
            "wrong name",
            Listener::Tls(authority.wrong_name()),
            tls,
        ),
        fault(
            "F77",
            "TLS 1.1 only",
            Listener::StepsForTls(vec![Step::Send(too_old)]),
            tls,
        ),
        fault(
            "F78",
            "plain HTTP where TLS is due",
            Listener::StepsForTls(vec![Step::Send(answer)]),
            tls,
        ),
        fault(
            "F78",
            "end where TLS is due",
            Listener::StepsForTls(Vec::new()),
            &["tls", "unreachable"],
        ),
        fault(
            "F79",
            "client certificate required",
            Listener::Tls(authority.asking_for_client_certificate()),
            tls,
        ),
    ]
}
