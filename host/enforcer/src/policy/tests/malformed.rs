//! Facts about effects that are not well formed.

use super::*;

#[test]
fn a_malformed_effect_is_blocked_whatever_the_policies_say() {
    let all = policy("permit (principal, action, resource);");
    let long = |n: usize| format!("/{}", "a".repeat(n));
    for (call, changes) in [
        (http as fn(Value) -> Call, json!({"extra": 1})),
        (http, json!({"tool": ""})),
        (http, json!({"parent_call_id": ""})),
        (http, json!({"parent_call_id": "a b"})),
        (http, json!({"number": 0})),
        (http, json!({"number": 1.5})),
        (http, json!({"number": "1"})),
        (http, json!({"number": 1e300})),
        (http, json!({"method": "get"})),
        (http, json!({"method": "GET "})),
        (http, json!({"scheme": "HTTPS"})),
        (http, json!({"scheme": "ftp"})),
        (http, json!({"port": 0})),
        (http, json!({"port": 65_536})),
        (http, json!({"port": null})),
        (http, json!({"query": 1})),
        (http, json!({"query": "a#b"})),
        (http, json!({"headers": "accept"})),
        (http, json!({"headers": ["Accept"]})),
        (http, json!({"headers": ["accept", 1]})),
        (http, json!({"headers": null})),
        (http, json!({"body_sha256": "00"})),
        (http, json!({"body_sha256": "G".repeat(64)})),
        (http, json!({"body_bytes": -1})),
        (file, json!({"extra": null})),
        (file, json!({"mode": "append"})),
        (file, json!({"create": "false"})),
        (file, json!({"truncate": 0})),
        (file, json!({"create": true})),
        (file, json!({"truncate": true})),
        (file, json!({"path": ""})),
        (file, json!({"path": "docs/a.md"})),
        (file, json!({"path": "/docs/"})),
        (file, json!({"path": "/docs//a.md"})),
        (file, json!({"path": "/docs/../etc"})),
        (file, json!({"path": "/docs/."})),
        (file, json!({"path": "/docs/\u{0}"})),
        (file, json!({"path": long(4096)})),
        (file, json!({"path": "/a".repeat(129)})),
    ] {
        let verdict = all.decide(&call(changes.clone()));
        assert_eq!(verdict.decision, Decision::Block, "{changes}");
        assert_eq!(verdict.reason_code, "effect_arguments", "{changes}");
    }
    for whole in [http(json!({})), file(json!({"path": "/a".repeat(128)}))] {
        assert_eq!(code(&all, &whole), "policy_allow");
        for name in whole.arguments.keys() {
            let mut lacking = whole.clone();
            lacking.arguments.remove(name);
            assert_eq!(code(&all, &lacking), "effect_arguments", "without {name}");
        }
    }
    assert_eq!(code(&all, &http(json!({"query": null}))), "policy_allow");
    for name in ["effect:", "effect:env", "effect:http ", "effect:HTTP"] {
        let unknown = call(name, json!({}));
        assert_eq!(code(&all, &unknown), "effect_unknown", "{name}");
    }
}
