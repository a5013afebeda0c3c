//! Facts about loading policies, and about what is refused then.

use proptest::prelude::*;

use super::*;

/// The problems of a text, as `line:column message`.
fn problems(text: &str) -> Vec<String> {
    let error = Policy::parse("t.cedar", text).expect_err(text);
    assert_eq!(
        error.to_string().lines().count(),
        error.problems().len(),
        "one problem a line: {error}"
    );
    let problems = error.problems().iter();
    problems
        .map(|p| format!("{}:{} {}", p.line, p.column, p.message))
        .collect()
}

#[test]
fn a_problem_points_at_its_line() {
    for (text, expected) in [
        (
            "permit (principal, action, resource)\nwhen { 1 + };",
            "2:12",
        ),
        (
            "\npermit (principal, action, resource)\nwhen { context.nope };",
            "3:8",
        ),
        (
            "//! type Arguments = { n?: Long };\npermit (principal, action, resource)\n\
             when { context.arguments.n > 1 };",
            "3:8",
        ),
        (
            "// é\n@decison(\"BLOCK\") permit (principal, action, resource);",
            "2:1",
        ),
        (
            "@id(\"a\")\n@decision(\"BLOCK\") permit (principal, action, resource);",
            "2:1",
        ),
        (
            "@decision(\"ALLOW\") forbid (principal, action, resource);",
            "1:1",
        ),
        (
            "@decision(\"MODIFY\") permit (principal, action, resource);",
            "1:1",
        ),
        (
            "@decision(\"MODIFY\")\n@modify(\"[]\") permit (principal, action, resource);",
            "2:1",
        ),
        (
            "@decision(\"MODIFY\")\n@modify(\"{\") permit (principal, action, resource);",
            "2:1",
        ),
        (
            "@decision(\"MODIFY\")\n @modify(\"{}\") permit (principal, action, resource);",
            "2:2",
        ),
        (
            "@modify(\"{}\") permit (principal, action, resource);",
            "1:1",
        ),
        (
            "@decision(\"STEP_UP\") @step_up_seconds(\"0\")\npermit (principal, action, resource);",
            "1:22",
        ),
        (
            "@defer_seconds(\"9\") permit (principal, action, resource);",
            "1:1",
        ),
        ("@reason permit (principal, action, resource);", "1:1"),
        (
            "@reason_code(\"a b\") permit (principal, action, resource);",
            "1:1",
        ),
        (
            "@id(\"a\") permit (principal, action, resource);\n\
             @id(\"a\") permit (principal, action, resource);",
            "2:1",
        ),
        ("permit (principal == ?principal, action, resource);", "1:1"),
        ("//! type Arguments = { a?: Long, b: Long };", "1:34"),
        ("\n//! type Arguments = { a?: Lung };", "2:28"),
        ("//! type Arguments = { a?: Tool };", "1:24"),
        ("//! type Arguments = Long;", "1:10"),
        ("//! entity X;", "1:1"),
        ("//! just words", "1:5"),
        (
            "permit (principal, action, resource);\n //! type A = Long;",
            "2:2",
        ),
    ] {
        let problems = problems(text);
        let place = problems[0].split(' ').next().unwrap();
        assert_eq!(place, expected, "{text}\n{problems:#?}");
    }
}

#[test]
fn every_problem_is_told_with_file_and_help() {
    let text = "//! type Arguments = { a: Long,\n//!   b: Long };\n";
    let error = Policy::parse("dir/t.cedar", text).unwrap_err();
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[1].starts_with("dir/t.cedar:2:7: argument `b` must be optional (write `b?: …`"),
        "{}",
        lines[1]
    );
}

