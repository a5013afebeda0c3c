//! One world, written in Rust, JavaScript and Python with the toolchains of others: each does
//! something useful, governed, with the default limits and what it is granted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use thoth_tests::{Language, Run, Thoth, Web, fetcher, flags, web::ITEMS};

const POLICY: &str = "permit (principal, action, resource);";

/// The same facts for each language; one whose toolchain is not there is left out by its name.
macro_rules! in_each_language {
    ($($name:ident)*) => {
        in_each_language!(rust, Rust, $($name)*);
        in_each_language!(javascript, JavaScript, $($name)*);
        in_each_language!(python, Python, $($name)*);
    };
    ($module:ident, $language:ident, $($name:ident)*) => {
        mod $module {
            $(#[test]
            fn $name() {
                if thoth_tests::is_here(thoth_tests::Language::$language) {
                    super::$name(thoth_tests::Language::$language);
                } else {
                    println!("left out: its toolchain is not on this machine");
                }
            })*
        }
    };
}

in_each_language! {
    text_is_transformed
    without_a_grant_nothing_is_reached
    inspect_names_the_tools_and_what_they_could_ask_for
    a_document_is_fetched_where_it_is_granted
    a_folder_is_read_where_it_is_granted
    wrapped_it_refuses_where_its_governor_has_nobody_to_ask
}

fn call(language: Language, tool: &str, arguments: &Value, grants: &[String]) -> Run {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let policy = thoth.file("policy.cedar", POLICY);
    let call = thoth.call(fetcher(language)).arg(tool);
    let call = call.arg(arguments.to_string()).args(grants);
    call.arg("--policy").arg(policy).run()
}

fn text_is_transformed(language: Language) {
    let rows = [
        (
            "upper",
            "a Hall of Mirrors, 1684",
            "A HALL OF MIRRORS, 1684",
        ),
        ("title", "a hall of mirrors", "A Hall Of Mirrors"),
        (
            "slug",
            " A Hall, of Mirrors (1684)! ",
            "a-hall-of-mirrors-1684",
        ),
    ];
    for (style, text, expected) in rows {
        let run = call(
            language,
            "transform",
            &json!({"text": text, "style": style}),
            &[],
        );
        assert_eq!(run.json(0)["result"], expected, "{run}");
    }
    let run = call(
        language,
        "transform",
        &json!({"text": "", "style": "loud"}),
        &[],
    );
    assert!(run.error(2).contains("loud"), "{run}");
}

fn without_a_grant_nothing_is_reached(language: Language) {
    let web = Web::start();
    let url = format!("{}/v1/items.json", web.origin());
    let rows = [
        ("fetch_json", json!({ "url": url })),
        ("list_folder", json!({"path": "/"})),
        ("read_text", json!({"path": "/etc/passwd"})),
    ];
    for (tool, arguments) in rows {
        let run = call(language, tool, &arguments, &[]);
        let json = run.json(5);
        assert_eq!(json["cause"], "tool_error", "{run}");
        assert!(!json["error"].as_str().unwrap().is_empty(), "{run}");
    }
    assert_eq!(web.connections(), 0);
}

fn inspect_names_the_tools_and_what_they_could_ask_for(language: Language) {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let inspect = thoth.bare().arg("inspect").arg(fetcher(language));
    let run = inspect.arg("--json").run();
    let json = run.json(0);
    let tools: Vec<&str> = json["tools"].as_array().unwrap().iter().map(name).collect();
    for tool in ["fetch_json", "list_folder", "read_text", "transform"] {
        assert!(tools.contains(&tool), "{tool} is not in {tools:?}");
    }
    let imports = json["imports"].to_string();
    for import in [
        "wasi:http/outgoing-handler@0.2",
        "wasi:filesystem/types@0.2",
    ] {
        assert!(imports.contains(import), "{imports}");
    }
}

fn name(tool: &Value) -> &str {
    tool["name"].as_str().unwrap()
}

fn a_document_is_fetched_where_it_is_granted(language: Language) {
    let web = Web::start();
    let rule = format!("{}/v1/* GET allow-private", web.origin());
    let grants = ["--allow-net".to_owned(), rule];
    if flags::wait_for(&grants) {
        println!("waits for {}", grants[0]);
        return;
    }
    let fetch = |path: &str| {
        let url = format!("{}{path}", web.origin());
        call(language, "fetch_json", &json!({ "url": url }), &grants)
    };
    let run = fetch("/v1/items.json");
    let document: Value = serde_json::from_str(run.json(0)["result"].as_str().unwrap()).unwrap();
    assert_eq!(document, serde_json::from_str::<Value>(ITEMS).unwrap());
    for (path, said) in [
        ("/v1/none", "404"),
        ("/v1/redirect", "302"),
        ("/v1/text", "JSON"),
    ] {
        let run = fetch(path);
        let error = run.json(5)["error"].to_string();
        assert!(error.contains(said), "{run}");
    }
    let asked = web.heads().len();
    assert_eq!(fetch("/other").json(5)["cause"], "tool_error");
    assert_eq!(web.heads().len(), asked, "a path that is not granted");
}

