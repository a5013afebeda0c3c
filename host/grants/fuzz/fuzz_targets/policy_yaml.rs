//! Any text as a wassette `policy.yaml`: it is refused in one line, or it grants no more than the
//! format can say.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use thoth_grants::{Bytes, HostPattern, Scheme, wassette};

fuzz_target!(|text: &str| {
    match wassette::parse(text, Path::new(env!("CARGO_MANIFEST_DIR"))) {
        Err(error) => {
            let error = error.to_string();
            assert!(
                !error.contains(char::is_control) && error.chars().count() < 800,
                "{error}"
            );
        }
        Ok(policy) => {
            for rule in &policy.grants.network {
                let (own_machine, written_out) = match &rule.host {
                    HostPattern::Name(name) => (name == "localhost", false),
                    HostPattern::Below(_) => (false, false),
                    HostPattern::Address(address) => (address.is_loopback(), true),
                };
                assert!(rule.scheme == Scheme::Https || own_machine);
                assert!(!rule.allow_private || own_machine || written_out);
            }
            assert!(
                policy
                    .grants
                    .files
                    .iter()
                    .all(|folder| folder.host.is_dir())
            );
            assert!(policy.grants.secrets.is_empty());
            assert!(
                policy
                    .limits
                    .memory
                    .is_none_or(|memory| memory <= Bytes(1 << 30))
            );
        }
    }
});
