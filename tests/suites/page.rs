//! The page on which a human decides, in a real browser. Where there is none, each test says on stderr
//! that it is left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use thoth_tests::{Browser, Thoth, client, thoth::Running, tool};

const KEY: &str = "thoth_test_k";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Large transfers wait for a quarter of an hour, `hurry` for two seconds, and everything for a human.
const POLICY: &str = r#"
//! type Arguments = { amount_cents?: Long };
@id("small") permit (principal, action == Action::"call", resource == Tool::"search_docs");
@id("no-hr") @reason("personnel files are not for agents")
forbid (principal, action == Action::"call", resource == Tool::"read_doc");
@id("hurry") @decision("STEP_UP") @step_up_seconds("2") @reason("be quick")
permit (principal, action == Action::"call", resource == Tool::"hurry");
@id("ask") @decision("STEP_UP") @step_up_seconds("900") @classification("write")
@reason("a human looks at that")
permit (principal, action == Action::"call", resource)
unless { [Tool::"search_docs", Tool::"hurry", Tool::"read_doc"].contains(resource) };
@id("no-notes") @decision("MODIFY") @modify("{\"include_internal\": false}")
permit (principal, action == Action::"call", resource == Tool::"export_text");
"#;

/// A served enforcer, the link that it printed, and a browser.
struct Scene {
    thoth: Thoth,
    url: String,
    link: String,
    browser: Browser,
    _running: Running,
}

impl Scene {
    fn start(what: &str) -> Option<Self> {
        let browser = Browser::start(what)?;
        let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"))
            .env("THOTH_API_KEY", KEY)
            .env("USER", "ann");
        let policy = thoth.file("policy.cedar", POLICY);
        let serve = thoth
            .bare()
            .args(["enforcer", "serve", "--listen", "127.0.0.1:0", "--policy"]);
        let serve = serve.arg(policy).arg("--state-dir").arg(thoth.state_dir());
        let mut running = serve.spawn();
        let url = running.stdout_line(|line| line.starts_with("http://127.0.0.1:"));
        let link = running.stderr_line(|line| line.contains("/#key="));
        let link = link.rsplit(' ').next().unwrap().to_owned();
        Some(Self {
            thoth,
            url,
            link,
            browser,
            _running: running,
        })
    }

    /// Opens the printed link, and waits until the page is told what there is.
    fn open(&self) {
        self.browser.open(&self.link);
        self.live();
    }

    fn live(&self) {
        self.browser.wait("document.querySelector('.link.live')");
    }

    /// Asks about a call as an SDK does, and gives the answer.
    fn ask(&self, fields: Value) -> Value {
        let mut asked = json!({
            "agent_id": "bot", "tenant_id": "acme", "user_id": "sam", "session_id": "s-1",
            "tool_name": "transfer", "approved_scope": [], "session_tool_calls": [],
            "enforcement_mode": "block", "purpose": "pay invoice 4711",
            "tool_args": {"from_account": "operations", "amount_cents": 1_250_000},
        });
        let asked_object = asked.as_object_mut().unwrap();
        asked_object.extend(fields.as_object().unwrap().clone());
        client::post(&self.url, "/v1/enforce", &[("x-api-key", KEY)], &asked).json(200)
    }

