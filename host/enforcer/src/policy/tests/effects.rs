//! Facts about policies on what a running tool reaches for.

use super::*;

#[test]
fn the_example_policy_governs_effects() {
    let policy = policy(EXAMPLE);
    let step_up = Decision::StepUp {
        seconds: 900,
        modified: None,
    };
    for (call, decision, code) in [
        (http(json!({})), Decision::Allow, "policy_allow"),
        (
            http(json!({"scheme": "http", "port": 80})),
            Decision::Block,
            "no_policy_matched",
        ),
        (
            http(json!({"host": "example.org"})),
            Decision::Block,
            "no_policy_matched",
        ),
        (
            http(json!({"method": "DELETE"})),
            Decision::Block,
            "no_policy_matched",
        ),
        (
            http(json!({"method": "POST", "body_bytes": 7})),
            step_up.clone(),
            "data_leaves",
        ),
        (
            http(json!({"method": "POST", "host": "example.org"})),
            step_up,
            "data_leaves",
        ),
        (file(json!({})), Decision::Allow, "policy_allow"),
        (
            file(json!({"mode": "write"})),
            Decision::Block,
            "no_policy_matched",
        ),
        (
            file(json!({"path": "/docs-2/a.md"})),
            Decision::Block,
            "no_policy_matched",
        ),
    ] {
        let verdict = policy.decide(&call);
        assert_eq!(
            (verdict.decision, verdict.reason_code.as_str()),
            (decision, code),
            "{:?}",
            call.arguments
        );
    }
}

#[test]
fn every_annotation_works_for_effects() {
    for (decision, effect, expected) in [
        ("", "permit", Decision::Allow),
        ("", "forbid", Decision::Block),
        (
            r#"@decision("STEP_UP") @step_up_seconds("60")"#,
            "permit",
            Decision::StepUp {
                seconds: 60,
                modified: None,
            },
        ),
        (
            r#"@decision("DEFER") @defer_seconds("7")"#,
            "permit",
            Decision::Defer { seconds: Some(7) },
        ),
        (
            r#"@decision("DEFER")"#,
            "forbid",
            Decision::Defer { seconds: None },
        ),
    ] {
        for (action, call) in [
            ("effect:http", http(json!({}))),
            ("effect:file", file(json!({}))),
        ] {
            let text = format!(
                r#"@id("r") @reason("because") @reason_code("c") @classification("read")
                   @rule_version("3") {decision}
                   {effect} (principal, action == Action::"{action}", resource);"#
            );
            let expected = Verdict {
                decision: expected.clone(),
                reason: "because".to_owned(),
                reason_code: "c".to_owned(),
                classification: Some("read".to_owned()),
                matched: vec!["r".to_owned()],
                rule_version: Some(3),
            };
            assert_eq!(policy(&text).decide(&call), expected, "{text}");
        }
    }
}

