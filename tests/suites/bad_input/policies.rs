//! A policy that is missing, twice there, wrong, or of no effect.

use super::*;

#[test]
fn a_policy_that_can_never_match_is_told_before_a_call() {
    let thoth = thoth();
    let never = format!("{PERMIT}\nforbid (principal, action, resource) when {{ false }};");
    let policy = thoth.file("policy.cedar", never);
    let run = sing(&thoth).arg("--policy").arg(policy).run();
    assert!(run.stderr.contains("policy is impossible"), "{run}");
    run.assert_code(0);
}

#[test]
fn two_policies_are_a_usage_error() {
    let thoth = thoth();
    let file = thoth.file("policy.cedar", PERMIT);
    let service = Faultd::start();
    let run = sing(&thoth)
        .arg("--policy")
        .arg(file)
        .args(["--enforcer-url", &service.url()])
        .run();
    run.assert_code(USAGE);
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn a_policy_that_is_wrong_is_refused_before_anything_runs() {
    let thoth = thoth();
    let rows = [
        ("missing", None, "missing.cedar"),
        ("no Cedar", Some("allow everything"), "1"),
        (
            "half a policy",
            Some("permit(principal, action, resource)"),
            "1",
        ),
        (
            "an unknown attribute",
            Some("permit(principal, action, resource)\nwhen { context.nonsense == 1 };"),
            "2",
        ),
        (
            "an unknown decision",
            Some("@decision(\"MAYBE\")\npermit(principal, action, resource);"),
            "MAYBE",
        ),
        (
            "a broken merge patch",
            Some("@decision(\"MODIFY\") @modify(\"{\")\npermit(principal, action, resource);"),
            "modify",
        ),
    ];
    table::each(
        &rows,
        |(name, ..)| (*name).to_owned(),
        |(name, policy, named)| {
            let file = match policy {
                Some(text) => thoth.file(&format!("{}.cedar", name.replace(' ', "-")), text),
                None => thoth.path("missing.cedar"),
            };
            let run = sing(&thoth).arg("--policy").arg(&file).run();
            let line = run.error(HOST_ERROR);
            assert!(line.contains(named), "{line}");
            let check = thoth.bare().args(["enforcer", "check"]).arg(&file).run();
            assert_eq!(check.status.code(), Some(HOST_ERROR), "{check}");
        },
    );
}

#[test]
fn a_policy_file_that_permits_runs_the_call() {
    let thoth = thoth();
    let file = thoth.file("policy.cedar", PERMIT);
    let json = sing(&thoth).arg("--policy").arg(file).run().json(0);
    assert_eq!(json["outcome"], "completed");
}
