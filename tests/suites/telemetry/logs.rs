//! The program's own log: on stderr, at the level that is asked for.

use thoth_tests::{Answer, Faultd, tool};

use super::collector::thoth;

#[test]
fn the_level_is_that_of_the_variables_and_ours_goes_first() {
    let service = Faultd::start();
    let rows: [(&[(&str, &str)], bool); 8] = [
        (&[], false),
        (&[("THOTH_LOG_LEVEL", "debug")], true),
        (&[("THOTH_LOG_LEVEL", " DEBUG ")], true),
        (&[("THOTH_LOG_LEVEL", "10")], true),
        (&[("THOTH_LOG_LEVEL", "info")], false),
        (&[("LOG_LEVEL", "trace")], true),
        (
            &[("THOTH_LOG_LEVEL", "warning"), ("LOG_LEVEL", "debug")],
            false,
        ),
        (&[("THOTH_LOG_LEVEL", "loud")], false),
    ];
    for (variables, is_told) in rows {
        service.enforce(Answer::allow());
        let thoth = thoth();
        let call = thoth
            .call(tool("canary"))
            .args(["sing", r#"{"note":"a-note"}"#]);
        let call = call.args(["--enforcer-url", &service.url()]);
        let set = |call: thoth_tests::thoth::Invocation, (name, value): &(&str, &str)| {
            call.env(name, value)
        };
        let run = variables.iter().fold(call, set).run();
        let _ran = run.json(0);
        let told = run.stderr.contains("the policy service answered");
        assert_eq!(told, is_told, "{variables:?}: {run}");
        assert!(!run.stderr.contains("a-note"), "no argument: {run}");
    }
}
