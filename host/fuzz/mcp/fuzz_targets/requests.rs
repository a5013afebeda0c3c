//! What a model asks for, and what it is told of tools: any block is a call with a name and arguments or is
//! refused; no two tools are told by one name; and no schema makes a definition that an API refuses.
#![no_main]

#[path = "requests/dialect.rs"]
mod dialect;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// JSON, as a request and as a schema.
    json: String,
    names: Vec<String>,
    name: String,
}

fuzz_target!(|input: Input| {
    if let Ok(block) = serde_json::from_str(&input.json) {
        dialect::asked(&block);
        dialect::told(&block);
    }
    dialect::named(&input.name, &input.names);
});
