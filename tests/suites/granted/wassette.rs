//! A wassette policy as it is, for a component of ours.

use serde_json::json;

use super::config::Home;

#[test]
fn what_a_wassette_policy_allows_is_granted_and_what_it_leaves_out_is_warned_of() {
    let home = Home::new();
    let policy = home.thoth.file("policy.yaml", format!(
        "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - host: \"{}\"\n      - cidr: 10.0.0.0/8\n  \
         environment:\n    allow:\n      - key: COLOUR\n  resources:\n    limits:\n      memory: 64Mi\n",
        home.web.origin(),
    ));
    let config = home.thoth.file(
        "empty.toml",
        format!("enforcer_url = \"{}\"\n", home.service.url()),
    );
    let call = home.with(config.clone(), json!([]));
    let run = call.arg("--wassette-policy").arg(&policy).run();
    assert_eq!(run.json(0)["result"], 200, "{run}");
    assert_eq!(home.web.connections(), 1);
    assert!(run.stderr.contains("policy.yaml:6:"), "the range: {run}");
    let around = home
        .thoth
        .call(&home.component)
        .args(["looks_around", "{}"]);
    let around = around.env("COLOUR", "green").arg("--config").arg(&config);
    let run = around.arg("--wassette-policy").arg(&policy).run();
    assert_eq!(run.json(0)["result"], json!(["env COLOUR"]), "{run}");
    let grows = home
        .thoth
        .call(&home.component)
        .args(["grows_memory", "{}"]);
    let run = grows
        .arg("--config")
        .arg(&config)
        .arg("--wassette-policy")
        .arg(&policy)
        .run();
    let json = run.json(5);
    assert_eq!(json["cause"], "limit_memory", "{run}");
    assert!(
        json["reason"]
            .as_str()
            .unwrap()
            .contains(&(64 << 20).to_string()),
        "{run}"
    );
}

#[test]
fn a_wassette_policy_with_a_deny_list_or_an_unknown_key_is_refused() {
    for (text, said) in [
        ("  network:\n    deny:\n      - host: a.example\n", "deny"),
        ("  netwrok:\n    allow: []\n", "network"),
    ] {
        let home = Home::new();
        let text = format!("version: \"1.0\"\npermissions:\n{text}");
        let policy = home.thoth.file("policy.yaml", text);
        let call = home.with(home.config(""), json!([]));
        let run = call.arg("--wassette-policy").arg(policy).run();
        let error = run.error(2);
        assert!(
            error.contains("policy.yaml:") && error.contains(said),
            "{run}"
        );
        assert_eq!(home.web.connections(), 0);
    }
}
