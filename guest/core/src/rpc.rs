//! The JSON-RPC messages in a request to an MCP server, read strictly, and the answers to calls that do
//! not run.
//!
//! What is decided on here is what the server reads afterwards with a parser of its own. So a message
//! that parsers are known to read differently is none: see [`read`].

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use crate::json::{self, quote};
use crate::types::Cause;

/// The most messages in a batch.
pub const MAX_BATCH: usize = 32;

/// The method that runs a tool.
const CALL: &str = "tools/call";

/// The members of a message and of a call's parameters. No other member may have one of these names but
/// for the case of its letters: there are parsers that take it for the same.
const OF_MESSAGES: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
const OF_CALLS: [&str; 2] = ["name", "arguments"];

/// Why a body is not handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    code: i32,
    why: String,
}

impl Malformed {
    /// A body that is not even looked into, and why.
    #[must_use]
    pub fn new(why: &str) -> Self {
        invalid(why.to_owned())
    }

    /// The answer, about no message in particular.
    #[must_use]
    pub fn answer(&self) -> String {
        json::canonical(&error(Value::Null, self.code, &self.why))
    }
}

/// The messages of one body.
#[derive(Clone, Debug, PartialEq)]
pub struct Messages {
    messages: Vec<Map<String, Value>>,
    is_batch: bool,
}

/// A call of a tool among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which of the messages it is.
    pub index: usize,
    /// The tool.
    pub tool: String,
    /// Its arguments, canonical JSON.
    pub arguments: String,
}

/// Reads the body of a request to an MCP server: one message of JSON-RPC 2.0 or a batch of them, within
/// the I-JSON profile.
///
/// # Errors
/// Anything else; and what two readers could take for two things: names that come twice or in another
/// case, a method that is nearly `tools/call`, a call without an `id`, a message that is both a request
/// and an answer.
pub fn read(body: &[u8]) -> Result<Messages, Malformed> {
    let value = json::parse(body).map_err(|error| Malformed {
        code: -32700,
        why: format!("not usable JSON: {error}"),
    })?;
    let (values, is_batch) = match value {
        Value::Array(values) => (values, true),
        value => (alloc::vec![value], false),
    };
    if values.is_empty() || values.len() > MAX_BATCH {
        return Err(invalid(format!("a batch has 1 to {MAX_BATCH} messages")));
    }
    let messages = values.into_iter().map(message);
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let requests = messages
        .iter()
        .filter(|message| message.contains_key("method"));
    let mut ids: Vec<&Value> = requests.filter_map(|message| message.get("id")).collect();
    while let Some(id) = ids.pop() {
        if ids.contains(&id) {
            return Err(invalid("two requests have the same `id`".to_owned()));
        }
    }
    Ok(Messages { messages, is_batch })
}

impl Messages {
    /// The calls of tools, in their order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        let messages = self.messages.iter().enumerate();
        let calls = messages.filter_map(|(index, message)| {
            let params = parameters(message)?;
            let arguments = params.get("arguments");
            Some(Call {
                index,
                tool: params.get("name")?.as_str()?.to_owned(),
                arguments: arguments.map_or_else(|| "{}".to_owned(), json::canonical),
            })
        });
        calls.collect()
    }

    /// Gives a call other arguments: canonical JSON, an object.
    ///
    /// # Errors
    /// They are none.
    pub fn modify(&mut self, index: usize, arguments: &str) -> Result<(), String> {
        let arguments = json::parse_canonical(arguments).map_err(|error| error.to_string())?;
        let message = self.messages.get_mut(index);
        let params = message.and_then(|message| message.get_mut("params"));
        let params = params.and_then(Value::as_object_mut);
        let params = params.ok_or_else(|| "there is no such call".to_owned())?;
        params.insert("arguments".to_owned(), arguments);
        Ok(())
    }

    /// The body that says this.
    #[must_use]
    pub fn body(&self) -> String {
        self.joined(self.messages.iter().cloned().map(Value::Object))
    }

    /// The answers where calls did not run, so that none of these messages is handed on: `refused` has
    /// what is told about calls, by their index. Requests that nothing was said about are told that.
    #[must_use]
    pub fn refusals(&self, refused: &[(usize, Cause, String)]) -> String {
        let messages = self.messages.iter().enumerate();
        let answers = messages.filter_map(|(index, message)| {
            message.get("method")?;
            let id = message.get("id")?.clone();
            let told = refused.iter().find(|(of, _, _)| *of == index);
            Some(match (told, parameters(message)) {
                (Some((_, cause, text)), Some(params)) => {
                    let tool = params.get("name").and_then(Value::as_str);
                    let result = refusal(tool.unwrap_or_default(), *cause, text);
                    json!({ "jsonrpc": "2.0", "id": id, "result": result })
                }
                _ => error(
                    id,
                    -32600,
                    "not handled: a call in the same batch was refused",
                ),
            })
        });
        self.joined(answers)
    }

    /// A list where the messages came as one.
    fn joined(&self, mut values: impl Iterator<Item = Value>) -> String {
        json::canonical(&match self.is_batch {
            true => Value::Array(values.collect()),
            false => values.next().unwrap_or_default(),
        })
    }
}

