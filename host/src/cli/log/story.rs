//! What the records of one call say together.

use serde_json::{Map, Value, json};
use thoth_host::log::Delivery;

use super::entry::{Read, time};

/// The story of a call, from its records and those of its effects in the order of the chain.
pub(super) fn of(records: &[Read]) -> Value {
    let is_call = |read: &&Read| read.body.pointer("/metadata/effect").is_none();
    let own: Vec<&Read> = records.iter().filter(is_call).collect();
    let begin = own
        .iter()
        .find(|read| read.entry.event.event_type == "TOOL_CALL_PRE");
    let end = own.iter().rev().find(|read| is_end(read));
    let any = own.first().copied().or(records.first());
    let text = |name: &str| any.and_then(|read| read.text(name));
    let fact = |name: &str| {
        let facts = own.iter().rev().map(|read| &read.facts);
        facts.into_iter().find_map(|facts| facts.get(name)).cloned()
    };
    let detail =
        |name: &str| end.and_then(|read| read.body.pointer(&format!("/metadata/{name}")).cloned());
    json!({
        "call_id": any.map(|read| &read.entry.event.call_id),
        "session_id": any.map(|read| &read.entry.event.session_id),
        "tool": text("/tool_name"),
        "outcome": end.map_or("unfinished", |read| outcome(read)),
        "agent": text("/agent_id"),
        "tenant": text("/tenant_id"),
        "user": text("/user_id"),
        "environment": text("/metadata/environment"),
        "mode": text("/enforcement_mode"),
        "trace": text("/metadata/enforcement_trace_id"),
        "asked_at": begin.map(|read| time(read.entry.appended_at)),
        "ended_at": end.map(|read| time(read.entry.appended_at)),
        "duration_ms": detail("duration_ms"),
        "component": fact("tool"),
        "arguments_sha256": fact("arguments_sha256"),
        "ran_arguments_sha256": fact("ran_arguments_sha256"),
        "arguments": fact("arguments"),
        "decision": end.map(|read| decision(read, fact("reason"))),
        "approval": fact("approval"),
        "effects": effects(records),
        "usage": detail("usage"),
        "failure": detail("tool_failure_cause"),
        "result": {
            "type": detail("result_type"),
            "bytes": detail("result_size_bytes"),
            "sha256": fact("result_sha256"),
            "text": fact("result"),
        },
        "records": records.iter().map(record).collect::<Vec<_>>(),
    })
}

fn is_end(read: &Read) -> bool {
    matches!(
        read.entry.event.event_type.as_str(),
        "TOOL_CALL_POST" | "TOOL_CALL_BLOCK"
    )
}

fn outcome(read: &Read) -> &'static str {
    match (
        read.entry.event.event_type.as_str(),
        read.text("/metadata/tool_outcome"),
    ) {
        ("TOOL_CALL_BLOCK", _) => "refused",
        (_, Some("failed")) => "failed",
        _ => "completed",
    }
}

/// What was decided, and the grounds.
fn decision(read: &Read, reason: Option<Value>) -> Value {
    const GROUNDS: [&str; 13] = [
        "authorization_decision",
        "decision_reason_code",
        "action_classification",
        "would_have",
        "risk_score",
        "latency_ms",
        "pack_id",
        "pack_version",
        "rule_version",
        "matched_rule_ids",
        "matched_control_ids",
        "policy_references",
        "receipt",
    ];
    let mut decision = Map::new();
    for name in GROUNDS {
        if let Some(value) = read.body.pointer(&format!("/metadata/{name}")) {
            decision.insert(name.into(), value.clone());
        }
    }
    if let Some(violation) = read.text("/violation_id") {
        decision.insert("violation_id".into(), violation.into());
    }
    if let Some(reason) = reason {
        decision.insert("reason".into(), reason);
    }
    decision.into()
}

/// What the tool reached for, one object for each effect.
fn effects(records: &[Read]) -> Vec<Value> {
    let mut effects: Vec<(&str, Value)> = Vec::new();
    for read in records {
        let Some(effect) = read.body.pointer("/metadata/effect") else {
            continue;
        };
        let id = read.entry.event.call_id.as_str();
        let told = json!({
            "call_id": id,
            "effect": read.text("/tool_name"),
            "target": target(&read.body),
            "what": effect,
            "outcome": if is_end(read) { outcome(read) } else { "unfinished" },
            "decision": decision(read, read.facts.get("reason").cloned()),
            "failure": read.text("/metadata/tool_failure_cause"),
            "result": read.body.pointer("/metadata/effect_result"),
        });
        // Its last record says the most.
        match effects.iter_mut().find(|(known, _)| *known == id) {
            Some((_, earlier)) => *earlier = told,
            None => effects.push((id, told)),
        }
    }
    effects.into_iter().map(|(_, told)| told).collect()
}

