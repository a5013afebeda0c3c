//! The WIT package, and the governor that is built on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;

use wit_component::DecodedWasm;
use wit_parser::{Docs, Resolve, Stability, TypeDefKind};

const GOVERNOR: &[u8] = include_bytes!(env!("THOTH_GOVERNOR_WASM"));
const PORTABLE: &[u8] = include_bytes!(env!("THOTH_PORTABLE_GOVERNOR_WASM"));
const HTTP: &[u8] = include_bytes!(env!("THOTH_HTTP_GOVERNOR_WASM"));

/// What every governor imports of WASI.
const WASI: [&str; 9] = [
    "wasi:cli/environment@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:http/outgoing-handler@0.2.12",
    "wasi:http/types@0.2.12",
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:random/random@0.2.12",
];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn contract() -> (Resolve, wit_parser::PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace().join("wit")).unwrap();
    (resolve, package)
}

#[test]
fn the_package_has_the_promised_interfaces_and_worlds() {
    let (resolve, package) = contract();
    let package = &resolve.packages[package];
    assert_eq!(package.name.to_string(), "thoth:governance@0.1.0");
    let mut interfaces: Vec<&str> = package.interfaces.keys().map(String::as_str).collect();
    interfaces.sort_unstable();
    assert_eq!(
        interfaces,
        [
            "events", "gate", "outbox", "policy", "tool", "types", "wrapping"
        ]
    );
    let mut worlds: Vec<&str> = package.worlds.keys().map(String::as_str).collect();
    worlds.sort_unstable();
    assert_eq!(worlds, ["governor", "portable-governor", "tool-provider"]);
}

#[test]
fn every_item_is_documented_and_says_since_when() {
    let (resolve, package) = contract();
    let mut bare = Vec::new();
    let mut documented = |what: String, docs: &Docs| {
        if docs
            .contents
            .as_deref()
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            bare.push(what);
        }
    };
    let mut unstable = Vec::new();
    let mut since = |what: String, stability: &Stability| {
        if !matches!(stability, Stability::Stable { since, .. } if since.to_string() == "0.1.0") {
            unstable.push(what);
        }
    };
    let package = &resolve.packages[package];
    for (name, id) in &package.interfaces {
        let interface = &resolve.interfaces[*id];
        documented(name.clone(), &interface.docs);
        since(name.clone(), &interface.stability);
        for (function, item) in &interface.functions {
            documented(format!("{name}.{function}"), &item.docs);
            since(format!("{name}.{function}"), &item.stability);
        }
        for (ty, id) in &interface.types {
            let item = &resolve.types[*id];
            // A `use` has no documentation of its own.
            if matches!(&item.kind, TypeDefKind::Type(wit_parser::Type::Id(_))) {
                continue;
            }
            documented(format!("{name}.{ty}"), &item.docs);
            since(format!("{name}.{ty}"), &item.stability);
            let members: Vec<(&str, &Docs)> = match &item.kind {
                TypeDefKind::Record(record) => {
                    record.fields.iter().map(|f| (&*f.name, &f.docs)).collect()
                }
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().map(|c| (&*c.name, &c.docs)).collect()
                }
                TypeDefKind::Enum(cases) => {
                    cases.cases.iter().map(|c| (&*c.name, &c.docs)).collect()
                }
                _ => Vec::new(),
            };
            for (member, docs) in members {
                documented(format!("{name}.{ty}.{member}"), docs);
            }
        }
    }
    for (name, id) in &package.worlds {
        documented(name.clone(), &resolve.worlds[*id].docs);
        since(name.clone(), &resolve.worlds[*id].stability);
    }
    assert_eq!(bare, [""; 0], "without documentation");
    assert_eq!(unstable, [""; 0], "without `@since(version = 0.1.0)`");
}

/// A component's imports and exports, by name.
fn names(component: &[u8]) -> [Vec<String>; 2] {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).unwrap() else {
        panic!("the governor is not a component");
    };
    let world = &resolve.worlds[world];
    [&world.imports, &world.exports].map(|items| {
        let mut names: Vec<String> = items
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect();
        names.sort_unstable();
        names
    })
}

#[test]
fn the_governor_imports_this_and_nothing_else() {
    let [imports, exports] = names(GOVERNOR);
    let own = [
        "thoth:governance/outbox@0.1.0",
        "thoth:governance/tool@0.1.0",
        "thoth:governance/types@0.1.0",
    ];
    assert_eq!(imports, [&own[..], &WASI].concat());
    assert_eq!(
        exports,
        [
            "thoth:governance/events@0.1.0",
            "thoth:governance/policy@0.1.0",
            "thoth:governance/wrapping@0.1.0",
        ]
    );
}

#[test]
fn the_portable_governor_imports_wasi_and_exports_the_gate() {
    let [imports, exports] = names(PORTABLE);
    // On stderr it says why it refuses.
    let own = ["thoth:governance/types@0.1.0", "wasi:cli/stderr@0.2.12"];
    let mut all = [&own[..], &WASI].concat();
    all.sort_unstable();
    assert_eq!(imports, all);
    assert_eq!(exports, ["thoth:governance/gate@0.1.0"]);
}

#[test]
fn the_governor_of_http_services_imports_wasi_and_a_service_and_stands_in_front_of_it() {
    let [imports, exports] = names(HTTP);
    let own = [
        "thoth:http/inside@0.1.0",
        "thoth:incoming/handing-on@0.1.0",
        "thoth:incoming/resources@0.1.0",
    ];
    let mut all = [&own[..], &WASI].concat();
    all.sort_unstable();
    assert_eq!(imports, all);
    assert_eq!(
        exports,
        ["thoth:http/mcp@0.1.0", "thoth:http/requests@0.1.0"]
    );
}

#[test]
fn a_governor_is_at_most_200_kib() {
    for governor in [GOVERNOR, PORTABLE, HTTP] {
        assert!(governor.len() <= 200 << 10, "{} bytes", governor.len());
    }
}

#[test]
fn no_copy_of_wasi_is_in_the_repository() {
    fn look(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", ".git", "node_modules"].contains(&name.as_str()) {
                    look(&path, found);
                }
            } else if name.ends_with(".wit")
                && std::fs::read_to_string(&path)
                    .unwrap()
                    .contains("package wasi:")
            {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    look(workspace(), &mut found);
    assert_eq!(found, [""; 0]);
}
