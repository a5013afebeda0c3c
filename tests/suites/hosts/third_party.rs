//! Tools that the toolchains of others made, of 12 and 18 MB: governed, they send the request that was
//! decided on, or none.

use std::path::Path;

use serde_json::json;
use thoth_tests::hosts::{Caller, Invocation, compiled};
use thoth_tests::{Answer, Faultd, Language, Web};

use crate::{is_here, parts, vars};

/// What `fetch-json` says of a document at `asked`, and the requests that the web server got for that.
fn fetched(tool: &Path, service: &Faultd, web: &Web, asked: &str) -> (String, Vec<String>) {
    let before = web.heads().len();
    let url = format!("{}{asked}", web.origin());
    let invocation = Invocation {
        interface: None,
        function: "fetch-json",
        arguments: &json!([url]),
        named: &json!({ "url": url }),
        wave: &format!("fetch-json({url:?})"),
    };
    let said = Caller::Wasmtime.call(tool, &invocation, &vars(&service.url()));
    let targets = web.heads().split_off(before);
    let target = |head: String| head.split(' ').nth(1).unwrap_or_default().to_owned();
    (
        said.replace('\\', ""),
        targets.into_iter().map(target).collect(),
    )
}

fn a_tool_of_others_is_governed(language: Language) {
    if !is_here(Caller::Wasmtime, Caller::Wasmtime.find()) || !thoth_tests::is_here(language) {
        println!("skipped: what it takes is not on this machine");
        return;
    }
    let tool = &compiled(&parts::third_party(language));
    let (service, web) = (Faultd::start(), Web::start());

    service.enforce(Answer::allow());
    let (said, targets) = fetched(tool, &service, &web, "/v1/items.json");
    assert!(said.contains("lamp"), "{said}");
    assert_eq!(targets, ["/v1/items.json"]);

    service.enforce(Answer::block("not that"));
    let (said, targets) = fetched(tool, &service, &web, "/v1/items.json");
    assert!(said.contains("\"reason\":\"not that\""), "{said}");
    assert!(!said.contains("lamp"), "{said}");
    assert!(targets.is_empty(), "it ran: {targets:?}");

    let other = format!("{}/v1/items.json", web.origin());
    service.enforce(Answer::modify(json!({ "url": other })));
    let (said, targets) = fetched(tool, &service, &web, "/v1/none");
    assert!(said.contains("lamp"), "{said}");
    assert_eq!(targets, ["/v1/items.json"]);
    let asked = service.requests_to(thoth_tests::Site::Enforce);
    let asked = asked.last().unwrap().json();
    assert_eq!(asked["tool_name"], "fetch_json");
    assert_eq!(
        asked["tool_args"]["url"],
        format!("{}/v1/none", web.origin())
    );
}

#[test]
fn a_tool_written_in_javascript_is_governed_in_wasmtime_run() {
    a_tool_of_others_is_governed(Language::JavaScript);
}

#[test]
fn a_tool_written_in_python_is_governed_in_wasmtime_run() {
    a_tool_of_others_is_governed(Language::Python);
}
