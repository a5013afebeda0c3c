//! Facts about the page: who may open it, and what it may do.

use super::*;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

fn get(enforcer: &Enforcer, path: &str, headers: &[(&str, &str)]) -> http::Response<Bytes> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    enforcer.handle(request.body(Bytes::new()).unwrap())
}

/// Opens a session with a credential, and gives the header that has its key.
fn open(enforcer: &Enforcer, credential: &str) -> Result<String, StatusCode> {
    let bearer = format!("Bearer {credential}");
    let credentials = [("authorization", bearer.as_str())];
    match send_as(enforcer, &credentials, "POST", "/page/session", "{}") {
        (StatusCode::OK, answer) => Ok(format!("Bearer {}", answer["key"].as_str().unwrap())),
        (status, _) => Err(status),
    }
}

fn link_key(enforcer: &Enforcer) -> String {
    let link = enforcer.page_link().unwrap();
    let key = link.strip_prefix("http://127.0.0.1:8181/#key=").unwrap();
    key.to_owned()
}

fn transfer(enforcer: &Enforcer) -> String {
    let arguments = json!({"to_account": "b", "amount_cents": 5_000_000});
    let answer = decide(enforcer, "transfer", arguments);
    answer["hold_token"].as_str().unwrap().to_owned()
}

#[test]
fn every_file_forbids_what_it_does_not_need() {
    let enforcer = enforcer();
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/activity", "text/html; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/client.js", "text/javascript; charset=utf-8"),
        ("/page/text.js", "text/javascript; charset=utf-8"),
        ("/page/waiting.js", "text/javascript; charset=utf-8"),
        ("/page/activity.js", "text/javascript; charset=utf-8"),
        ("/page/chart.js", "text/javascript; charset=utf-8"),
    ] {
        let response = get(&enforcer, path, &[HTML]);
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), media_type);
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for name in response.headers().keys() {
            assert!(!name.as_str().starts_with("access-control-"), "{name}");
        }
        assert!(response.headers().get("set-cookie").is_none());
        let text = std::str::from_utf8(response.body()).unwrap();
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!text.contains(sink), "{path} has {sink}");
        }
        for elsewhere in ["https://", "url(", "@import"] {
            assert!(!text.contains(elsewhere), "{path} has {elsewhere}");
        }
    }
}

