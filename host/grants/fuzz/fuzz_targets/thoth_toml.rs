//! Any text as a `thoth.toml`: it is refused in one line, or it grants folders and components that
//! are there and rules that can be reached.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use thoth_grants::{Config, Scheme};

fuzz_target!(|text: &str| {
    match Config::parse(text, Path::new(env!("CARGO_MANIFEST_DIR"))) {
        Err(error) => {
            let error = error.to_string();
            assert!(
                !error.contains(char::is_control) && error.chars().count() < 800,
                "{error}"
            );
        }
        Ok(config) => {
            for tool in &config.tools {
                assert_eq!(config.tool(&tool.component), Some(tool));
                assert!(tool.component.is_file());
                let grants = &tool.grants;
                assert!(grants.files.iter().all(|folder| folder.host.is_dir()));
                assert!(
                    grants
                        .secrets
                        .iter()
                        .all(|name| config.secrets.contains_key(name))
                );
                for rule in &grants.network {
                    assert!(rule.scheme == Scheme::Https || rule.allow_private);
                    assert!(!rule.methods.is_empty());
                }
                assert_eq!(tool.lines.network.len(), grants.network.len());
                assert_eq!(tool.lines.files.len(), grants.files.len());
            }
        }
    }
});