fn a_folder_is_read_where_it_is_granted(language: Language) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("notes")).unwrap();
    std::fs::write(folder.path().join("a.md"), "# Ä\n").unwrap();
    std::fs::write(folder.path().join("notes/b.bin"), [0xff, 0xfe]).unwrap();
    let long = "Grüße ".repeat(20_000);
    std::fs::write(folder.path().join("long.md"), &long).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("out")).unwrap();
    let rule = format!("{}:/docs:ro", folder.path().display());
    let grants = ["--allow-dir".to_owned(), rule];
    if flags::wait_for(&grants) {
        println!("waits for {}", grants[0]);
        return;
    }
    let with = |tool: &str, path: &str| call(language, tool, &json!({ "path": path }), &grants);
    assert_eq!(
        with("list_folder", "/docs").json(0)["result"],
        json!(["a.md", "long.md", "notes/", "out"])
    );
    assert_eq!(with("read_text", "/docs/a.md").json(0)["result"], "# Ä\n");
    assert_eq!(with("read_text", "/docs/long.md").json(0)["result"], long);
    for path in [
        "/docs/notes/b.bin",
        "/docs/out/passwd",
        "/docs/../etc/passwd",
        "/docs/none",
    ] {
        assert_eq!(with("read_text", path).json(5)["cause"], "tool_error");
    }
}

/// Hard links: the granted folder shows a name of its own, and the file is somebody else's.
#[test]
fn no_key_and_no_log_is_read_under_another_name() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let policy = thoth.file("policy.cedar", POLICY);
    let call = |arguments: Value| {
        let call = thoth.call(fetcher(Language::Rust)).arg("read_text");
        let call = call.arg(arguments.to_string()).arg("--policy").arg(&policy);
        call.args(["--allow-dir", "docs:/docs:ro"])
            .args(["--allow-secret", "gh=file:keys/gh"])
            .run()
    };
    std::fs::create_dir(thoth.path("docs")).unwrap();
    std::fs::create_dir(thoth.path("keys")).unwrap();
    thoth.file("keys/gh", "canary-of-a-key");
    thoth.file("docs/own", "text");
    // The first call makes the log.
    assert_eq!(call(json!({"path": "/docs/own"})).json(0)["result"], "text");
    for (private, name) in [
        (thoth.path("keys/gh"), "docs/key"),
        (policy.clone(), "docs/policy"),
        (thoth.state_dir().join("events.db"), "docs/log"),
    ] {
        std::fs::hard_link(private, thoth.path(name)).unwrap();
        let run = call(json!({"path": format!("/{name}")}));
        assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
        assert!(!run.to_string().contains("canary-of-a-key"), "{run}");
    }
    std::fs::hard_link(thoth.path("docs/own"), thoth.path("docs/twice")).unwrap();
    assert_eq!(
        call(json!({"path": "/docs/twice"})).json(0)["result"],
        "text"
    );
}

/// This host keeps `THOTH_*` to itself, so the governor that travels with the tool has nobody to ask,
/// whatever the host's own policy permits and grants.
fn wrapped_it_refuses_where_its_governor_has_nobody_to_ask(language: Language) {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let policy = thoth.file("policy.cedar", POLICY);
    let governed = thoth.path("governed.wasm");
    let wrap = thoth.bare().arg("wrap").arg(fetcher(language));
    wrap.arg("-o").arg(&governed).run().assert_code(0);

    let web = Web::start();
    let rule = format!("{}/v1/* GET allow-private", web.origin());
    let asked = json!({ "url": format!("{}/v1/items.json", web.origin()) });
    let call = thoth
        .call(&governed)
        .arg("fetch_json")
        .arg(asked.to_string());
    let run = call
        .args(["--allow-net", &rule])
        .arg("--policy")
        .arg(policy);
    let run = run.run();
    let refusal = run.json(5)["error"].as_str().unwrap().to_owned();
    let refusal: Value = serde_json::from_str(&refusal).unwrap();
    assert_eq!(refusal["outcome"], "refused", "{run}");
    assert_eq!(refusal["cause"], "configuration", "{run}");
    assert_eq!(web.connections(), 0, "it ran");
}
