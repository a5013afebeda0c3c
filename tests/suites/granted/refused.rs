//! Configurations that are refused as a whole, each with the line and what is wrong.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;
use thoth_tests::table;

use super::config::Home;

#[test]
fn a_mistake_names_its_line() {
    // What stands on line 4, and what is said of it.
    let rows = [
        ("netwrok = []", "network"),
        ("sha256 = \"12\"", "SHA-256"),
        ("limits = { feul = 1 }", "fuel"),
        ("limits = { memory = \"256MB?\" }", "256MB?"),
        ("environment = [\"THOTH_API_KEY\"]", "this program's own"),
        ("secrets = [\"key\"]", "there is no secret `key`"),
        (
            "files = [{ host = \"none\", guest = \"/d\", access = \"read-only\" }]",
            "none",
        ),
        ("component = \"hostile.wasm\"", "duplicate key"),
    ];
    table::each(
        &rows,
        |(line, _)| (*line).to_owned(),
        |(line, said)| {
            let home = Home::new();
            let run = home.with(home.config(line), json!([])).run();
            let error = run.error(2);
            assert!(error.contains("thoth.toml:4:"), "{run}");
            assert!(error.contains(said), "{run}");
            assert_eq!(home.web.connections(), 0);
            assert!(home.service.requests().is_empty(), "nobody was asked");
        },
    );
}

#[test]
fn a_file_that_everyone_may_write_to_is_refused() {
    let home = Home::new();
    let config = home.config("");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o666)).unwrap();
    let run = home.with(config, json!([])).run();
    assert!(run.error(2).contains("chmod o-w"), "{run}");
    assert_eq!(home.web.connections(), 0);
}

#[test]
fn a_file_that_is_not_there_or_is_none_is_refused() {
    let home = Home::new();
    for path in [home.thoth.path("none.toml"), home.thoth.path("")] {
        home.with(path, json!([])).run().assert_code(2);
    }
    let run = home.sends(json!([])).env("THOTH_CONFIG", "none.toml").run();
    assert!(run.error(2).contains("none.toml"), "{run}");
}

#[test]
fn a_folder_that_would_show_the_state_is_refused() {
    // The flag's state folder, one in the configuration, and the configuration itself.
    let home = Home::new();
    fs::create_dir(home.thoth.path("docs")).unwrap();
    fs::create_dir(home.thoth.state_dir()).unwrap();
    let folder = |host: &str, access: &str| {
        home.config(&format!(
            "files = [{{ host = \"{host}\", guest = \"/docs\", access = \"{access}\" }}]"
        ))
    };
    for (host, access) in [
        ("state", "read-only"),
        (".", "read-only"),
        (".", "read-write"),
    ] {
        let run = home.with(folder(host, access), json!([])).run();
        run.assert_code(2);
        let error = run.error(2);
        assert!(
            error.contains("folder") || error.contains("would"),
            "{host} {access}: {run}"
        );
    }
    for flag in ["state:/s:ro", ".:/home:ro", ".:/home:rw"] {
        let run = home
            .with(home.config(""), json!([]))
            .args(["--allow-dir", flag])
            .run();
        assert!(run.error(2).contains("would show"), "{flag}: {run}");
    }
    assert_eq!(home.web.connections(), 0);
}

#[test]
fn a_folder_with_keys_or_with_what_grants_is_refused_however_it_is_granted() {
    let rows: [(&[&str], &str); 8] = [
        (
            &["--api-key-file", "keys/key", "--allow-dir", "keys:/k:ro"],
            "would show",
        ),
        (
            &[
                "--allow-secret",
                "gh=file:keys/key",
                "--allow-dir",
                "keys:/k:ro",
            ],
            "would show",
        ),
        (
            &[
                "--api-key-file",
                "keys/key",
                "--wassette-policy",
                "policy.yaml",
            ],
            "would show",
        ),
        (
            &["--ca-file", "keys/key", "--allow-dir", "keys:/k:rw"],
            "could change",
        ),
        (&["--allow-dir", "config:/c:rw"], "could change"),
        (&["--allow-dir", "/proc:/p:ro"], "would show `/proc`"),
        (&["--allow-dir", "/proc/self:/p:ro"], "would show `/proc`"),
        (&["--allow-dir", "/sys:/p:rw"], "would show `/sys`"),
    ];
    table::each(
        &rows,
        |(flags, _)| flags.join(" "),
        |(flags, said)| {
            let home = Home::new();
            for folder in ["keys", "config"] {
                fs::create_dir(home.thoth.path(folder)).unwrap();
            }
            home.thoth.file("keys/key", "k3y");
            let keys = home.thoth.path("keys");
            home.thoth.file(
                "policy.yaml",
                format!(
                    "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n    \
                     - uri: \"fs://{}\"\n      access: [\"read\"]\n",
                    keys.display()
                ),
            );
            let config = home.thoth.path("config/thoth.toml");
            let text = fs::read_to_string(home.config("")).unwrap();
            fs::write(&config, text.replace("hostile.wasm", "../hostile.wasm")).unwrap();
            let run = home.with(config, json!([])).args(*flags).run();
            assert!(run.error(2).contains(said), "{run}");
            assert!(home.service.requests().is_empty(), "nobody was asked");
        },
    );
}

#[test]
fn flags_are_held_to_the_same() {
    let rows: [(&[&str], &str); 9] = [
        (&["--allow-net", "http://*/v1"], "*"),
        (
            &["--allow-net", "https://a.example/v1/* GET govrn"],
            "govrn",
        ),
        (&["--allow-net", "ftp://a.example/"], "ftp"),
        (&["--allow-net", "http://a.example/"], "allow-private"),
        (&["--allow-env", "THOTH_API_KEY"], "this program's own"),
        (&["--allow-env", "LANG=C"], "LANG"),
        (&["--allow-dir", "none:/d:ro"], "none"),
        (
            &[
                "--allow-net",
                "https://a.example/* GET",
                "--allow-net",
                "https://a.example/v1/* GET govern",
            ],
            "hidden",
        ),
        (&["--allow-env", "LANG", "--allow-env", "LANG"], "twice"),
    ];
    table::each(
        &rows,
        |(flags, _)| flags.join(" "),
        |(flags, said)| {
            let home = Home::new();
            let run = home.with(home.config(""), json!([])).args(*flags).run();
            run.assert_code(2);
            assert!(run.stderr.contains(said), "{run}");
            assert!(home.service.requests().is_empty(), "nobody was asked");
        },
    );
}

#[test]
fn a_rule_that_the_configuration_hides_is_refused_as_a_flag() {
    let home = Home::new();
    let rule = format!(
        "{}/v1/items.json GET allow-private govern",
        home.web.origin()
    );
    let run = home
        .with(home.config(""), json!([]))
        .args(["--allow-net", &rule])
        .run();
    assert!(run.error(2).contains("hidden by"), "{run}");
}
