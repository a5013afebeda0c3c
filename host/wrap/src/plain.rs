//! What a component may import and export at its outermost level: what WIT has a word for, under its own
//! name. Anything else is refused before it is read in WIT, which would not show it.

use wasmparser::{ComponentExternName, ComponentExternalKind, ComponentTypeRef, Parser, Payload};

use crate::error::Error;

/// # Errors
/// What is neither a function nor an interface, and what goes by another name than its own. What cannot
/// be read at all is for others to refuse.
pub(crate) fn check(component: &[u8]) -> Result<(), Error> {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth -= 1,
            Ok(Payload::ComponentImportSection(section)) if depth == 1 => {
                for import in section.into_iter().flatten() {
                    named(&import.name)?;
                    imported(import.name.name, import.ty)?;
                }
            }
            Ok(Payload::ComponentExportSection(section)) if depth == 1 => {
                for export in section.into_iter().flatten() {
                    named(&export.name)?;
                    exported(export.name.name, export.kind)?;
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Ok(())
}

/// Hosts may link by the other name: what it asks for would then not be what it seems to ask for.
fn named(name: &ComponentExternName<'_>) -> Result<(), Error> {
    let ComponentExternName {
        name,
        implements,
        version_suffix,
        external_id,
    } = name;
    let other = implements.or(*version_suffix).or(*external_id);
    other.map_or(Ok(()), |other| {
        Err(Error::Refused(format!(
            "it says of `{name}` that it stands for `{other}`, and hosts differ in which name they \
             link by; build it so that each import and export goes by its own name only"
        )))
    })
}

fn imported(name: &str, ty: ComponentTypeRef) -> Result<(), Error> {
    let what = match ty {
        ComponentTypeRef::Func(_) | ComponentTypeRef::Instance(_) | ComponentTypeRef::Type(_) => {
            return Ok(());
        }
        ComponentTypeRef::Module(_) => "core module",
        ComponentTypeRef::Component(_) => "component",
        ComponentTypeRef::Value(_) => "value",
    };
    Err(Error::Refused(format!(
        "it imports the {what} `{name}`, so that code of somebody else's would run in it; link that in, \
         and wrap the whole"
    )))
}

fn exported(name: &str, kind: ComponentExternalKind) -> Result<(), Error> {
    let what = match kind {
        ComponentExternalKind::Func
        | ComponentExternalKind::Instance
        | ComponentExternalKind::Type => return Ok(()),
        ComponentExternalKind::Module => "core module",
        ComponentExternalKind::Component => "component",
        ComponentExternalKind::Value => "value",
    };
    Err(Error::ungovernable(
        &name,
        format!(
            "it is a {what}, and whoever gets it can run it unasked; build it without this export"
        ),
    ))
}
