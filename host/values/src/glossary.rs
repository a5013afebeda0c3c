//! Finds the documentation of a type by its shape, as the types of a signature have no names.

use std::collections::HashMap;

use crate::docs::{Docs, TypeDocs};
use crate::shape::Shape;
use thoth_names::interface_name;

/// The documented types that a component exports or imports by name.
#[derive(Default)]
pub(crate) struct Glossary {
    /// By the export or import they are in (none: the component itself).
    scopes: HashMap<Option<String>, Entries>,
    /// All of them.
    all: Entries,
}

/// `None` where two types of one shape are described differently: then neither text is used, rather
/// than the wrong one.
type Entries = HashMap<Shape, Option<TypeDocs>>;

impl Glossary {
    /// Whether adding a type of that name could change anything; saves shaping the others.
    pub(crate) fn wants(docs: &Docs, scope: Option<&str>, name: &str) -> Option<TypeDocs> {
        docs.named_type(scope.map(interface_name), name)
    }

    pub(crate) fn add(&mut self, scope: Option<&str>, shape: Shape, docs: TypeDocs) {
        // A documented alias of `string` must not describe every string.
        let own = matches!(
            shape,
            Shape::Record(_) | Shape::Variant(_) | Shape::Enum(_) | Shape::Flags(_)
        );
        if !own {
            return;
        }
        let entries = self.scopes.entry(scope.map(str::to_owned)).or_default();
        insert(entries, shape.clone(), docs.clone());
        insert(&mut self.all, shape, docs);
    }

    /// What a signature in that scope can look up.
    pub(crate) fn words(&self, scope: Option<&str>) -> Words<'_> {
        Words {
            own: self.scopes.get(&scope.map(str::to_owned)),
            all: &self.all,
        }
    }
}

fn insert(entries: &mut Entries, shape: Shape, docs: TypeDocs) {
    entries
        .entry(shape)
        .and_modify(|known| {
            if known.as_ref() != Some(&docs) {
                *known = None;
            }
        })
        .or_insert(Some(docs));
}

/// The documentation seen from one interface: its own types first.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    own: Option<&'a Entries>,
    all: &'a Entries,
}

impl<'a> Words<'a> {
    pub(crate) fn of(&self, shape: &Shape) -> Option<&'a TypeDocs> {
        let own = self.own.and_then(|own| own.get(shape));
        own.or_else(|| self.all.get(shape))?.as_ref()
    }
}

impl TypeDocs {
    pub(crate) fn item(&self, wit: &str) -> Option<&str> {
        let found = self.items.iter().find(|(name, _)| name == wit);
        found.map(|(_, text)| text.as_str())
    }
}
