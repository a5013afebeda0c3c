//! A tool that reaches out, a server that it may reach, and an enforcer that is told what to say.

use serde_json::{Value, json};
use thoth_tests::{
    Answer, Faultd, Reply, Thoth, Web, faultd::is_of_session, thoth::Invocation, tool,
};

/// The id of the call whose effects they are.
pub(crate) const CALL: &str = "call-1";

/// All that takes part in one governed call with effects.
pub(crate) struct Scene {
    pub(crate) thoth: Thoth,
    pub(crate) service: Faultd,
    pub(crate) web: Web,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            thoth: thoth(),
            service: Faultd::start(),
            web: Web::start(),
        }
    }

    /// Answers every question about an effect so, and allows every call.
    pub(crate) fn on_effect(&self, reply: impl Into<Reply>) -> &Self {
        let reply = reply.into();
        self.service.enforce(Reply::derived(
            move |request| match request.json()["tool_name"].as_str() {
                Some("effect:http") => reply.clone(),
                _ => Answer::allow().into(),
            },
        ));
        self
    }

    /// `GET` of a path below `/v1/`, which is granted and governed.
    pub(crate) fn get(&self, path: &str) -> Invocation {
        self.sends(request(&self.web, "GET", path))
            .args(["--allow-net", &self.rule("govern")])
    }

    /// A request by the tool `hostile`, without a grant.
    pub(crate) fn sends(&self, request: Value) -> Invocation {
        let call = self.thoth.call(tool("hostile"));
        let call = call.args(["sends", &request.to_string(), "--session-id", "s"]);
        call.args(["--enforcer-url", &self.service.url()])
    }

    /// The rule that grants the server's `/v1/`.
    pub(crate) fn rule(&self, options: &str) -> String {
        rule(&self.web, options)
    }

    /// What the log tells of the session, see [`told`].
    pub(crate) fn told(&self) -> Vec<String> {
        let mut events = self.service.events();
        events.retain(|event| event["session_id"] == "s");
        told(&events)
    }
}

pub(crate) fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth")).env("THOTH_ACTION_ATTESTATION_ID", CALL)
}

pub(crate) fn rule(web: &Web, options: &str) -> String {
    format!("{}/v1/* GET,POST allow-private {options}", web.origin())
}

/// The arguments of `hostile`'s `sends`.
pub(crate) fn request(web: &Web, method: &str, path: &str) -> Value {
    json!({"request": {
        "method": method, "scheme": "http", "authority": web.authority(), "path": path,
        "headers": [], "body": 0,
    }})
}

/// Events in a word each: what kind, of which call, and why if there is a why. The call is `sends`,
/// its first effect `effect:http.1`.
pub(crate) fn told(events: &[Value]) -> Vec<String> {
    let line = |event: &Value| {
        let metadata = &event["metadata"];
        let kind = event["event_type"].as_str().unwrap();
        let mut line = kind.trim_start_matches("TOOL_CALL_").to_owned();
        line.push(' ');
        line.push_str(event["tool_name"].as_str().unwrap());
        let call = metadata["action_attestation_id"].as_str().unwrap();
        line.push_str(call.strip_prefix(CALL).unwrap());
        for why in ["decision_reason_code", "tool_failure_cause", "would_have"] {
            if let Some(why) = metadata[why].as_str() {
                line.push(' ');
                line.push_str(why);
            }
        }
        line
    };
    let of_calls = events.iter().filter(|event| !is_of_session(event));
    of_calls.map(line).collect()
}
