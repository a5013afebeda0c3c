//! Spins where it is asked what it offers, which is when it is loaded.

use exports::thoth::governance::tool::{Definition, Guest};
use thoth::governance::types::ToolFailure;

wit_bindgen::generate!({ path: "../../../wit", world: "tool-provider" });

struct Provider;

impl Guest for Provider {
    fn list_tools() -> Vec<Definition> {
        loop {
            std::hint::black_box(());
        }
    }

    fn call_tool(_name: String, _arguments: String) -> Result<String, ToolFailure> {
        Ok("null".to_owned())
    }
}

export!(Provider);