/// What an effect is about, in a few words: `GET https://example.com/a`, `read /docs/a`.
pub(super) fn target(body: &Value) -> Option<String> {
    let effect = body.pointer("/metadata/effect")?;
    let text = |name: &str| effect.get(name).and_then(Value::as_str).unwrap_or_default();
    let target = match effect.get("host") {
        Some(_) => {
            let port = effect
                .get("port")
                .map(|port| format!(":{port}"))
                .unwrap_or_default();
            let scheme = text("scheme");
            let scheme = if scheme.is_empty() { "http" } else { scheme };
            format!(
                "{} {scheme}://{}{port}{}",
                text("method"),
                text("host"),
                text("path")
            )
        }
        None => format!("{} {}", text("mode"), text("path")),
    };
    Some(target)
}

fn record(read: &Read) -> Value {
    let delivery = match &read.entry.delivery {
        Delivery::Kept => "kept",
        Delivery::Waiting => "waiting",
        Delivery::Delivered => "delivered",
        Delivery::Refused(_) => "refused",
    };
    json!({
        "index": read.entry.index,
        "event_type": read.entry.event.event_type,
        "hash": read.entry.hash.to_string(),
        "delivery": delivery,
    })
}

/// The story for a person, one line for each part that there is.
pub(super) fn lines(story: &Value) -> Vec<String> {
    let at = |pointer: &str| story.pointer(pointer).filter(|value| !value.is_null());
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = |pointer: &str| at(pointer).map(plain);
    let or_none = |pointer: &str| text(pointer).unwrap_or_else(|| "?".into());
    let mut lines = vec![format!(
        "{} {}  (call {})",
        or_none("/tool"),
        or_none("/outcome"),
        or_none("/call_id"),
    )];
    let mut say = |what: &str, parts: Vec<Option<String>>| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            lines.push(format!("  {what:<9} {}", parts.join(" · ")));
        }
    };
    let labelled =
        |label: &str, pointer: &str| text(pointer).map(|value| format!("{label} {value}"));
    say(
        "who",
        vec![
            Some(format!("{}@{}", or_none("/agent"), or_none("/tenant"))),
            labelled("for", "/user"),
            labelled("session", "/session_id"),
            labelled("mode", "/mode"),
            labelled("environment", "/environment"),
        ],
    );
    say(
        "asked",
        vec![
            text("/asked_at"),
            labelled("arguments", "/arguments"),
            labelled("arguments sha256", "/arguments_sha256"),
        ],
    );
    let limit = |label: &str, name: &str, unit: &str| {
        let value = text(&format!("/component/limits/{name}"))?;
        Some(
            format!("{label} at most {value} {unit}")
                .trim_end()
                .to_owned(),
        )
    };
    say(
        "component",
        vec![
            labelled("sha256", "/component/sha256"),
            limit("time", "time_ms", "ms"),
            limit("memory", "memory", "bytes"),
            limit("fuel", "fuel", "units"),
            limit("requests", "requests", ""),
        ],
    );
    say(
        "decided",
        vec![
            text("/decision/authorization_decision"),
            labelled("code", "/decision/decision_reason_code"),
            text("/decision/reason"),
            labelled("violation", "/decision/violation_id"),
            labelled("action", "/decision/action_classification"),
            labelled("risk", "/decision/risk_score"),
            labelled("rules", "/decision/matched_rule_ids"),
            labelled("controls", "/decision/matched_control_ids"),
            labelled("policies", "/decision/policy_references"),
            labelled("pack", "/decision/pack_id"),
        ],
    );
    say("approved", vec![text("/approval")]);
    say(
        "modified",
        vec![labelled(
            "ran with arguments sha256",
            "/ran_arguments_sha256",
        )],
    );
    for effect in story
        .pointer("/effects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |pointer: &str| {
            effect
                .pointer(pointer)
                .filter(|value| !value.is_null())
                .map(plain)
        };
        say(
            "reached",
            vec![
                text("/target"),
                text("/outcome"),
                text("/decision/decision_reason_code").map(|code| format!("code {code}")),
                text("/failure"),
                text("/result"),
            ],
        );
    }
    let usage = story.get("usage").and_then(Value::as_object);
    let used = usage.into_iter().flatten().filter(|(_, used)| **used != 0);
    say(
        "used",
        used.map(|(what, used)| Some(format!("{what} {used}")))
            .collect(),
    );
    say(
        "came back",
        vec![
            text("/ended_at"),
            labelled("failed:", "/failure"),
            text("/result/type"),
            text("/result/bytes").map(|bytes| format!("{bytes} bytes")),
            labelled("sha256", "/result/sha256"),
            text("/result/text"),
        ],
    );
    let records = story.pointer("/records").and_then(Value::as_array);
    let told: Vec<String> = records
        .into_iter()
        .flatten()
        .map(|record| {
            let part = |name: &str| record.get(name).map(plain).unwrap_or_default();
            format!(
                "#{} {} ({})",
                part("index"),
                part("event_type"),
                part("delivery")
            )
        })
        .collect();
    say("records", vec![Some(told.join(", "))]);
    lines
}
