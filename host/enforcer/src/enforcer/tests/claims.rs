//! Facts about hosts that say what they are about to run.

use thoth_core::json::{canonical, digest};

use super::*;

const COMPONENT: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff";

/// Step-up and a modification together.
const BOTH: &str = r#"
@decision("STEP_UP") permit (principal, action, resource);
@decision("MODIFY") @modify("{\"internal\": false}") permit (principal, action, resource);
"#;

fn arguments() -> Value {
    json!({"to_account": "b", "amount_cents": 5_000_000, "internal": true})
}

fn announce(enforcer: &Enforcer, component: &str) -> (StatusCode, Value) {
    let credentials = [("x-api-key", "agent-key"), ("thoth-component", component)];
    let body = go_body("transfer", arguments()).to_string();
    send_as(enforcer, &credentials, "POST", "/v1/enforce", &body)
}

/// A hold that was opened by a host that announced its component, and has been approved.
fn approved(enforcer: &Enforcer) -> String {
    let (status, answer) = announce(enforcer, COMPONENT);
    assert_eq!(
        (status, &answer["decision"]),
        (StatusCode::OK, &json!("STEP_UP"))
    );
    let token = answer["hold_token"].as_str().unwrap().to_owned();
    let path = format!("/acme/thoth/approvals/{token}/resolve");
    let (status, _) = approve(enforcer, "POST", &path, r#"{"decision":"approve"}"#);
    assert_eq!(status, StatusCode::OK);
    token
}

/// The parts of a claim for that call.
fn parts() -> Vec<(&'static str, String)> {
    vec![
        ("caller", digest(&canonical(&json!(["acme", "bot", "u1"])))),
        ("session", digest("2b9e")),
        ("tool", digest("transfer")),
        ("component", COMPONENT.to_owned()),
        ("arguments", digest(&canonical(&arguments()))),
        ("use", "1".repeat(32)),
    ]
}

fn header(parts: &[(&str, String)]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join(",")
}

fn poll(enforcer: &Enforcer, token: &str, claim: Option<&str>) -> (StatusCode, Value) {
    let mut credentials = vec![("x-api-key", "agent-key")];
    credentials.extend(claim.map(|claim| ("thoth-claim", claim)));
    let path = format!("/v1/enforce/hold/{token}");
    send_as(enforcer, &credentials, "GET", &path, "")
}

fn code(answer: &(StatusCode, Value)) -> &str {
    assert_eq!(answer.0, StatusCode::OK);
    assert_eq!(answer.1["decision"], answer.1["resolution"]);
    assert_eq!(answer.1["decision"], answer.1["authorization_decision"]);
    answer.1["decision_reason_code"].as_str().unwrap()
}

#[test]
fn each_way_to_use_an_approval_for_something_else_has_its_own_cause() {
    let enforcer = enforcer();
    let token = approved(&enforcer);
    for (part, expected) in [
        ("caller", "hold_other_caller"),
        ("session", "hold_other_session"),
        ("tool", "hold_other_tool"),
        ("component", "hold_other_component"),
        ("arguments", "hold_other_arguments"),
    ] {
        let mut other = parts();
        let found = other.iter_mut().find(|(name, _)| *name == part).unwrap();
        found.1 = digest("another");
        let answer = poll(&enforcer, &token, Some(&header(&other)));
        assert_eq!(code(&answer), expected);
        assert_eq!(answer.1["resolution"], "BLOCK");
        assert!(answer.1["violation_id"].is_string());
    }
    let silent = poll(&enforcer, &token, None);
    assert_eq!(code(&silent), "hold_unclaimed");
    let own = poll(&enforcer, &token, Some(&header(&parts())));
    assert_eq!(
        (code(&own), &own.1["decision"]),
        ("step_up_approved", &json!("ALLOW"))
    );
    // An answer can be lost, so the same use may ask again. Another one comes too late.
    let again = poll(&enforcer, &token, Some(&header(&parts())));
    assert_eq!(code(&again), "step_up_approved");
    let mut another = parts();
    another[5].1 = "2".repeat(32);
    let another = poll(&enforcer, &token, Some(&header(&another)));
    assert_eq!(
        (code(&another), &another.1["decision"]),
        ("hold_used", &json!("BLOCK"))
    );
}

#[test]
fn policies_that_have_changed_end_what_was_held_under_the_old_ones() {
    let store = Store::in_memory().unwrap();
    let by = |text: &str| {
        let policy = Policy::parse("both.cedar", text).unwrap();
        Enforcer::new(policy, store.clone(), options()).unwrap()
    };
    let first = by(BOTH);
    let decided = approved(&first);
    let (_, waiting) = announce(&first, COMPONENT);
    let waiting = waiting["hold_token"].as_str().unwrap();
    let claim = header(&parts());
    // The same policies but for a comment are others: who wrote it may have meant more.
    let second = by(&format!("{BOTH}// more"));
    for token in [&*decided, waiting] {
        let answer = poll(&second, token, Some(&claim));
        assert_eq!(code(&answer), "hold_other_policy");
        assert_eq!(answer.1["decision"], "BLOCK");
        assert_eq!(answer.1["resolved"], true);
    }
    // Nor without a claim, as the SDKs ask.
    assert_eq!(code(&poll(&second, &decided, None)), "hold_other_policy");
    // It was not used up by that: under the same policies it counts.
    let same = by(BOTH);
    assert_eq!(
        code(&poll(&same, &decided, Some(&claim))),
        "step_up_approved"
    );
}

#[test]
fn a_claim_that_is_not_one_is_refused_and_not_ignored() {
    let enforcer = enforcer();
    let token = approved(&enforcer);
    let good = header(&parts());
    for bad in [
        String::new(),
        "nonsense".to_owned(),
        good.to_uppercase(),
        format!("{good},more"),
        format!("{good},use={}", "1".repeat(32)),
        good.replacen("session=", "Session=", 1),
        good.replace(",use=", ",use=0"),
        good.split_once(',').unwrap().1.to_owned(),
        format!("{good},x={}", "0".repeat(2000)),
    ] {
        let (status, _) = poll(&enforcer, &token, Some(&bad));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
    for bad in ["", "c0ffee", &COMPONENT.to_uppercase()] {
        assert_eq!(announce(&enforcer, bad).0, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[test]
fn changed_arguments_are_approved_for_hosts_that_run_them_and_for_no_others() {
    let policy = Policy::parse("both.cedar", BOTH).unwrap();
    let enforcer = Enforcer::new(policy, Store::in_memory().unwrap(), options()).unwrap();
    let unannounced = decide(&enforcer, "transfer", arguments());
    assert_eq!(unannounced["decision"], "BLOCK");
    assert_eq!(unannounced["decision_reason_code"], "policy_conflict");

    let token = approved(&enforcer);
    let approval = enforcer.store().approval(&token).unwrap().unwrap();
    let mut changed = arguments();
    assert_eq!(approval.asked_arguments, Some(canonical(&changed)));
    changed["internal"] = json!(false);
    assert_eq!(approval.arguments, canonical(&changed));
    let answer = poll(&enforcer, &token, Some(&header(&parts())));
    assert_eq!(code(&answer), "step_up_approved");
    assert_eq!(answer.1["decision"], "MODIFY");
    assert_eq!(answer.1["modified_tool_args"], changed);
    // The agent's own arguments stay what the claim is about.
    let mut other = parts();
    other[4].1 = digest(&canonical(&changed));
    let other = poll(&enforcer, &token, Some(&header(&other)));
    assert_eq!(code(&other), "hold_other_arguments");
}

#[test]
fn arguments_that_a_client_would_not_take_back_are_not_changed() {
    let enforcer = enforcer();
    for (arguments, expected) in [
        (json!({"text": "a", "include_internal": true}), "MODIFY"),
        (json!({"text": "a"}), "MODIFY"),
        // As SDKs send what was passed by position.
        (json!({"args": ["a", true]}), "BLOCK"),
        (json!({"arg0": "a", "arg1": true}), "BLOCK"),
        (json!({"input": "a"}), "BLOCK"),
    ] {
        let answer = decide(&enforcer, "export_text", arguments.clone());
        assert_eq!(answer["decision"], expected, "{arguments}");
        let credentials = [("x-api-key", "agent-key"), ("thoth-component", COMPONENT)];
        let body = go_body("export_text", arguments.clone()).to_string();
        let (_, answer) = send_as(&enforcer, &credentials, "POST", "/v1/enforce", &body);
        assert_eq!(answer["decision"], "MODIFY", "our host takes all of it");
    }
}
