//! Everything that the whole exports is the adapter's, so the component inside is reached through it and
//! in no other way: seen in the sections of the file, whatever made them.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentTypeRef, Parser, Payload,
};

/// Where an instance or a function of the whole comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Host,
    Part(usize),
    Unknown,
}

/// The index spaces of the whole that lead to functions.
#[derive(Default)]
struct Spaces {
    parts: Vec<Option<std::ops::Range<u64>>>,
    instances: Vec<Origin>,
    functions: Vec<Origin>,
    exports: Vec<(String, Origin)>,
}

/// Panics unless all that is exported is the adapter's.
pub(crate) fn assert_governed(whole: &[u8]) {
    let spaces = Spaces::of(whole);
    assert!(!spaces.exports.is_empty(), "it exports nothing");
    let adapter = spaces.parts.iter().position(|part| {
        let part = part.as_ref();
        part.is_some_and(|at| asks_a_governor(&whole[at.start as usize..at.end as usize]))
    });
    let adapter = Origin::Part(adapter.expect("a part asks a governor"));
    for (name, origin) in &spaces.exports {
        assert_eq!(*origin, adapter, "`{name}` is not the adapter's");
    }
}

impl Spaces {
    fn of(whole: &[u8]) -> Self {
        let mut spaces = Self::default();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(whole) {
            match payload.unwrap() {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                payload if depth == 1 => spaces.section(payload),
                _ => {}
            }
        }
        spaces
    }

    fn section(&mut self, payload: Payload<'_>) {
        match payload {
            Payload::ComponentSection {
                unchecked_range, ..
            } => self.parts.push(Some(unchecked_range)),
            Payload::ComponentImportSection(section) => {
                for import in section {
                    match import.unwrap().ty {
                        ComponentTypeRef::Func(_) => self.functions.push(Origin::Host),
                        ComponentTypeRef::Instance(_) => self.instances.push(Origin::Host),
                        ComponentTypeRef::Component(_) => self.parts.push(None),
                        ComponentTypeRef::Type(_) => {}
                        other => panic!("it imports {other:?}"),
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    self.instances.push(match instance.unwrap() {
                        ComponentInstance::Instantiate {
                            component_index, ..
                        } => Origin::Part(component_index as usize),
                        ComponentInstance::FromExports(_) => Origin::Unknown,
                    });
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    let ComponentAlias::InstanceExport {
                        kind,
                        instance_index,
                        ..
                    } = alias.unwrap()
                    else {
                        panic!("an alias of something else")
                    };
                    let origin = self.instances[instance_index as usize];
                    self.add(kind, origin);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.unwrap();
                    let index = export.index as usize;
                    let origin = match export.kind {
                        ComponentExternalKind::Func => self.functions[index],
                        ComponentExternalKind::Instance => self.instances[index],
                        ComponentExternalKind::Type => continue,
                        other => panic!("it exports {other:?}"),
                    };
                    self.exports.push((export.name.name.to_owned(), origin));
                    self.add(export.kind, origin);
                }
            }
            Payload::ComponentTypeSection(_) | Payload::CustomSection(_) => {}
            other => panic!("{other:?} has no place between the parts"),
        }
    }

    fn add(&mut self, kind: ComponentExternalKind, origin: Origin) {
        match kind {
            ComponentExternalKind::Func => self.functions.push(origin),
            ComponentExternalKind::Instance => self.instances.push(origin),
            ComponentExternalKind::Type => {}
            other => panic!("{other:?} has no place between the parts"),
        }
    }
}

/// Whether a part is the adapter: nothing else imports the gate.
fn asks_a_governor(part: &[u8]) -> bool {
    let mut depth = 0;
    let mut asks = false;
    for payload in Parser::new(0).parse_all(part) {
        match payload.unwrap() {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                let mut imports = section.into_iter().map(Result::unwrap);
                asks |= imports.any(|import| import.name.name == "thoth:governance/gate@0.1.0");
            }
            _ => {}
        }
    }
    asks
}
