//! Facts about who may ask what.

use crate::OptionsError;

use super::*;

#[test]
fn only_the_right_credential_opens_an_endpoint() {
    let enforcer = enforcer();
    let body = go_body("search_docs", json!({})).to_string();
    let approvals = "/acme/thoth/approvals";
    for (credentials, agent, approver) in [
        (&[][..], 401, 401),
        (&[("authorization", "Bearer agent-key")], 200, 403),
        (&[("Authorization", "bearer agent-key")], 200, 403),
        (&[("authorization", "Bearer  agent-key ")], 200, 403),
        (&[("X-API-Key", "agent-key")], 200, 403),
        (&[("x-api-key", "approver-token")], 401, 200),
        (&[("authorization", "Bearer approver-token")], 401, 200),
        (
            &[
                ("authorization", "Bearer agent-key"),
                ("x-api-key", "approver-token"),
            ],
            200,
            200,
        ),
        (&[("authorization", "Basic agent-key")], 401, 401),
        (&[("authorization", "agent-key")], 401, 401),
        (&[("authorization", "Bearer")], 401, 401),
        (&[("x-api-key", "")], 401, 401),
        (&[("x-api-key", "agent-ke")], 401, 401),
        (&[("x-api-key", "AGENT-KEY")], 401, 401),
    ] {
        let status = send_as(&enforcer, credentials, "POST", "/v1/enforce", &body).0;
        assert_eq!(status.as_u16(), agent, "{credentials:?}");
        let status = send_as(&enforcer, credentials, "GET", approvals, "").0;
        assert_eq!(status.as_u16(), approver, "{credentials:?}");
    }
    for (method, path) in [
        ("GET", "/v1/enforce/hold/x?api_key=agent-key"),
        ("POST", "/v1/events/batch"),
        ("POST", "/v1/explain"),
        ("POST", "/acme/thoth/tool-inventory"),
    ] {
        let status = send_as(&enforcer, &[], method, path, "{}").0;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[test]
fn without_credentials_agents_are_let_in_and_approvers_are_not() {
    let policy = Policy::parse("p.cedar", POLICY).unwrap();
    let enforcer = Enforcer::new(policy, Store::in_memory().unwrap(), Options::default()).unwrap();
    let body = go_body("transfer", json!({"amount_cents": 5_000_000})).to_string();
    let (status, answer) = send_as(&enforcer, &[], "POST", "/v1/enforce", &body);
    assert_eq!(status, StatusCode::OK);
    assert!(
        answer.get("approval_url").is_none(),
        "no base URL was given"
    );
    let status = send_as(&enforcer, &[], "GET", "/acme/thoth/approvals", "").0;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[test]
fn options_that_protect_nothing_are_refused() {
    let refused = |options: Options| {
        let policy = Policy::parse("p.cedar", POLICY).unwrap();
        Enforcer::new(policy, Store::in_memory().unwrap(), options).map(|_| ())
    };
    let same = Options {
        approver_token: Some("agent-key".into()),
        ..options()
    };
    assert_eq!(refused(same), Err(OptionsError::SameCredential));
    let blank = Options {
        api_key: Some(" ".into()),
        ..options()
    };
    assert_eq!(refused(blank), Err(OptionsError::Blank("API key")));
    for url in ["", "127.0.0.1:1", "ftp://x", "/x"] {
        let options = Options {
            base_url: Some(url.to_owned()),
            ..options()
        };
        assert!(
            matches!(refused(options), Err(OptionsError::BaseUrl(_))),
            "{url}"
        );
    }
}