    /// Asks about a call that is held, and gives its token.
    fn hold(&self, fields: Value) -> String {
        let answer = self.ask(fields);
        answer["hold_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    fn poll(&self, token: &str) -> Value {
        let path = format!("/v1/enforce/hold/{token}");
        client::get(&self.url, &path, &[("x-api-key", KEY)]).json(200)
    }

    /// Waits until a hold's card can be clicked on.
    fn card(&self, token: &str) {
        self.browser
            .wait(&format!("document.getElementById('{token}')"));
        // A click sooner after the list has moved is one that missed.
        let settled =
            "(window.since ??= performance.now(), performance.now() - window.since > 800)";
        self.browser.wait(settled);
    }

    fn assert_quiet(&self) {
        assert_eq!(self.browser.complaints(), Vec::<String>::new());
    }
}

#[test]
fn a_call_that_waits_is_approved_with_the_mouse_and_runs() {
    let Some(scene) = Scene::start("approving with the mouse") else {
        return;
    };
    scene.open();
    scene
        .browser
        .wait("document.getElementById('nothing').offsetParent");
    scene.browser.picture("empty.png");
    let arguments =
        r#"{"from_account":"operations","to_account":"suppliers","amount_cents":1250000}"#;
    let mut call = scene
        .thoth
        .call(tool("ledger"))
        .args(["transfer", arguments, "--enforcer-url", &scene.url])
        .args([
            "--tenant-id",
            "acme",
            "--agent-id",
            "bot",
            "--purpose",
            "pay invoice 4711",
        ])
        .spawn();
    let told = call.stderr_line(|line| line.contains("approve it at"));
    let token = told.rsplit('/').next().unwrap().to_owned();
    scene.card(&token);
    let text = scene
        .browser
        .value("document.querySelector('.card').innerText");
    for shown in [
        "transfer",
        "bot of acme",
        "pay invoice 4711",
        "1250000",
        "\"suppliers\"",
        "a human looks at that",
        "approves exactly",
        " min ",
        // The host says which component it would run.
        "tool ",
    ] {
        assert!(text.as_str().unwrap().contains(shown), "{shown}: {text}");
    }
    // The link that the agent's side was told leads the approver to the card.
    let url = told.rsplit(' ').next().unwrap();
    assert!(url.starts_with(&scene.url), "{told}");
    scene.browser.open(url);
    scene.live();
    scene.card(&token);
    scene
        .browser
        .wait(&format!("document.activeElement.id === '{token}'"));
    scene.browser.write(".card .reason", "invoice checked");
    scene.browser.click(".card .primary");
    scene
        .browser
        .wait("document.querySelector('#decided-list .approved')");
    let ended = call.wait();
    assert_eq!(ended.json(0)["outcome"], "completed");
    let decided = scene
        .browser
        .value("document.getElementById('decided').innerText");
    assert!(
        decided
            .as_str()
            .unwrap()
            .contains("by ann — invoice checked"),
        "{decided}"
    );
    scene.assert_quiet();
}

#[test]
fn a_call_is_denied_with_a_reason_by_the_keyboard_alone() {
    let Some(scene) = Scene::start("denying with the keyboard") else {
        return;
    };
    scene.open();
    let other = scene.hold(json!({"session_id": "s-2"}));
    let token = scene.hold(json!({}));
    scene.card(&token);
    let browser = &scene.browser;
    // One key never decides, and letters in the reason are no commands.
    browser.press("jr");
    browser.press("add aj");
    browser.press(ESCAPE);
    browser.press("a");
    browser.press("d");
    assert_eq!(scene.poll(&token)["resolved"], false);
    browser.press(ENTER);
    browser.wait("document.querySelector('#decided-list .denied')");
    let answer = scene.poll(&token);
    assert_eq!(answer["resolution"], "BLOCK");
    assert_eq!(answer["reason"], "denied by ann: add aj");
    assert_eq!(scene.poll(&other)["resolved"], false);
    // The focus goes on to the next card, and keys to the other view and back.
    browser.wait(&format!("document.activeElement.id === '{other}'"));
    browser.press("v");
    browser.wait("location.pathname === '/activity'");
    browser.press("w");
    browser.wait("location.pathname === '/'");
    scene.assert_quiet();
}

#[test]
fn a_hold_that_nobody_decides_expires_on_the_page_as_well() {
    let Some(scene) = Scene::start("a hold that expires") else {
        return;
    };
    scene.open();
    let token = scene.hold(json!({"tool_name": "hurry"}));
    scene
        .browser
        .wait("document.querySelector('.chip.expired')");
    scene.browser.wait("!document.querySelector('.card')");
    assert_eq!(
        scene.poll(&token)["decision_reason_code"],
        "step_up_timeout"
    );
    scene.assert_quiet();
}

#[test]
fn what_a_terminal_decides_is_shown_on_the_page() {
    let Some(scene) = Scene::start("two approvers") else {
        return;
    };
    scene.open();
    let token = scene.hold(json!({}));
    scene.card(&token);
    let approve = scene.thoth.bare().args(["approvals", "approve", &token]);
    let approved = approve.args(["--reason", "by phone", "--state-dir"]);
    let _line = approved.arg(scene.thoth.state_dir()).run().assert_code(0);
    scene
        .browser
        .wait("document.querySelector('#decided-list .approved')");
    scene.browser.wait("!document.querySelector('.card')");
    scene.assert_quiet();
}

#[test]
fn a_decision_that_comes_too_late_says_what_became_of_the_call() {
    let Some(scene) = Scene::start("a late decision") else {
        return;
    };
    scene.open();
    let token = scene.hold(json!({}));
    scene.card(&token);
    // The page is asleep when somebody else decides.
    let _ = scene.browser.value("window.fetch = ((real) => (path, options) => path.endsWith('/resolve') \
        ? new Promise((go) => { window.go = go; }).then(() => real(path, options)) : real(path, options))(fetch)");
    scene.browser.click(".card .primary");
    let deny = scene
        .thoth
        .bare()
        .args(["approvals", "deny", &token, "--state-dir"]);
    let _line = deny.arg(scene.thoth.state_dir()).run().assert_code(0);
    let _ = scene.browser.value("(window.go(), true)");
    scene
        .browser
        .wait("document.querySelector('#decided-list .denied')");
    assert_eq!(scene.poll(&token)["decision_reason_code"], "step_up_denied");
}

#[test]
fn a_click_that_comes_as_the_list_moves_decides_nothing() {
    let Some(scene) = Scene::start("a list that moves") else {
        return;
    };
    scene.open();
    let first = scene.hold(json!({}));
    scene.card(&first);
    let second = scene.hold(json!({"session_id": "s-2"}));
    // In one task, so that nothing else comes between.
    scene
        .browser
        .wait(&format!("document.getElementById('{second}')"));
    let _ = scene.browser.value(
        "(window.moved = new Promise((done) => new MutationObserver(() => {
             document.querySelector('.card .primary').dispatchEvent(new MouseEvent('click', { detail: 1 }));
             done();
         }).observe(document.getElementById('queue'), { childList: true })), true)",
    );
    let third = scene.hold(json!({"session_id": "s-3"}));
    scene.browser.wait("document.querySelector('#toast.shown')");
    for token in [first, second, third] {
        assert_eq!(scene.poll(&token)["resolved"], false);
    }
}

