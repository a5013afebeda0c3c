//! An MCP client on the wire: it sends the lines it is told and takes the answers apart.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::thoth::Invocation;

/// An answer that has not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(120);

/// A `thoth serve` on stdio, and the client's end of it. It is killed when it is dropped.
pub struct Mcp {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: mpsc::Receiver<String>,
    stderr: mpsc::Receiver<String>,
    /// What came and was not asked for yet.
    unread: VecDeque<Value>,
    last_id: u64,
}

/// How a server ended.
#[derive(Debug)]
pub struct End {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it still wrote to stdout.
    pub stdout: Vec<String>,
    /// What it wrote to stderr.
    pub stderr: Vec<String>,
}

/// Requests as MCP 2026-07-28 has them: each with what the client is and can.
#[must_use]
pub fn meta(capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

impl Mcp {
    /// Starts a server.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(invocation: Invocation) -> Self {
        let mut command = invocation.into_command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("thoth starts");
        Self {
            stdin: child.stdin.take(),
            stdout: lines(child.stdout.take().expect("stdout is piped")),
            stderr: lines(child.stderr.take().expect("stderr is piped")),
            child,
            unread: VecDeque::new(),
            last_id: 0,
        }
    }

    /// Shakes hands as revisions up to 2025-11-25 do, and gives the server's answer.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub fn initialize(&mut self, version: &str, capabilities: Value) -> Value {
        let hello = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = self.call("initialize", hello);
        self.notify("notifications/initialized", json!({}));
        answer["result"].clone()
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    ///
    /// If the server has closed its end.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(bytes.as_ref()).expect("the server reads");
        stdin.flush().expect("the server reads");
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        self.send_raw(format!("{message}\n"));
    }

    /// Sends a request and gives its id.
    pub fn request(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request and waits for the answer to it.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.answer(id)
    }

    /// Calls a tool as revisions up to 2025-11-25 do, and gives the result.
    ///
    /// # Panics
    ///
    /// If the answer is an error.
    pub fn tool(&mut self, name: &str, arguments: Value) -> Value {
        let answer = self.call("tools/call", json!({"name": name, "arguments": arguments}));
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].clone()
    }

    /// Waits for the answer to a request.
    pub fn answer(&mut self, id: u64) -> Value {
        self.find(|message| message["id"] == id && message.get("method").is_none())
    }

    /// Waits for a message for which `wanted` holds; others are kept.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn find(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unread.iter().position(&wanted) {
            return self.unread.remove(at).expect("it was found there");
        }
        loop {
            let message = self.next();
            if wanted(&message) {
                return message;
            }
            self.unread.push_back(message);
        }
    }

    /// What came so far for which `wanted` holds.
    pub fn seen(&self, wanted: impl Fn(&Value) -> bool) -> Vec<&Value> {
        self.unread
            .iter()
            .filter(|message| wanted(message))
            .collect()
    }

    /// The next line of stdout, which must be a message.
    fn next(&mut self) -> Value {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => {
                let message: Value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("not a message ({error}): {line}"));
                assert_eq!(message["jsonrpc"], "2.0", "{line}");
                message
            }
            Err(_) => {
                let said: Vec<String> = self.stderr.try_iter().collect();
                panic!("no answer came; stderr: {said:#?}");
            }
        }
    }

    /// Waits for a line of stderr for which `wanted` holds.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn stderr_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE);
            let line = line.expect("the line comes on stderr");
            if wanted(&line) {
                return line;
            }
        }
    }

    /// The process, to send it a signal.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes the client's end.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Closes the client's end and waits for the server's.
    ///
    /// # Panics
    ///
    /// If the server does not end.
    #[must_use]
    pub fn end(mut self) -> End {
        self.close();
        let rest = |lines: &mpsc::Receiver<String>| {
            let mut rest = Vec::new();
            loop {
                match lines.recv_timeout(PATIENCE) {
                    Ok(line) => rest.push(line),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return rest,
                    Err(mpsc::RecvTimeoutError::Timeout) => panic!("the server does not end"),
                }
            }
        };
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        let status = self.child.wait().expect("it has ended");
        End {
            status,
            stdout,
            stderr,
        }
    }
}

impl Drop for Mcp {
    fn drop(&mut self) {
        // Nothing to do for one that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