#[test]
fn the_arguments_of_an_effect_are_never_changed() {
    const MODIFY: &str = r#"@decision("MODIFY") @modify("{\"path\":\"/x\"}")"#;
    for actions in [
        r#"== Action::"effect:http""#,
        r#"in [Action::"effect:http", Action::"effect:file"]"#,
    ] {
        let text = format!("\n {MODIFY} permit (principal, action {actions}, resource);");
        let error = Policy::parse("t.cedar", &text).unwrap_err().to_string();
        assert!(
            error.starts_with("t.cedar:2:2: @decision `MODIFY`"),
            "{error}"
        );
    }
    for actions in ["", r#" in [Action::"call", Action::"effect:http"]"#] {
        let text = format!(
            "permit (principal, action, resource);
             {MODIFY} @id(\"m\") permit (principal, action{actions}, resource);"
        );
        let verdict = policy(&text).decide(&http(json!({})));
        assert_eq!(verdict.decision, Decision::Block, "{actions}");
        assert_eq!(verdict.reason_code, "policy_conflict");
        let called = policy(&text).decide(&call("look", json!({"n": 1})));
        assert!(matches!(called.decision, Decision::Modify(_)), "{actions}");
    }
}

#[test]
fn policies_see_what_the_effect_is() {
    for (text, call) in [
        (
            r#"permit (principal == Agent::"bot", action == Action::"effect:http",
                       resource == Host::"api.example.com") when {
                resource.name == "api.example.com" && resource.port == 443 &&
                resource.scheme == "https" && context.effect.tool == "fetch_json" &&
                context.effect.parent_call_id == "6f0c1111-0000-4000-8000-000000000000" &&
                context.effect.number == 1 && context.effect.method == "GET" &&
                context.effect.path like "/v1/*" && context.effect has query &&
                context.effect.query == "a=b" && context.effect.body_bytes == 0 &&
                context.effect.headers.containsAll(["accept", "user-agent"]) &&
                context.effect.body_sha256 like "0123*" && !context.in_scope &&
                context.session.id == "s-1" && context.mode == "block" &&
                context.undeclared.isEmpty() };"#,
            http(json!({})),
        ),
        (
            r#"permit (principal == Agent::"bot", action == Action::"effect:file",
                       resource == File::"/docs/a.md") when {
                resource.name == "a.md" && resource.path == "/docs/a.md" &&
                context.effect.path == "/docs/a.md" && context.effect.mode == "write" &&
                context.effect.create && context.effect.truncate && context.in_scope };"#,
            file(json!({"mode": "write", "create": true, "truncate": true})),
        ),
    ] {
        assert_eq!(policy(text).decide(&call).decision, Decision::Allow);
    }
}

#[test]
fn a_domain_holds_its_name_and_those_below() {
    let policy = policy(
        r#"permit (principal, action == Action::"effect:http",
                   resource in Domain::"example.com");"#,
    );
    for (host, code_) in [
        ("example.com", "policy_allow"),
        ("api.example.com", "policy_allow"),
        ("a.b.example.com", "policy_allow"),
        ("notexample.com", "no_policy_matched"),
        ("example.com.evil.net", "no_policy_matched"),
        ("com", "no_policy_matched"),
    ] {
        assert_eq!(code(&policy, &http(json!({"host": host}))), code_, "{host}");
    }
}

#[test]
fn an_address_is_in_no_domain_and_has_one_name() {
    let by_address = policy(
        r#"permit (principal, action, resource == Host::"::1");
           permit (principal, action, resource in Domain::"example.com");"#,
    );
    for (host, code_) in [
        ("::1", "policy_allow"),
        ("[::1]", "policy_allow"),
        ("127.0.0.1", "no_policy_matched"),
        ("0", "effect_arguments"),
    ] {
        assert_eq!(code(&by_address, &http(json!({"host": host}))), code_);
    }
}

#[test]
fn a_folder_holds_itself_and_all_below() {
    let within = |folder: &str| {
        policy(&format!(
            r#"permit (principal, action == Action::"effect:file", resource in Folder::"{folder}");"#
        ))
    };
    for (folder, path, code_) in [
        ("/docs", "/docs", "policy_allow"),
        ("/docs", "/docs/a.md", "policy_allow"),
        ("/docs", "/docs/a/b/c.md", "policy_allow"),
        ("/docs", "/docs2", "no_policy_matched"),
        ("/docs", "/", "no_policy_matched"),
        ("/docs", "/x/docs/a.md", "no_policy_matched"),
        ("/", "/docs/a.md", "policy_allow"),
        ("/", "/", "policy_allow"),
    ] {
        let policy = within(folder);
        assert_eq!(code(&policy, &file(json!({"path": path}))), code_, "{path}");
    }
}

