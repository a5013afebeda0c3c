//! A record in the words of the Open Cybersecurity Schema Framework: API Activity (6003), OCSF 1.6.0,
//! with the profile `security_control`. What has no word there is in `unmapped`.

use serde_json::{Value, json};

use super::entry::Read;

const CLASS: u64 = 6003;

/// The record as an event.
pub(super) fn event(read: &Read) -> Value {
    let event = &read.entry.event;
    let text = |pointer: &str| read.text(pointer);
    let activity = activity(text("/metadata/action_classification"));
    let (status, status_id) = match (event.event_type.as_str(), failed(read)) {
        ("TOOL_CALL_POST", false) => ("Success", 1),
        ("TOOL_CALL_POST", true) | ("TOOL_CALL_BLOCK", _) => ("Failure", 2),
        _ => ("Unknown", 0),
    };
    let (action_id, disposition_id) = match event.event_type.as_str() {
        "TOOL_CALL_POST" => (1, 1),
        "TOOL_CALL_BLOCK" => (2, 2),
        _ => (0, 0),
    };
    // Refused is what somebody should look at; the rest is the record.
    let severity_id = if action_id == 2 { 3 } else { 1 };
    json!({
        "class_uid": CLASS,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": activity,
        "type_uid": CLASS * 100 + activity,
        "time": read.entry.appended_at,
        "severity_id": severity_id,
        "status": status,
        "status_id": status_id,
        "status_code": text("/metadata/decision_reason_code"),
        "status_detail": text("/metadata/tool_failure_cause"),
        "message": text("/content"),
        "action_id": action_id,
        "disposition_id": disposition_id,
        "policy": {
            "uid": text("/metadata/pack_id"),
            "version": text("/metadata/pack_version"),
        },
        "metadata": {
            "version": "1.6.0",
            "profiles": ["security_control"],
            "product": {
                "name": "Thoth for WebAssembly",
                "vendor_name": "Thoth",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "uid": event.id,
            "event_code": event.event_type,
            "correlation_uid": event.call_id,
            "sequence": read.entry.index,
            "tenant_uid": text("/tenant_id"),
            "logged_time": read.entry.appended_at,
            "original_time": text("/occurred_at"),
        },
        "actor": {
            "app_name": text("/agent_id"),
            "session": {"uid": event.session_id},
            "user": {"uid": text("/user_id")},
        },
        "api": {
            "operation": text("/tool_name"),
            "request": {"uid": event.call_id},
        },
        "src_endpoint": {"name": text("/agent_id").unwrap_or("unknown")},
        "unmapped": {
            "hash": read.entry.hash.to_string(),
            "previous_hash": read.entry.previous.to_string(),
            "metadata": read.body.get("metadata"),
            "facts": read.facts,
        },
    })
}

fn failed(read: &Read) -> bool {
    read.text("/metadata/tool_outcome") == Some("failed")
}

/// Create, read, update, delete or something else.
fn activity(classification: Option<&str>) -> u64 {
    match classification {
        Some("create" | "write") => 1,
        Some("read") => 2,
        Some("update") => 3,
        Some("delete") => 4,
        Some(_) => 99,
        None => 0,
    }
}
