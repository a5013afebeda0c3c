//! Facts about the verdicts that policies give.

use super::*;

#[test]
fn the_example_policy_gives_every_verdict() {
    let policy = policy(EXAMPLE);
    for (tool, arguments, decision, code) in [
        (
            "search_docs",
            json!({"query": "x", "limit": 3}),
            Decision::Allow,
            "policy_allow",
        ),
        (
            "read_doc",
            json!({"path": "handbook/a.md"}),
            Decision::Allow,
            "policy_allow",
        ),
        (
            "read_doc",
            json!({"path": "hr/pay.md"}),
            Decision::Block,
            "hr_documents",
        ),
        (
            "read_doc",
            json!({"path": "a/../hr/pay.md"}),
            Decision::Block,
            "hr_documents",
        ),
        (
            "transfer",
            json!({"amount_cents": 999_999}),
            Decision::Allow,
            "policy_allow",
        ),
        (
            "transfer",
            json!({"amount_cents": 1_000_000, "to_account": "b"}),
            Decision::StepUp {
                seconds: 900,
                modified: None,
            },
            "large_transfer",
        ),
        (
            "transfer",
            json!({"amount_cents": 1_000_000, "to_account": "offshore-1"}),
            Decision::Block,
            "blocked_account",
        ),
        (
            "transfer",
            json!({"amount_cents": 0}),
            Decision::Block,
            "no_policy_matched",
        ),
        (
            "transfer",
            json!({"amount_cents": "5"}),
            Decision::Block,
            "argument_type",
        ),
        (
            "transfer",
            json!({"amount_cents": 0.5}),
            Decision::Block,
            "argument_type",
        ),
        (
            "close_books",
            json!({"month": "2026-11"}),
            Decision::Defer {
                seconds: Some(3600),
            },
            "outside_closing_hours",
        ),
        ("launch", json!({}), Decision::Block, "no_policy_matched"),
    ] {
        let verdict = policy.decide(&call(tool, arguments.clone()));
        assert_eq!(
            (verdict.decision, verdict.reason_code.as_str()),
            (decision, code),
            "{tool} {arguments}"
        );
    }
    let exported = policy.decide(&call(
        "export_text",
        json!({"title": "t", "include_internal": true}),
    ));
    let expected = json!({"title": "t", "include_internal": false});
    let expected = expected.as_object().unwrap().clone();
    assert_eq!(exported.decision, Decision::Modify(expected));
    assert_eq!(exported.reason_code, "internal_notes_removed");
    assert_eq!(exported.classification.as_deref(), Some("export"));
    let check = policy.check();
    assert_eq!((check.policies, check.warnings.len()), (11, 0));
    assert_eq!(check.by_decision["ALLOW"], 5);
}

#[test]
fn the_strictest_matching_policy_wins() {
    const ALLOW: &str = "permit all;";
    const MODIFY: &str = r#"@decision("MODIFY") @modify("{\"m\":1}") permit all;"#;
    const STEP_UP: &str = r#"@decision("STEP_UP") permit all;"#;
    const DEFER: &str = r#"@decision("DEFER") permit all;"#;
    const FORBID_DEFER: &str = r#"@decision("DEFER") @reason("later") forbid all;"#;
    const BLOCK: &str = "forbid all;";
    for (policies, code) in [
        (&[][..], "no_policy_matched"),
        (&[ALLOW], "policy_allow"),
        (&[ALLOW, MODIFY], "policy_modify"),
        (&[MODIFY, ALLOW], "policy_modify"),
        (&[ALLOW, STEP_UP], "policy_step_up"),
        (&[STEP_UP, MODIFY], "policy_conflict"),
        (&[STEP_UP, MODIFY, DEFER], "policy_defer"),
        (&[DEFER, ALLOW], "policy_defer"),
        (&[ALLOW, FORBID_DEFER], "policy_defer"),
        (&[FORBID_DEFER, BLOCK], "policy_block"),
        (&[ALLOW, BLOCK, MODIFY, STEP_UP, DEFER], "policy_block"),
    ] {
        assert_eq!(
            verdict(&policies.join("\n")).reason_code,
            code,
            "{policies:?}"
        );
    }
    let conflict = verdict(&[STEP_UP, MODIFY].join("\n"));
    assert_eq!(conflict.matched, ["line-1", "line-2"]);
    let deferred = verdict(&[DEFER, FORBID_DEFER].join("\n"));
    assert_eq!(deferred.reason, "later");
    assert_eq!(deferred.matched, ["line-2"], "only the forbid decided");
}

