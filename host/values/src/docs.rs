//! WIT documentation of a component, from its `package-docs` custom sections.
//!
//! Component types carry no comments. The WIT tools write them as JSON into a custom section of that
//! name (the format is `wit-parser`'s `PackageMetadata`: one byte of version, then an object), and
//! tools exist that add it to a component; a guest can also link it into its core module. So every
//! section of the name counts, at any depth, and whatever is not as expected is no documentation.

use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::limits;

const SECTION: &str = "package-docs";
/// The newest version of the format that is known, and one that reads like it.
const VERSIONS: [u8; 2] = [0, 1];

/// What the author of a component wrote about it. All of it is untrusted text: cut to
/// [`limits::DOCS_ITEM`], without control characters and without characters that hide or reorder
/// others.
#[derive(Clone, Debug, Default)]
pub struct Docs {
    packages: Vec<Value>,
}

/// The documentation of a named type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TypeDocs {
    pub(crate) text: Option<String>,
    /// Of each field, case or flag, by its name in WIT.
    pub(crate) items: Vec<(String, String)>,
}

impl Docs {
    /// Reads what there is. Anything broken is no documentation, never an error.
    #[must_use]
    pub fn read(component: &[u8]) -> Docs {
        let packages = Parser::new(0)
            .parse_all(component)
            .map_while(Result::ok)
            .filter_map(|payload| match payload {
                Payload::CustomSection(section) if section.name() == SECTION => {
                    package(section.data())
                }
                _ => None,
            })
            .take(limits::DOCS_SECTIONS)
            .collect();
        Docs { packages }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }

    /// Of a function, in the interface of that name or in a world.
    pub(crate) fn function(&self, interface: Option<&str>, name: &str) -> Option<String> {
        self.scopes(interface).find_map(|scope| {
            ["func_exports", "funcs"].into_iter().find_map(|group| {
                let entry = scope.get(group)?.get(name)?;
                // The first version of the format had only the text here.
                clean(entry.get("docs").unwrap_or(entry))
            })
        })
    }

    /// Of a type, in the interface of that name or in a world.
    pub(crate) fn named_type(&self, interface: Option<&str>, name: &str) -> Option<TypeDocs> {
        self.scopes(interface).find_map(|scope| {
            let entry = scope.get("types")?.get(name)?;
            let items = entry.get("items").and_then(Value::as_object);
            let docs = TypeDocs {
                text: entry.get("docs").and_then(clean),
                items: items
                    .into_iter()
                    .flatten()
                    .take(limits::MEMBERS)
                    .filter_map(|(name, text)| Some((name.clone(), clean(text)?)))
                    .collect(),
            };
            (docs != TypeDocs::default()).then_some(docs)
        })
    }

    /// Where items of an interface are described: as one of the package, or inline in a world; items
    /// of no interface are a world's own.
    fn scopes<'a>(&'a self, interface: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        self.packages.iter().flat_map(move |package| {
            let worlds = package.get("worlds").and_then(Value::as_object);
            let named = interface.and_then(|name| package.get("interfaces")?.get(name));
            let in_worlds = worlds
                .into_iter()
                .flat_map(serde_json::Map::values)
                .flat_map(move |world| match interface {
                    None => vec![world],
                    Some(name) => ["interface_exports", "interfaces"]
                        .into_iter()
                        .filter_map(|group| world.get(group)?.get(name))
                        .collect(),
                });
            named.into_iter().chain(in_worlds)
        })
    }
}

fn package(section: &[u8]) -> Option<Value> {
    let (version, json) = section.split_first()?;
    if !VERSIONS.contains(version) || json.len() > limits::DOCS_SECTION {
        return None;
    }
    serde_json::from_slice(json).ok().filter(Value::is_object)
}

/// Text without what a terminal or a model would read and a person would not see.
fn clean(text: &Value) -> Option<String> {
    let mut out = String::new();
    for c in text.as_str()?.trim().chars() {
        let hidden = matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if hidden || (c.is_control() && c != '\n') {
            continue;
        }
        if out.len() + c.len_utf8() > limits::DOCS_ITEM {
            out.push('…');
            break;
        }
        out.push(c);
    }
    (!out.is_empty()).then_some(out)
}