#[test]
fn calls_and_effects_match_only_policies_of_their_own() {
    let calls = policy(r#"permit (principal, action == Action::"call", resource);"#);
    let http_only = policy(r#"permit (principal, action == Action::"effect:http", resource);"#);
    let named = policy(r#"permit (principal, action, resource == Tool::"effect:http");"#);
    let tool = call("look", json!({}));
    for (policy, call, code_) in [
        (&calls, &tool, "policy_allow"),
        (&calls, &http(json!({})), "no_policy_matched"),
        (&calls, &file(json!({})), "no_policy_matched"),
        (&http_only, &tool, "no_policy_matched"),
        (&http_only, &http(json!({})), "policy_allow"),
        (&http_only, &file(json!({})), "no_policy_matched"),
        (&named, &http(json!({})), "no_policy_matched"),
    ] {
        assert_eq!(code(policy, call), code_, "{}", call.tool_name);
    }
}

#[test]
fn a_policy_that_names_no_action_speaks_for_effects_too() {
    let policy = policy(
        "//! type Arguments = { n?: Long, path?: Long };
         permit (principal, action, resource);
         forbid (principal, action, resource)
         when { context.arguments has n && context.arguments.n > 5 && resource.name == \"look\" };",
    );
    for call in [http(json!({})), file(json!({}))] {
        // `path` is text here, and an effect's arguments are none that a file declares.
        assert_eq!(code(&policy, &call), "policy_allow");
    }
    assert_eq!(
        code(&policy, &call("look", json!({"n": 6}))),
        "policy_block"
    );
}

#[test]
fn an_effect_whose_policy_cannot_be_evaluated_is_blocked() {
    let policy = policy(
        r#"permit (principal, action, resource);
           @id("overflows") forbid (principal, action == Action::"effect:http", resource)
           when { context.effect.body_bytes * 9223372036854775807 > 0 };"#,
    );
    let verdict = policy.decide(&http(json!({"body_bytes": 2})));
    assert_eq!(verdict.decision, Decision::Block);
    assert_eq!(verdict.reason_code, "policy_error");
    assert_eq!(
        code(&policy, &http(json!({"body_bytes": 0}))),
        "policy_allow"
    );
}

#[test]
fn a_misspelt_field_is_found_when_the_file_is_read() {
    for (action, condition) in [
        ("effect:http", r#"context.effect.metod == "GET""#),
        ("effect:http", "context.effect.create"),
        ("effect:file", r#"context.effect.method == "GET""#),
        ("effect:http", "resource.ports == 1"),
        ("effect:http", r#"context.effect.query == "a""#),
        ("call", r#"context.effect.method == "GET""#),
    ] {
        let text = format!(
            "permit (principal, action == Action::\"{action}\", resource)\nwhen {{ {condition} }};"
        );
        let error = Policy::parse("t.cedar", &text).unwrap_err();
        let place = error.problems().first().map(|p| (p.line, p.column));
        assert_eq!(place, Some((2, 8)), "{error}");
    }
}

#[test]
fn an_effect_that_does_not_exist_is_found_when_the_file_is_read() {
    let text = r#"permit (principal, action == Action::"effect:htp", resource);"#;
    let error = Policy::parse("t.cedar", text).unwrap_err().to_string();
    assert!(
        error.contains("did you mean") && error.contains("effect:http"),
        "{error}"
    );
}

#[test]
fn a_file_may_declare_types_of_the_same_names() {
    let policy = policy(
        r#"//! type File = { size?: Long };
           //! type Arguments = { file?: File };
           permit (principal, action == Action::"effect:file", resource in Folder::"/docs");
           permit (principal, action == Action::"call", resource)
           when { context.arguments has file.size && context.arguments.file.size < 9 };"#,
    );
    assert_eq!(code(&policy, &file(json!({}))), "policy_allow");
    let small = call("look", json!({"file": {"size": 8}}));
    assert_eq!(code(&policy, &small), "policy_allow");
}

#[test]
fn a_policy_about_an_effect_must_name_its_action() {
    let text = r#"permit (principal, action, resource) when { context.effect.method == "GET" };"#;
    let error = Policy::parse("t.cedar", text).unwrap_err().to_string();
    let help = "only effects have it: name the action, such as `action == Action::\"effect:http\"`";
    assert!(error.contains(help), "{error}");
}