#[test]
fn hostile_text_in_every_field_stays_text() {
    let Some(scene) = Scene::start("hostile text") else {
        return;
    };
    scene.open();
    let browser = &scene.browser;
    let evil = "</b></td></script><img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>\
                <a href='javascript:window.pwned=1'>x</a>\u{202e}gnp\u{200b}\u{1b}[2J\u{0}\u{2028}\
                p\u{430}ypal{{7*7}}${7*7}%0d%0a";
    let mut arguments = json!({"list": [evil, {"deep": evil}], "long": evil.repeat(40)});
    let object = arguments.as_object_mut().unwrap();
    object.insert(evil.replace('\0', ""), evil.into());
    for name in ["__proto__", "constructor", "toString", "innerHTML"] {
        object.insert(name.to_owned(), evil.into());
    }
    let token = scene.hold(json!({
        "tool_name": evil, "agent_id": evil, "tenant_id": evil, "user_id": evil, "session_id": evil,
        "purpose": evil, "session_intent": evil, "data_classification": evil, "model_name": evil,
        "environment": evil, "action_attestation_id": evil, "tool_args": arguments,
        "task_context": {"initiated_by": evil, "task_id": evil, "chain": [evil, evil]},
    }));
    let event = json!({"events": [{
        "event_id": evil, "event_type": evil, "tenant_id": evil, "session_id": evil,
        "tool_name": evil, "agent_id": evil, "content": evil,
        "metadata": {"authorization_decision": evil, "action_attestation_id": evil, "more": evil},
    }]});
    let answer = client::post(
        &scene.url,
        "/v1/events/batch",
        &[("x-api-key", KEY)],
        &event,
    );
    assert_eq!(answer.status, 202);
    scene.card(&token);
    while browser.value("document.querySelectorAll('.more').length") != json!(0) {
        browser.click(".more");
    }
    browser.picture("hostile.png");
    let harmless =
        "document.querySelectorAll('main img, main script, main a, main iframe, [onerror]').length";
    assert_eq!(browser.value(harmless), json!(0));
    let text = browser.value("document.querySelector('.card').textContent");
    let text = text.as_str().unwrap();
    for escape in ["\\u202e", "\\u200b", "\\u001b", "\\u0000", "\\u2028"] {
        assert!(text.contains(escape), "{escape} is not shown");
    }
    for hidden in ['\u{202e}', '\u{200b}', '\u{1b}', '\0', '\u{2028}'] {
        assert!(!text.contains(hidden), "{hidden:?} is not escaped");
    }
    for name in ["__proto__", "constructor", "toString", "innerHTML"] {
        assert!(text.contains(name), "{name} is not shown");
    }
    assert!(text.contains("mixed alphabets"));
    browser.click("#to-activity");
    browser.wait("document.querySelectorAll('.stream .row').length > 1");
    for row in 1..=2 {
        browser.click(&format!(".stream .row:nth-child({row})"));
        browser.wait("document.querySelector('.story .steps li')");
    }
    browser.picture("hostile-activity.png");
    assert_eq!(browser.value(harmless), json!(0));
    // A narrow screen has room for it, too.
    browser.resize(320, 640);
    for view in ["#to-activity", "#to-waiting"] {
        browser.click(view);
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(browser.value(fits), json!(true), "{view}");
    }
    browser.picture("hostile-narrow.png");
    browser.click(".card .danger");
    browser.wait("document.querySelector('#decided-list .denied')");
    assert_eq!(browser.value("window.pwned === undefined"), json!(true));
    assert_eq!(scene.poll(&token)["resolution"], "BLOCK");
    scene.assert_quiet();
}