/// The parameters of a call of a tool.
fn parameters(message: &Map<String, Value>) -> Option<&Map<String, Value>> {
    (message.get("method")? == CALL).then_some(())?;
    message.get("params")?.as_object()
}

/// What a model and a program read of a call that did not run. Not as structured content: clients hold
/// that against the tool's schema.
fn refusal(tool: &str, cause: Cause, text: &str) -> Value {
    let sentence = format!(
        "{} did not run, it was refused ({})",
        quote(tool),
        cause.as_str()
    );
    let report = json::parse(text).unwrap_or_else(|_| text.into());
    json!({
        "content": [{ "type": "text", "text": sentence }, { "type": "text", "text": text }],
        "isError": true,
        "_meta": { "thoth/outcome": report },
    })
}

fn error(id: Value, code: i32, why: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": why } })
}

fn invalid(why: String) -> Malformed {
    Malformed { code: -32600, why }
}

fn message(value: Value) -> Result<Map<String, Value>, Malformed> {
    let Value::Object(message) = value else {
        return Err(invalid("a message is a JSON object".to_owned()));
    };
    only(&message, &OF_MESSAGES)?;
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("`jsonrpc` is not \"2.0\"".to_owned()));
    }
    let answers = ["result", "error"]
        .iter()
        .filter(|name| message.contains_key(**name));
    let answers = answers.count();
    match message.get("id") {
        None => {}
        Some(Value::String(_)) => {}
        Some(Value::Number(number)) if number.is_i64() => {}
        // An answer to what could not be read has none.
        Some(Value::Null) if answers == 1 => {}
        Some(_) => return Err(invalid("an `id` is a text or an integer".to_owned())),
    }
    match message.get("method") {
        Some(_) if answers > 0 => Err(invalid(
            "a message is a request or an answer, not both".to_owned(),
        )),
        Some(Value::String(method)) if method == CALL => {
            call(&message)?;
            Ok(message)
        }
        Some(Value::String(method)) if folded(method) == CALL => Err(invalid(format!(
            "the method {} is not `{CALL}`",
            quote(method)
        ))),
        Some(Value::String(_)) => Ok(message),
        Some(_) => Err(invalid("a `method` is a text".to_owned())),
        None if answers == 1 && message.contains_key("id") => Ok(message),
        None => Err(invalid(
            "a message has a `method`, or is an answer".to_owned(),
        )),
    }
}

/// A call of a tool must be one, and say of which.
fn call(message: &Map<String, Value>) -> Result<(), Malformed> {
    let wrong = |why: &str| Malformed {
        code: -32602,
        why: why.to_string(),
    };
    if !message.contains_key("id") {
        return Err(wrong("a call of a tool needs an `id`, to be answered"));
    }
    let params = message.get("params").and_then(Value::as_object);
    let params = params.ok_or_else(|| wrong("the `params` of a call are an object"))?;
    only(params, &OF_CALLS)?;
    match params.get("name") {
        Some(Value::String(name)) if !name.is_empty() => {}
        _ => return Err(wrong("the `name` of a call is a tool's")),
    }
    match params.get("arguments") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(wrong("the `arguments` of a call are an object")),
    }
}

/// No name may be taken for one of these by a parser that does not look at case.
fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), Malformed> {
    for name in members.keys() {
        if known.contains(&folded(name).as_str()) && !known.contains(&name.as_str()) {
            return Err(invalid(format!(
                "the member {} is spelt like another one but for its case",
                quote(name)
            )));
        }
    }
    Ok(())
}

/// A text as those read it who do not look at case or at blanks around it. Some letters beyond ASCII
/// have an ASCII letter as their other case.
fn folded(text: &str) -> String {
    let letters = text.trim().chars().map(|letter| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        'ı' | 'İ' => 'i',
        letter => letter.to_ascii_lowercase(),
    });
    letters.collect()
}

#[cfg(test)]
mod tests;