#[test]
fn extreme_texts_are_refused_and_never_exhaust_the_stack() {
    let nested = |n: usize| {
        let (open, close) = ("(".repeat(n), ")".repeat(n));
        format!("permit (principal, action, resource) when {{ {open}true{close} }};")
    };
    assert!(Policy::parse("t.cedar", &nested(20_000)).is_err());
    let deep = Policy::parse("t.cedar", &nested(100)).unwrap();
    assert_eq!(
        deep.decide(&call("look", json!({}))).decision,
        Decision::Allow
    );
    let repeated = |link: &str, n: usize, last: &str| {
        let links = link.repeat(n);
        format!("permit (principal, action, resource) when {{ {links}{last} }};")
    };
    for text in [
        repeated("!true || ", 110, "true"),
        repeated("1+", 110, "1 == 111"),
        repeated("if false then false else ", 110, "true"),
    ] {
        let decided = policy(&text).decide(&call("look", json!({})));
        assert_eq!(decided, verdict("permit all;"), "{text}");
    }
    for text in [
        repeated("true && ", 200, "true"),
        repeated("1+", 4000, "1 == 1"),
        repeated("true && ", 20_000, "true"),
        repeated("\";\" == \";\" || ", 10_000, "true"),
        repeated("if true then true else ", 300, "true"),
        "// \"\n".repeat(100_000),
    ] {
        assert!(Policy::parse("t.cedar", &text).is_err());
    }
    assert!(Policy::parse("t.cedar", &"// ((( \";\n".repeat(1000)).is_ok());
    let doubled: String = (1..28)
        .map(|n| format!("//! type A{n} = {{ l?: A{m}, r?: A{m} }};\n", m = n - 1))
        .collect();
    for declared in [
        format!(
            "//! type Arguments = {{ a?: {}Long{} }};",
            "Set<".repeat(20_000),
            ">".repeat(20_000)
        ),
        format!("//! type Arguments = {}", "{ a?: ".repeat(15_000)),
        format!("//! type A0 = {{ x?: Long }};\n{doubled}//! type Arguments = {{ a?: A27 }};"),
        format!("//! type A0 = {{ x?: Long }};\n{doubled}"),
        "//! type A = { a?: B };\n//! type B = { b?: A };".to_owned(),
    ] {
        let text = format!("{declared}\npermit (principal, action, resource);");
        assert!(Policy::parse("t.cedar", &text).is_err());
    }
}

#[test]
fn a_text_is_what_it_looks_like() {
    let permit = "permit (principal, action, resource);";
    assert!(Policy::parse("t.cedar", &format!("// a\r\n{permit}\r\n")).is_ok());
    for hidden in [
        "\r", "\u{202e}", "\u{2066}", "\u{2028}", "\0", "\u{1b}", "\u{85}",
    ] {
        let found = problems(&format!("\n// nothing{hidden}{permit}\n"));
        assert!(
            found[0].starts_with("t.cedar:2:11: ") || found[0].starts_with("2:11"),
            "{found:?}"
        );
    }
}

#[test]
fn a_host_or_file_in_a_form_that_no_effect_has_is_refused() {
    for (resource, fits) in [
        (r#"in Domain::"example.com""#, true),
        (r#"in Domain::"Evil.example""#, false),
        (r#"in Domain::"*.evil.example""#, false),
        (r#"in Domain::"evil.example.""#, false),
        (r#"== Host::"https://evil.example""#, false),
        (r#"== Host::"evil.example:443""#, false),
        (r#"in Domain::"127.0.0.1""#, false),
        (r#"== Host::"127.0.0.1""#, true),
        (r#"== Host::"::1""#, true),
        (r#"in Folder::"/docs""#, true),
        (r#"in Folder::"/""#, true),
        (r#"in Folder::"/docs/""#, false),
        (r#"in Folder::"docs""#, false),
        (r#"== File::"/docs/../secret""#, false),
    ] {
        for text in [
            format!("forbid (principal, action, resource {resource});"),
            format!("permit (principal, action, resource) unless {{ resource {resource} }};"),
        ] {
            let parsed = Policy::parse("t.cedar", &text);
            assert_eq!(parsed.is_ok(), fits, "{text} {:?}", parsed.err());
        }
    }
    let found = problems("\nforbid (principal, action, resource in Folder::\"/docs/\");");
    assert!(found[0].contains("can never match"), "{found:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.cedar");
    let error = Policy::load(&path).unwrap_err().to_string();
    assert!(error.starts_with("cannot read policy file `"), "{error}");
    std::fs::write(&path, b"\xff").unwrap();
    let error = Policy::load(&path).unwrap_err().to_string();
    assert!(error.contains("utf-8"), "{error}");
}

#[test]
fn a_policy_that_can_never_match_is_a_warning() {
    let policy = policy("permit (principal, action, resource) when { false };");
    let warnings = policy.check().warnings;
    assert_eq!((warnings.len(), warnings[0].line), (1, 1), "{warnings:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_damaged_policy_file_is_told_or_works(at in 0_usize..EXAMPLE.len(), text in "\\PC{0,3}") {
        let start = EXAMPLE.floor_char_boundary(at);
        let end = EXAMPLE.ceil_char_boundary(start + 1).min(EXAMPLE.len());
        let damaged = format!("{}{text}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
        match Policy::parse("t.cedar", &damaged) {
            Ok(policy) => drop(policy.decide(&call("transfer", json!({"amount_cents": 7})))),
            Err(error) => prop_assert!(!error.problems().is_empty()),
        }
    }
}

#[test]
fn an_undeclared_argument_comes_with_the_way_to_declare_it() {
    let text = "permit (principal, action, resource) when { context.arguments.n == 1 };";
    let error = Policy::parse("t.cedar", text).unwrap_err();
    let help = error.problems()[0].help.as_deref();
    assert_eq!(
        help,
        Some("declare it above the policies: `//! type Arguments = { n?: … };`")
    );
}
