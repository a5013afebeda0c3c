//! Tools in Rust, JavaScript and Python behind one server, each with what it is granted.

use serde_json::{Value, json};
use thoth_tests::{Language, Web, fetcher, is_here, web::ITEMS};

use super::scene::{outcome, plain, thoth};

/// The languages whose toolchains are here, with the prefix of their tools.
fn languages() -> Vec<(Language, &'static str)> {
    let all = [
        (Language::Rust, "rs"),
        (Language::JavaScript, "js"),
        (Language::Python, "py"),
    ];
    let here = |(language, prefix): &(Language, &str)| {
        let here = is_here(*language);
        if !here {
            println!("left out: {prefix}, its toolchain is not on this machine");
        }
        here
    };
    all.into_iter().filter(here).collect()
}

#[test]
fn tools_in_each_language_are_served_by_one_server_with_their_grants() {
    let (thoth, web) = (thoth(), Web::start());
    let languages = languages();
    std::fs::create_dir(thoth.path("docs")).unwrap();
    std::fs::write(thoth.path("docs/a.md"), "# Ä\n").unwrap();
    let all = r#"@id("all") permit (principal, action == Action::"call", resource);"#;
    thoth.file("policy.cedar", all);
    let mut text = "policy = \"policy.cedar\"\n".to_owned();
    for (language, prefix) in &languages {
        text += &format!(
            "[tools.{prefix}]\ncomponent = \"{}\"\nprefix = \"{prefix}\"\n\
             network = [{{ url = \"{}/v1/*\", methods = [\"GET\"], allow_private = true }}]\n\
             files = [{{ host = \"docs\", guest = \"/docs\", access = \"read-only\" }}]\n",
            fetcher(*language).display(),
            web.origin()
        );
    }
    // The same component without a grant reaches nothing, whatever its neighbours may.
    let bare = thoth.path("bare.wasm");
    std::fs::copy(fetcher(Language::Rust), &bare).unwrap();
    text += "[tools.bare]\ncomponent = \"bare.wasm\"\nprefix = \"bare\"\n";
    let config = thoth.file("thoth.toml", text);
    let mut client = plain(thoth.command("serve").arg("--config").arg(config));
    let list = client.call("tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<&str> = (list.as_array().unwrap().iter())
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    let items = format!("{}/v1/items.json", web.origin());
    for (_, prefix) in &languages {
        let mut call = |tool: &str, arguments: Value| {
            let name = format!("{prefix}_{tool}");
            assert!(names.contains(&name.as_str()), "{name}: {names:?}");
            client.tool(&name, arguments)
        };
        let result = |answer: Value| {
            assert_eq!(answer["isError"], false, "{prefix}: {answer}");
            answer["structuredContent"]["result"].clone()
        };
        let shouted = call("transform", json!({"text": "a hall", "style": "upper"}));
        assert_eq!(result(shouted), "A HALL", "{prefix}");
        let fetched = result(call("fetch_json", json!({ "url": items })));
        let document: Value = serde_json::from_str(fetched.as_str().unwrap()).unwrap();
        assert_eq!(document, serde_json::from_str::<Value>(ITEMS).unwrap());
        let listed = result(call("list_folder", json!({"path": "/docs"})));
        assert_eq!(listed, json!(["a.md"]), "{prefix}");
        let read = result(call("read_text", json!({"path": "/docs/a.md"})));
        assert_eq!(read, "# Ä\n", "{prefix}");
        let asked = web.heads().len();
        let other = format!("{}/other", web.origin());
        let denied = call("fetch_json", json!({ "url": other }));
        assert_eq!(
            outcome(&denied)["cause"],
            "tool_error",
            "{prefix}: {denied}"
        );
        assert_eq!(web.heads().len(), asked, "a path that is not granted");
    }
    let asked = web.connections();
    let denied = client.tool("bare_fetch_json", json!({ "url": items }));
    assert_eq!(outcome(&denied)["cause"], "tool_error", "{denied}");
    assert_eq!(web.connections(), asked);
}
