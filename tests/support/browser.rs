//! A real browser, driven through ChromeDriver (W3C WebDriver): Debian's `chromium` and
//! `chromium-driver`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a test waits for has come by then, or does not come.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// Without these the browser looks for servers that no test machine reaches.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with a profile of its own. It ends when it is dropped.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts one. Where there is none on this machine, says on stderr that `what` is left out; where
    /// `THOTH_TOOLCHAINS` is set, as CI does, that is an error.
    ///
    /// # Panics
    ///
    /// If it is there and does not start, or is missing where it must not be.
    #[must_use]
    pub fn start(what: &str) -> Option<Self> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            assert!(
                std::env::var_os("THOTH_TOOLCHAINS").is_none(),
                "no ChromeDriver: install Debian's chromium and chromium-driver"
            );
            eprintln!("skipped: {what} (no ChromeDriver: install chromium and chromium-driver)");
            return None;
        };
        let stdout = BufReader::new(driver.stdout.take().expect("stdout is piped"));
        let port = stdout
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("ChromeDriver tells its port");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).into();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let mut browser = Self {
            driver,
            address: format!("127.0.0.1:{port}"),
            session: String::new(),
            _profile: profile,
        };
        let started = browser.ask("POST", "/session", &wanted);
        let id = started["sessionId"].as_str().expect("a session");
        browser.session = format!("/session/{id}");
        browser.resize(1100, 900);
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("{}{path}", self.session), body)
    }

    /// One command. ChromeDriver leaves the connection open, so its answer is as long as it says.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("ChromeDriver listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let sent = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        sent.expect("ChromeDriver takes a command");
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            let read = answer.read_line(&mut line).expect("ChromeDriver answers");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().expect("a length");
            }
            if read == 0 || line.is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        answer.read_exact(&mut text).expect("all of an answer");
        let answer: Value = serde_json::from_slice(&text).expect("JSON");
        let value = answer["value"].clone();
        assert!(
            value["error"].is_null(),
            "{path} {body}: {}",
            value["message"]
        );
        value
    }

    /// Goes to an address.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Sets the size of the page.
    pub fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets whether the reader wants dark pages.
    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", &body)
    }

    /// What an expression of JavaScript is.
    #[must_use]
    pub fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression of JavaScript is true.
    ///
    /// # Panics
    ///
    /// If it never is.
    pub fn wait(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.value(&format!("Boolean({expression})")) != json!(true) {
            let text = "document.body.innerText";
            assert!(
                Instant::now() < deadline,
                "never: {expression}\n{}\n{:?}",
                self.value(text),
                self.complaints()
            );
            thread::sleep(LOOK);
        }
    }

    /// Clicks on the first element that a CSS selector finds, as a mouse does.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into the first element that a CSS selector finds.
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    /// Presses keys one after the other, wherever the focus is. `\u{e007}` is Enter, `\u{e00c}` Escape,
    /// `\u{e004}` Tab.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.post("/actions", &actions);
    }

    fn element(&self, selector: &str) -> String {
        let found = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", &found);
        let id = found.as_object().and_then(|found| found.values().next());
        id.and_then(Value::as_str)
            .unwrap_or_else(|| panic!("nothing is `{selector}`"))
            .to_owned()
    }

    /// What the browser complained about since the last time: scripts that failed, requests that were
    /// refused, contents that the page's policy forbids.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().into_iter().flatten();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// Keeps a picture of the page, where the environment's `THOTH_SCREENSHOTS` names a folder.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("THOTH_SCREENSHOTS") else {
            return;
        };
        let shot = json!({"format": "png"});
        let shot = self.devtools("Page.captureScreenshot", &shot);
        let encoded = shot["data"].as_str().expect("a picture");
        let path = Path::new(&folder).join(name);
        // It is for a person, who has the command.
        let mut decode = Command::new("base64")
            .arg("--decode")
            .stdin(Stdio::piped())
            .stdout(std::fs::File::create(&path).expect("a file in THOTH_SCREENSHOTS"))
            .spawn()
            .expect("`base64` starts");
        let mut stdin = decode.stdin.take().expect("stdin is piped");
        stdin
            .write_all(encoded.as_bytes())
            .expect("a picture is written");
        drop(stdin);
        assert!(decode.wait().expect("`base64` ends").success());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser; killed before, it would leave it running.
        let _ended = std::panic::catch_unwind(|| self.ask("DELETE", &self.session, &json!({})));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
