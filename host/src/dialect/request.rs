//! What a model asks for, read from the message in which it does.

use serde_json::{Map, Value};

use super::Dialect;

/// The longest id and name that are repeated, in characters.
const WORD_MAX: usize = 256;

/// A call that a model asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// What the answer has to name; empty where the request has no usable one.
    pub(super) id: String,
    /// The tool.
    pub(super) name: String,
    /// JSON text of the arguments, as it came.
    pub(super) arguments: String,
}

/// A message that asks for no call of a tool, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) why: String,
}

impl Request {
    pub(super) fn read(dialect: Dialect, block: &Value) -> Result<Self, Bad> {
        let (kind, id) = match dialect {
            Dialect::Anthropic => ("tool_use", "id"),
            Dialect::OpenAi => ("function", "id"),
            Dialect::OpenAiResponses => ("function_call", "call_id"),
            Dialect::Mcp => ("", ""),
        };
        let none = Map::new();
        let block = block.as_object().unwrap_or(&none);
        let word = |object: &Map<String, Value>, key: &str| -> String {
            let text = object.get(key).and_then(Value::as_str).unwrap_or_default();
            text.chars().take(WORD_MAX).collect()
        };
        let inner = match dialect {
            Dialect::OpenAi => block.get("function").and_then(Value::as_object),
            Dialect::Anthropic | Dialect::OpenAiResponses | Dialect::Mcp => Some(block),
        };
        let inner = inner.unwrap_or(&none);
        let (id, name) = (word(block, id), word(inner, "name"));
        let bad = |why: String| Bad {
            id: id.clone(),
            name: name.clone(),
            why,
        };
        let is = word(block, "type");
        // Services that speak as OpenAI does leave the type out.
        if is != kind && !(is.is_empty() && dialect == Dialect::OpenAi) {
            return Err(bad(format!("a block of type `{is}` is no `{kind}`")));
        }
        if id.is_empty() && dialect != Dialect::Mcp {
            return Err(bad("the call has no id".into()));
        }
        if name.is_empty() {
            return Err(bad("the call names no tool".into()));
        }
        let arguments = match dialect {
            Dialect::Anthropic => inner.get("input"),
            Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Mcp => inner.get("arguments"),
        };
        let arguments = match (dialect, arguments) {
            (_, None | Some(Value::Null)) => "{}".to_owned(),
            // Text that a model wrote: an empty one is no argument at all.
            (Dialect::OpenAi | Dialect::OpenAiResponses, Some(Value::String(text))) => {
                match text.trim() {
                    "" => "{}".to_owned(),
                    _ => text.clone(),
                }
            }
            (Dialect::OpenAi | Dialect::OpenAiResponses, Some(_)) => {
                return Err(bad("the arguments are not JSON in a string".into()));
            }
            (Dialect::Anthropic | Dialect::Mcp, Some(arguments)) => arguments.to_string(),
        };
        Ok(Self {
            id,
            name,
            arguments,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_api_asks_in_its_own_words() {
        let asked = |id: &str| Request {
            id: id.into(),
            name: "add".into(),
            arguments: r#"{"a":1}"#.into(),
        };
        let anthropic = json!({"type": "tool_use", "id": "t", "name": "add", "input": {"a": 1}});
        assert_eq!(
            Request::read(Dialect::Anthropic, &anthropic),
            Ok(asked("t"))
        );
        let function = json!({"name": "add", "arguments": "{\"a\":1}"});
        let chat = json!({"id": "c", "type": "function", "function": function});
        assert_eq!(Request::read(Dialect::OpenAi, &chat), Ok(asked("c")));
        let untyped = json!({"id": "c", "function": function});
        assert_eq!(Request::read(Dialect::OpenAi, &untyped), Ok(asked("c")));
        let responses = json!({
            "type": "function_call", "id": "fc", "call_id": "r", "name": "add", "arguments": "{\"a\":1}",
        });
        assert_eq!(
            Request::read(Dialect::OpenAiResponses, &responses),
            Ok(asked("r"))
        );
        let mcp = json!({"name": "add", "arguments": {"a": 1}});
        assert_eq!(Request::read(Dialect::Mcp, &mcp), Ok(asked("")));
    }

    #[test]
    fn no_arguments_are_an_empty_object() {
        for text in [json!(""), json!(" "), json!(null)] {
            let call =
                json!({"type": "function_call", "call_id": "r", "name": "add", "arguments": text});
            let request = Request::read(Dialect::OpenAiResponses, &call).unwrap();
            assert_eq!(request.arguments, "{}");
        }
        let block = json!({"type": "tool_use", "id": "t", "name": "add"});
        assert_eq!(
            Request::read(Dialect::Anthropic, &block).unwrap().arguments,
            "{}"
        );
    }

    #[test]
    fn what_asks_for_nothing_is_bad_and_keeps_its_id() {
        for block in [
            json!(null),
            json!([]),
            json!("tool_use"),
            json!({"type": "text", "text": "hello"}),
            json!({"type": "tool_use", "name": "add", "input": {}}),
            json!({"type": "tool_use", "id": 7, "name": "add", "input": {}}),
            json!({"type": "tool_use", "id": "t", "input": {}}),
        ] {
            assert!(
                Request::read(Dialect::Anthropic, &block).is_err(),
                "{block}"
            );
        }
        let block =
            json!({"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}});
        assert_eq!(
            Request::read(Dialect::Anthropic, &block).unwrap_err().id,
            "t"
        );
        let call =
            json!({"type": "function", "id": "c", "function": {"name": "add", "arguments": {}}});
        assert_eq!(Request::read(Dialect::OpenAi, &call).unwrap_err().id, "c");
        assert!(Request::read(Dialect::OpenAi, &json!({"type": "custom", "id": "c"})).is_err());
    }
}
