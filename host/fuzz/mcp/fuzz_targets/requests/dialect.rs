//! The sources that read and write the APIs' words, and what must hold of them.

#[path = "../../../../src/dialect/names.rs"]
mod names;
#[path = "../../../../src/dialect/request.rs"]
mod request;
#[path = "../../../../src/dialect/schema.rs"]
mod schema;

use std::collections::{HashMap, HashSet};

use request::Request;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Mcp,
    OpenAi,
    OpenAiResponses,
    Anthropic,
}

/// A block that a model wrote.
pub fn asked(block: &Value) {
    for dialect in [
        Dialect::Mcp,
        Dialect::OpenAi,
        Dialect::OpenAiResponses,
        Dialect::Anthropic,
    ] {
        match Request::read(dialect, block) {
            Ok(request) => {
                assert!(!request.name.is_empty() && request.name.chars().count() <= 256);
                assert!(request.id.chars().count() <= 256);
                assert!(dialect == Dialect::Mcp || !request.id.is_empty());
                let is_text = matches!(dialect, Dialect::OpenAi | Dialect::OpenAiResponses);
                // Text that a model wrote is read where it is called with.
                assert!(is_text || serde_json::from_str::<Value>(&request.arguments).is_ok());
            }
            Err(bad) => {
                assert!(!bad.why.is_empty());
                assert!(bad.id.chars().count() <= 256 && bad.name.chars().count() <= 256);
            }
        }
    }
}

/// A schema that a component wrote.
pub fn told(schema: &Value) {
    for told in [schema::openai(schema), schema::anthropic(schema)] {
        match told {
            Ok(told) => {
                assert_eq!(told["type"], "object", "{told}");
                for word in ["oneOf", "anyOf", "allOf", "not", "enum", "$schema"] {
                    assert!(told.get(word).is_none(), "{word}: {told}");
                }
            }
            Err(why) => assert!(!why.is_empty()),
        }
    }
}

/// Names of tools, with those by which they are told as names of others.
pub fn named(name: &str, more: &[String]) {
    let own = |name: &str| -> String {
        let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        name.chars().filter(fits).take(128).collect()
    };
    let mut names: HashSet<String> = more.iter().map(|name| own(name)).collect();
    // One that is long, one that is called as that is told, and so on.
    let mut next = own(&name.repeat(8));
    for _ in 0..4 {
        names.insert(next.clone());
        next = names::fitting(&next);
    }
    let mut told: HashMap<String, &String> = HashMap::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        let fitted = names::fitting(name);
        assert!(fitted.len() <= 64, "{fitted}");
        if let Some(other) = told.insert(fitted.clone(), name) {
            panic!("`{name}` and `{other}` are both told as `{fitted}`");
        }
    }
}