#[test]
fn patches_apply_in_the_order_of_the_file() {
    let verdict = verdict(
        r#"@id("b") @decision("MODIFY") @modify("{\"n\":2,\"x\":1}") permit all;
           @id("a") @decision("MODIFY") @modify("{\"n\":3}") @reason("r") permit all;"#,
    );
    let expected = json!({"n": 3, "x": 1}).as_object().unwrap().clone();
    assert_eq!(verdict.decision, Decision::Modify(expected));
    assert_eq!(verdict.matched, ["b", "a"]);
    assert_eq!(
        verdict.reason, "arguments changed by policy",
        "the first one speaks"
    );
}

#[test]
fn a_patch_that_leaves_nothing_is_a_block() {
    let verdict = verdict(r#"@decision("MODIFY") @modify("{\"n\":null}") permit all;"#);
    assert_eq!(verdict.decision, Decision::Block);
    assert_eq!(verdict.reason_code, "policy_conflict");
    assert_eq!(verdict.matched, ["line-1"]);
}

#[test]
fn a_policy_that_cannot_be_evaluated_is_a_block_even_beside_a_permit() {
    let policy = policy(
        "//! type Arguments = { n?: Long };
         permit (principal, action, resource);
         @id(\"overflows\") forbid (principal, action, resource)
         when { context.arguments has n && context.arguments.n * 2 > 0 };",
    );
    let verdict = policy.decide(&call("look", json!({"n": i64::MAX})));
    assert_eq!(verdict.decision, Decision::Block);
    assert_eq!(verdict.reason_code, "policy_error");
    assert_eq!(verdict.reason, "policy `overflows` could not be evaluated");
    let other = policy.decide(&call("look", json!({"n": -1})));
    assert_eq!(other.decision, Decision::Allow);
}

#[test]
fn policies_see_who_calls_what_and_in_which_session() {
    let text = r#"permit (principal, action == Action::"call", resource == Tool::"look") when {
        principal == Agent::"bot" && principal in Tenant::"acme" && principal in User::"u1" &&
        principal.tenant == "acme" && principal.user == "u1" && principal.id == "bot" &&
        resource.name == "look" && context.in_scope && context.approved_scope == ["look"] &&
        context.session.id == "s-1" && context.session.call_count == 2 &&
        context.session.calls.contains("look") && context.mode == "block" &&
        context.environment == "prod" && context.trace_id == "s-1" &&
        context.undeclared == ["note"] && context.task has initiated_by &&
        context.task.initiated_by == "sam" && context.model has name &&
        context.model.name == "m" && context has intent && context.intent == "triage" &&
        context has purpose && context has data_classification };"#;
    let mut look = call("look", json!({"note": 1e300}));
    look.task.initiated_by = Some("sam".to_owned());
    look.model.name = Some("m".to_owned());
    look.intent = Some("triage".to_owned());
    look.purpose = Some("p".to_owned());
    look.data_classification = Some("d".to_owned());
    assert_eq!(policy(text).decide(&look).decision, Decision::Allow);
    look.tenant_id = "other".to_owned();
    assert_eq!(policy(text).decide(&look).decision, Decision::Block);
}

#[test]
fn identities_with_odd_characters_are_only_text() {
    let policy = policy(r#"permit (principal == Agent::"bot", action, resource);"#);
    for id in ["\"", "bot\" || true", "", "\u{0}", "🤖", "bot\n"] {
        let mut odd = call("look", json!({}));
        odd.agent_id = id.to_owned();
        assert_eq!(policy.decide(&odd).decision, Decision::Block, "{id:?}");
    }
}

#[test]
fn declared_types_may_refer_to_each_other() {
    let policy = policy(
        "// first a comment
         //! type Person = { age?: Long, born?: datetime };
         //! type Arguments = { person?: Person, people?: Set<Person>, from?: ipaddr };
         permit (principal, action, resource)
         when { context.arguments has person.age && context.arguments.person.age >= 18 };",
    );
    for (arguments, code) in [
        (json!({"person": {"age": 18}}), "policy_allow"),
        (json!({"person": {"age": 17}}), "no_policy_matched"),
        (json!({"person": {"age": "18"}}), "argument_type"),
        (
            json!({"person": {"age": 18}, "people": [{"age": 1.5}]}),
            "argument_type",
        ),
        (
            json!({"person": {"age": 18}, "from": "10.1.2.3"}),
            "policy_allow",
        ),
    ] {
        let verdict = policy.decide(&call("look", arguments.clone()));
        assert_eq!(verdict.reason_code, code, "{arguments}");
    }
}