#[test]
fn the_link_or_the_approver_token_opens_the_page_and_nothing_else_does() {
    let enforcer = enforcer();
    let key = link_key(&enforcer);
    for credential in [key.as_str(), "approver-token"] {
        assert!(open(&enforcer, credential).is_ok());
    }
    assert_eq!(open(&enforcer, "agent-key"), Err(StatusCode::FORBIDDEN));
    for credential in ["", "0", "undefined", &key[1..]] {
        let refused = open(&enforcer, credential);
        assert_eq!(refused, Err(StatusCode::UNAUTHORIZED), "{credential}");
    }
    // The key of one process is nothing to another.
    assert_eq!(
        open(&super::enforcer(), &key),
        Err(StatusCode::UNAUTHORIZED)
    );
    // The link opens sessions and does not approve itself.
    let token = transfer(&enforcer);
    let path = format!("/acme/thoth/approvals/{token}/resolve");
    let bearer = format!("Bearer {key}");
    let credentials = [("authorization", bearer.as_str())];
    let (status, _) = send_as(
        &enforcer,
        &credentials,
        "POST",
        &path,
        r#"{"decision":"approve"}"#,
    );
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[test]
fn an_open_page_lists_a_hold_and_approves_what_it_shows() {
    let enforcer = enforcer();
    let bearer = open(&enforcer, &link_key(&enforcer)).unwrap();
    let credentials = [("authorization", bearer.as_str())];
    let token = transfer(&enforcer);
    let list = "/acme/thoth/approvals?status=pending";
    let (status, answer) = send_as(&enforcer, &credentials, "GET", list, "");
    assert_eq!((status, &answer["total"]), (StatusCode::OK, &json!(1)));
    let shown = &answer["data"][0];
    assert_eq!(shown["id"], json!(token));
    assert_eq!(shown["context"]["purpose"], "ops");
    assert_eq!(shown["context"]["delegation_chain"], json!(["p", "q"]));

    let path = format!("/acme/thoth/approvals/{token}/resolve");
    let resolve = |digest: &Value| {
        let body = json!({"decision": "approve", "resolved_by": "ann", "digest": digest});
        send_as(&enforcer, &credentials, "POST", &path, &body.to_string())
    };
    assert_eq!(resolve(&json!("00")).0, StatusCode::CONFLICT);
    let (status, answer) = resolve(&shown["digest"]);
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["status"], "approved");
    assert_eq!(answer["resolved_by"], "ann");
    assert_eq!(resolve(&shown["digest"]).0, StatusCode::CONFLICT);
    // A session is an approver's, so it is no agent's.
    let body = go_body("search_docs", json!({})).to_string();
    let (status, _) = send_as(&enforcer, &credentials, "POST", "/v1/enforce", &body);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[test]
fn only_json_that_is_posted_changes_anything() {
    let enforcer = enforcer();
    let bearer = open(&enforcer, &link_key(&enforcer)).unwrap();
    let token = transfer(&enforcer);
    let path = format!("/acme/thoth/approvals/{token}/resolve");
    for (method, media_type) in [
        ("GET", "application/json"),
        ("PUT", "application/json"),
        ("OPTIONS", "application/json"),
        ("POST", "text/plain"),
        ("POST", "application/x-www-form-urlencoded"),
        ("POST", "multipart/form-data"),
        ("POST", ""),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("authorization", &bearer)
            .header("content-type", media_type)
            .body(Bytes::from_static(br#"{"decision":"approve"}"#))
            .unwrap();
        let response = enforcer.handle(request);
        assert!(response.status().is_client_error(), "{method} {media_type}");
    }
    let approval = enforcer.store().approval(&token).unwrap().unwrap();
    assert_eq!(approval.status.as_str(), "pending");
}

#[test]
fn an_approval_url_is_a_page_to_a_browser_and_data_to_a_program() {
    let enforcer = enforcer();
    let path = format!("/acme/thoth/approvals/{}", transfer(&enforcer));
    let page = get(&enforcer, &path, &[HTML]);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.body().starts_with(b"<!doctype html>"));
    assert_eq!(approve(&enforcer, "GET", &path, "").0, StatusCode::OK);
    let (status, _) = send(&enforcer, "GET", &path, "");
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[test]
fn without_an_approver_token_there_is_no_page() {
    let options = Options {
        approver_token: None,
        ..options()
    };
    let policy = Policy::parse("policies/policy.cedar", POLICY).unwrap();
    let enforcer = Enforcer::new(policy, Store::in_memory().unwrap(), options).unwrap();
    assert_eq!(enforcer.page_link(), None);
    for path in ["/", "/activity", "/page/app.js"] {
        assert_eq!(
            get(&enforcer, path, &[HTML]).status(),
            StatusCode::NOT_FOUND
        );
    }
    assert!(open(&enforcer, "approver-token").is_err());
}

#[test]
fn the_oldest_session_ends_when_there_are_too_many() {
    let enforcer = enforcer();
    let key = link_key(&enforcer);
    let sessions: Vec<String> = (0..33).map(|_| open(&enforcer, &key).unwrap()).collect();
    let list = |bearer: &str| {
        let credentials = [("authorization", bearer)];
        send_as(&enforcer, &credentials, "GET", "/acme/thoth/approvals", "").0
    };
    assert_eq!(list(&sessions[0]), StatusCode::UNAUTHORIZED);
    assert_eq!(list(&sessions[1]), StatusCode::OK);
    assert_eq!(list(&sessions[32]), StatusCode::OK);
}

#[test]
fn a_tenant_without_a_name_and_one_that_is_a_dash_each_have_a_path() {
    let enforcer = enforcer();
    for (tenant, path) in [("", "-"), ("-", "%2D")] {
        let url = enforcer.approval_url(tenant, "hold_x").unwrap();
        assert!(
            url.ends_with(&format!("/{path}/thoth/approvals/hold_x")),
            "{url}"
        );
        let mut asked = go_body(
            "transfer",
            json!({"to_account": "b", "amount_cents": 5_000_000}),
        );
        asked["tenant_id"] = tenant.into();
        asked["identity_binding"]["tenant_id"] = tenant.into();
        let (status, held) = send(&enforcer, "POST", "/v1/enforce", &asked.to_string());
        assert_eq!(status, StatusCode::OK, "{held}");
        let token = held["hold_token"].as_str().unwrap();
        for other in ["-", "%2D"] {
            let wanted = format!("/{other}/thoth/approvals/{token}");
            let (status, row) = approve(&enforcer, "GET", &wanted, "");
            assert_eq!(status == StatusCode::OK, other == path, "{wanted}: {row}");
        }
    }
}
