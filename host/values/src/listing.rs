//! Walks the type of a component and lists its functions, without instantiating it.

use thoth_names::{Export, Name, interface_name, title, tool_names};
use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentFunc, ComponentInstance, ComponentItem};

use crate::docs::Docs;
use crate::function::Function;
use crate::glossary::Glossary;
use crate::limits;
use crate::schema::Schemas;
use crate::shape::{Budget, Member, Shape};

/// What a component offers, in the order of its exports. The same component gives the same listing.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The functions that can be called.
    pub functions: Vec<Function>,
    /// Those that cannot, and why.
    pub refused: Vec<Refused>,
}

/// An exported function that cannot be a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where it is exported: `acme:ledger/transfers@1.0.0#send`.
    pub export: String,
    /// Why, in lower case and on one line.
    pub why: String,
}

/// Lists the functions of a component.
///
/// Total: a function that has no JSON form, that cannot be named or that exceeds a [limit](limits)
/// is refused by itself, and the others stay usable.
#[must_use]
pub fn list(component_type: &Component, engine: &Engine, docs: &Docs) -> Listing {
    let mut walk = Walk {
        engine,
        docs,
        budget: Budget::new(),
        glossary: Glossary::default(),
        found: Vec::new(),
        omitted: false,
    };
    walk.component(component_type);
    walk.listing()
}

/// Parameters and result.
type Signature = (Vec<Member>, Option<Shape>);

struct Walk<'a> {
    engine: &'a Engine,
    docs: &'a Docs,
    budget: Budget,
    glossary: Glossary,
    found: Vec<(Export, Result<Signature, String>)>,
    omitted: bool,
}

impl Walk<'_> {
    fn component(&mut self, component: &Component) {
        for (name, export) in component.exports(self.engine) {
            match export.ty {
                ComponentItem::ComponentFunc(function) => self.function(None, name, &function),
                ComponentItem::ComponentInstance(instance) => self.interface(name, &instance),
                ComponentItem::Type(ty) => self.named_type(None, name, &ty),
                // None of these can be called.
                ComponentItem::CoreFunc(_)
                | ComponentItem::Module(_)
                | ComponentItem::Component(_)
                | ComponentItem::Resource(_) => {}
            }
        }
        if self.docs.is_empty() {
            return;
        }
        // Types that an exported interface uses from another one are described there.
        for (name, import) in component.imports(self.engine) {
            if let ComponentItem::ComponentInstance(instance) = import.ty {
                for (item, export) in instance.exports(self.engine) {
                    if let ComponentItem::Type(ty) = export.ty {
                        self.named_type(Some(name), item, &ty);
                    }
                }
            }
        }
    }

    fn interface(&mut self, interface: &str, instance: &ComponentInstance) {
        for (name, export) in instance.exports(self.engine) {
            match export.ty {
                ComponentItem::ComponentFunc(function) => {
                    self.function(Some(interface), name, &function);
                }
                ComponentItem::Type(ty) => self.named_type(Some(interface), name, &ty),
                // WIT cannot nest instances, and none of the others can be called.
                ComponentItem::ComponentInstance(_)
                | ComponentItem::CoreFunc(_)
                | ComponentItem::Module(_)
                | ComponentItem::Component(_)
                | ComponentItem::Resource(_) => {}
            }
        }
    }

    fn named_type(&mut self, scope: Option<&str>, name: &str, ty: &wasmtime::component::Type) {
        if let Some(docs) = Glossary::wants(self.docs, scope, name) {
            self.budget.next_signature();
            if let Ok(shape) = self.budget.shape(ty, 1) {
                self.glossary.add(scope, shape, docs);
            }
        }
    }

    fn function(&mut self, interface: Option<&str>, name: &str, function: &ComponentFunc) {
        if self.found.len() >= limits::FUNCTIONS {
            self.omitted = true;
            return;
        }
        let export = Export {
            interface: interface.map(str::to_owned),
            function: name.to_owned(),
        };
        let signature = if (interface, name) == (Some("exports"), "init") {
            // Called while the component is built, and of no use after that.
            Err("it is componentize-py's own".to_owned())
        } else {
            self.signature(name, function)
        };
        self.found.push((export, signature));
    }

    fn signature(&mut self, name: &str, function: &ComponentFunc) -> Result<Signature, String> {
        if name.starts_with('[') {
            return Err("it belongs to a resource, and a resource has no JSON form".to_owned());
        }
        if Name::new(name).is_none() {
            return Err(format!(
                "its name is no WIT name of at most {} bytes",
                limits::NAME
            ));
        }
        if function.async_() {
            return Err("it is an async function".to_owned());
        }
        self.budget.next_signature();
        let parameters = self.budget.parameters(function.params())?;
        let mut results = function.results();
        let result = match (results.next(), results.next()) {
            (None, _) => None,
            (Some(ty), None) => {
                let shape = self.budget.shape(&ty, 1);
                Some(shape.map_err(|why| format!("result: {why}"))?)
            }
            (Some(_), Some(_)) => return Err("it has more than one result".to_owned()),
        };
        Ok((parameters, result))
    }

    fn listing(self) -> Listing {
        let usable = self.found.iter().filter(|(_, signature)| signature.is_ok());
        let exports: Vec<&Export> = usable.map(|(export, _)| export).collect();
        let mut names = tool_names(&exports).into_iter();

        let mut room = limits::SCHEMAS;
        let mut listing = Listing::default();
        for (export, signature) in &self.found {
            let function = signature.clone().and_then(|signature| {
                let name = names.next().flatten().ok_or_else(|| {
                    format!(
                        "its tool name is not unique or longer than {} characters",
                        limits::NAME
                    )
                })?;
                self.describe(name, export, signature, &mut room)
            });
            match function {
                Ok(function) => listing.functions.push(function),
                Err(why) => listing.refused.push(Refused {
                    export: export.to_string(),
                    why,
                }),
            }
        }
        if self.omitted {
            listing.refused.push(Refused {
                export: "the rest".to_owned(),
                why: format!(
                    "the component exports more than {} functions",
                    limits::FUNCTIONS
                ),
            });
        }
        listing
    }

    fn describe(
        &self,
        name: String,
        export: &Export,
        signature: Signature,
        room: &mut usize,
    ) -> Result<Function, String> {
        let (parameters, result) = signature;
        let scope = export.interface.as_deref();
        let words = self.glossary.words(scope);
        Ok(Function {
            name,
            title: title(&export.function),
            docs: self
                .docs
                .function(scope.map(interface_name), &export.function),
            input_schema: Schemas::input(&parameters, words, room)?,
            output_schema: Schemas::output(result.as_ref(), words, room)?,
            export: export.clone(),
            parameters,
            result,
        })
    }
}