#[test]
fn the_key_leaves_the_address_and_without_one_the_token_is_asked_for() {
    let Some(scene) = Scene::start("signing in") else {
        return;
    };
    let browser = &scene.browser;
    browser.open(&scene.url);
    browser.wait("document.getElementById('token')?.offsetParent");
    browser.picture("sign-in.png");
    browser.write("#token", KEY);
    browser.press(ENTER);
    browser.wait("document.getElementById('sign-in-problem').innerText.includes('cannot approve')");
    let file = scene.thoth.state_dir().join("approver.token");
    browser.write("#token", &std::fs::read_to_string(file).unwrap());
    browser.press(ENTER);
    scene.live();
    // A session is known after a reload, in this browser only.
    browser.open(&scene.url);
    scene.live();
    assert_eq!(browser.value("document.cookie"), json!(""));
    let _ = browser.value("(localStorage.clear(), true)");
    browser.open(&scene.link);
    scene.live();
    assert_eq!(
        browser.value("location.href"),
        json!(format!("{}/", scene.url))
    );
    assert!(
        !browser
            .value("JSON.stringify(localStorage)")
            .to_string()
            .contains(scene.link.split_once("key=").unwrap().1)
    );
}

#[test]
fn the_activity_is_live_can_be_filtered_and_tells_a_calls_story() {
    let Some(scene) = Scene::start("the activity") else {
        return;
    };
    scene.open();
    let browser = &scene.browser;
    browser.click("#to-activity");
    browser.wait("document.getElementById('no-entries').offsetParent");
    scene.ask(
        json!({"tool_name": "search_docs", "agent_id": "reader", "action_attestation_id": "c-1"}),
    );
    scene.ask(json!({"tool_name": "read_doc", "action_attestation_id": "c-2"}));
    let held = scene.hold(json!({"action_attestation_id": "c-3"}));
    let event = |id: &str, kind: &str, decision: &str| {
        json!({"event_id": id, "event_type": kind, "tenant_id": "acme", "session_id": "s-1",
               "tool_name": "search_docs", "agent_id": "reader", "content": "tool invocation",
               "metadata": {"authorization_decision": decision, "action_attestation_id": "c-1"}})
    };
    let events = json!({"events": [
        event("1", "TOOL_CALL_PRE", ""), event("2", "TOOL_CALL_POST", "ALLOW"),
    ]});
    let answer = client::post(
        &scene.url,
        "/v1/events/batch",
        &[("x-api-key", KEY)],
        &events,
    );
    assert_eq!(answer.status, 202);
    let rows = "document.querySelectorAll('.stream .row').length";
    browser.wait(&format!("{rows} === 5"));
    browser.wait("document.querySelectorAll('#chart rect').length === 3");
    for (filter, value, count) in [
        ("by-decision", "BLOCK", 1),
        ("by-decision", "STEP_UP", 1),
        ("by-agent", "reader", 3),
        ("by-tool", "transfer", 1),
    ] {
        let set = format!(
            "(document.getElementById('clear').click(), \
             ((box) => {{ box.value = '{value}'; box.dispatchEvent(new Event('change')); }})\
             (document.getElementById('{filter}')), {rows})"
        );
        assert_eq!(browser.value(&set), json!(count), "{filter} {value}");
    }
    browser.click("#clear");
    browser.click(".stream .chip.ALLOW");
    browser.wait("document.querySelectorAll('.story .steps li').length === 3");
    browser.picture("activity.png");
    browser.press(ESCAPE);
    browser.wait("!document.getElementById('story').offsetParent");
    let deny = scene
        .thoth
        .bare()
        .args(["approvals", "deny", &held, "--state-dir"]);
    let _line = deny.arg(scene.thoth.state_dir()).run().assert_code(0);
    scene.assert_quiet();
}

#[test]
fn what_a_policy_changed_is_shown_beside_what_was_asked_for() {
    let Some(scene) = Scene::start("a changed call") else {
        return;
    };
    scene.open();
    let arguments = r#"{"title":"Q3","body":"b","format":"plain","include_internal":true}"#;
    let mut call = scene
        .thoth
        .call(tool("exporter"))
        .args(["export_text", arguments, "--enforcer-url", &scene.url])
        .args([
            "--tenant-id",
            "acme",
            "--agent-id",
            "reporter",
            "--user-id",
            "sam",
        ])
        .spawn();
    let told = call.stderr_line(|line| line.contains("approve it at"));
    scene.card(told.rsplit('/').next().unwrap());
    let changed = scene
        .browser
        .value("document.querySelector('tr.changed').innerText");
    assert_eq!(changed, json!("include_internal\ttrue\tfalse"));
    scene.browser.picture("changed.png");
    scene.browser.dark(true);
    scene.browser.picture("changed-dark.png");
    scene.browser.click(".card .primary");
    let result = call.wait().json(0);
    assert!(
        !result["result"].to_string().contains("internal notes"),
        "{result}"
    );
    scene.assert_quiet();
}
