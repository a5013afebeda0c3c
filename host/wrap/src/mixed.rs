//! The interfaces of WASI that a service gets in front of which a governor reads bodies: the host's own,
//! but for a few resources, and the functions about these, which are ours.
//!
//! No language makes such a component: its exports are a mixture of what two of its imports export. So
//! one is made that imports both, by `wit-component`, and everything behind its imports is cut off; what
//! takes its place are aliases.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use std::collections::{HashMap, HashSet};

use wit_parser::{
    Function, FunctionKind, Handle, IndexMap, InterfaceId, Param, Resolve, Result_, SourceMap,
    Tuple, Type, TypeDef, TypeDefKind, TypeId, TypeOwner, WorldItem, WorldKey,
};

use crate::encode;
use crate::error::Error;
use crate::islands;
use crate::relay::{self, Export, From, Item};
use crate::sources::{self, Source};
use crate::surface::{Surface, decode};

/// The resource that functions of the host's may return all the same.
const STREAM: &str = "input-stream";

/// What a service gets from us in place of the host's.
const RESOURCES: [(&str, &[&str]); 2] = [
    ("wasi:io/streams@0.2.", &[STREAM]),
    (
        "wasi:http/types@0.2.",
        &["incoming-request", "incoming-body", "future-trailers"],
    ),
];

/// The interfaces in which they are, in which they are made, and in which functions of the host's are
/// that return them.
const OURS: &str = "package thoth:incoming@0.1.0;
    interface resources {}
    interface handing-on {}
    interface sources {}";

/// What a service is put behind.
pub(crate) struct Mixed {
    /// A component that exports those interfaces which the service imports and in which something is ours.
    /// It imports the rest of them, and ours.
    pub(crate) interfaces: Vec<u8>,
    /// A component that exports the functions which return streams that are not a request's.
    pub(crate) sources: Option<Vec<u8>>,
}

/// Makes them.
///
/// # Errors
/// The service imports something about these resources that ours do not offer.
pub(crate) fn mixed(service: &Surface, incoming: &[u8]) -> Result<Mixed, Error> {
    let offered = offered(incoming)?;
    let mut mixture = Mixture::of(service)?;
    let mut exports = Vec::new();
    for (key, item) in &service.resolve.worlds[service.world].imports {
        let name = service.resolve.name_world_key(key);
        match item {
            WorldItem::Interface { id, .. } => {
                if let Some(items) = mixture.interface(*id, &name, &offered)? {
                    exports.push((name, *id, items));
                }
            }
            WorldItem::Function(function) => {
                if mixture.function(function).is_some() {
                    return Err(unknown(&name, &function.name));
                }
            }
            WorldItem::Type { id, .. } => {
                if mixture.resources.contains_key(&mixture.root(*id)) {
                    return Err(unknown(&name, &name));
                }
            }
        }
    }
    let imports = service.resolve.worlds[service.world].imports.clone();
    let exports = exports
        .into_iter()
        .map(|(name, id, mut items)| {
            let island = islands::island(&service.resolve, &imports, id)?;
            for (import, root) in island.types {
                items.push(Item {
                    import,
                    is_function: false,
                    from: mixture.source(root)?,
                });
            }
            let island = island.bytes;
            Ok(Export {
                name,
                island,
                items,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let Mixture { resolve, ours, .. } = &mixture;
    let world = relay::World {
        imports: imports.clone(),
        ours: vec![ours.resources, ours.sources],
        exports: None,
    };
    let interfaces = relay::component(resolve, world, &exports)?;
    let sources = match mixture.sources.is_empty() {
        true => None,
        false => Some(mixture.sources(imports)?),
    };
    Ok(Mixed {
        interfaces,
        sources,
    })
}

fn unknown(interface: &str, item: &str) -> Error {
    Error::Refused(format!(
        "it imports `{item}` of `{interface}`, which is about a request's body in a way that is not \
         known here; wrap the component without it"
    ))
}

/// The functions that ours offer.
fn offered(incoming: &[u8]) -> Result<HashSet<String>, Error> {
    let (resolve, world) = decode(incoming)?;
    let exports = resolve.worlds[world].exports.values();
    let interfaces = exports.filter_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    });
    let ours = interfaces.filter(|interface| interface.name.as_deref() == Some("resources"));
    Ok(ours
        .flat_map(|ours| ours.functions.keys().cloned())
        .collect())
}

/// Our interfaces.
struct Ours {
    resources: InterfaceId,
    making: InterfaceId,
    sources: InterfaceId,
}

/// A service's types, with ours in place of the host's.
struct Mixture {
    resolve: Resolve,
    ours: Ours,
    /// Our resource for each of the host's.
    resources: HashMap<TypeId, TypeId>,
    /// Functions that return streams of the host's.
    sources: Vec<Source>,
}

impl Mixture {
    fn of(service: &Surface) -> Result<Self, Error> {
        let mut resolve = service.resolve.clone();
        let mut texts = SourceMap::new();
        texts.push_str("ours.wit", OURS);
        let group = texts
            .parse()
            .map_err(|(_, error)| Error::Composition(error.to_string()))?;
        let package = resolve.push_group(group).map_err(Error::composition)?;
        let interfaces = &resolve.packages[package].interfaces;
        let ours = Ours {
            resources: interfaces["resources"],
            making: interfaces["handing-on"],
            sources: interfaces["sources"],
        };
        let mut resources = HashMap::new();
        for (key, item) in &service.resolve.worlds[service.world].imports {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = service.resolve.name_world_key(key);
            let known = RESOURCES
                .iter()
                .filter(|(known, _)| interface.starts_with(known));
            for name in known.flat_map(|(_, names)| *names) {
                let Some(host) = service.resolve.interfaces[*id].types.get(*name) else {
                    continue;
                };
                let resource = resolve.types.alloc(TypeDef {
                    owner: TypeOwner::Interface(ours.resources),
                    ..service.resolve.types[*host].clone()
                });
                let types = &mut resolve.interfaces[ours.resources].types;
                if types.insert((*name).to_owned(), resource).is_some() {
                    return Err(Error::Refused(format!(
                        "it imports `{name}` in two versions of WASI, and a request is of one"
                    )));
                }
                resources.insert(*host, resource);
            }
        }
        Ok(Self {
            resolve,
            ours,
            resources,
            sources: Vec::new(),
        })
    }

    /// The functions of an interface, if anything in it must be ours. Those that must move to our
    /// interfaces.
    fn interface(
        &mut self,
        id: InterfaceId,
        name: &str,
        offered: &HashSet<String>,
    ) -> Result<Option<Vec<Item>>, Error> {
        let types = self.resolve.interfaces[id].types.values();
        let mut is_mixed = types
            .map(|id| self.root(*id))
            .any(|root| self.resources.contains_key(&root));
        // A function of anybody else's is not ours, whatever its name.
        let is_known = RESOURCES.iter().any(|(known, _)| name.starts_with(known));
        let mut items = Vec::new();
        for (_, function) in self.resolve.interfaces[id].functions.clone() {
            let mut from = From {
                interface: id,
                name: function.name.clone(),
            };
            if let Some(ours) = self.function(&function) {
                is_mixed = true;
                from.name.clone_from(&ours.name);
                from.interface = if is_known && offered.contains(&ours.name) {
                    self.ours.resources
                } else if self.is_source(&function) {
                    self.sources.push(Source {
                        interface: id,
                        host: function.clone(),
                        ours: ours.clone(),
                    });
                    self.ours.sources
                } else {
                    return Err(unknown(name, &function.name));
                };
                let host = &mut self.resolve.interfaces[id].functions;
                host.shift_remove(&function.name);
                let functions = &mut self.resolve.interfaces[from.interface].functions;
                if functions.insert(ours.name.clone(), ours).is_some() {
                    return Err(unknown(name, &function.name));
                }
            }
            items.push(Item {
                import: islands::import(&function),
                is_function: true,
                from,
            });
        }
        Ok(is_mixed.then_some(items))
    }

    /// Where a type comes from.
    fn source(&self, root: TypeId) -> Result<From, Error> {
        let ours = self.resources.get(&root).copied().unwrap_or(root);
        let ty = &self.resolve.types[ours];
        match (ty.owner, &ty.name) {
            (TypeOwner::Interface(interface), Some(name)) => Ok(From {
                interface,
                name: name.clone(),
            }),
            _ => Err(Error::Composition("a type of nobody's".to_owned())),
        }
    }

    /// The component with the functions that return streams of the host's.
    fn sources(mut self, imports: IndexMap<WorldKey, WorldItem>) -> Result<Vec<u8>, Error> {
        let [stream] = self.streams()[..] else {
            return Err(Error::Composition("there is no stream".to_owned()));
        };
        let [host, ours] = [stream, self.resources[&stream]].map(|of| {
            let kind = TypeDefKind::Handle(Handle::Own(of));
            self.anonymous(kind)
        });
        let mut of_host = self.sources[0].host.clone();
        of_host.name = "of-host".to_owned();
        of_host.kind = FunctionKind::Freestanding;
        of_host.params = vec![Param {
            name: "host".to_owned(),
            ty: host,
            span: Default::default(),
        }];
        of_host.result = Some(ours);
        let making = &mut self.resolve.interfaces[self.ours.making].functions;
        making.insert(of_host.name.clone(), of_host);
        for source in &self.sources {
            let functions = &mut self.resolve.interfaces[source.interface].functions;
            functions.insert(source.host.name.clone(), source.host.clone());
        }
        let Ours {
            resources,
            making,
            sources,
        } = self.ours;
        let module = sources::module(&self.resolve, &self.sources, stream, making, sources)?;
        let world = relay::World {
            imports,
            ours: vec![resources, making],
            exports: Some(sources),
        };
        let world = world.add(&mut self.resolve);
        encode::component(&self.resolve, world, module)
    }

    /// The host's streams of input.
    fn streams(&self) -> Vec<TypeId> {
        let is_stream = |id: &TypeId| self.resolve.types[*id].name.as_deref() == Some(STREAM);
        self.resources.keys().copied().filter(is_stream).collect()
    }

    /// Whether nothing but a stream in its result must be ours.
    fn is_source(&mut self, function: &Function) -> bool {
        let all = self.resources.clone();
        let streams = self.streams();
        self.resources.retain(|host, _| !streams.contains(host));
        let others = self.function(function).is_some();
        self.resources = all;
        let params = function.params.iter();
        let takes = params.filter_map(|param| self.ty(param.ty)).count() > 0;
        let is_listed = function.result.is_some_and(|ty| self.is_listed(ty));
        !others && !takes && !is_listed
    }

    /// Whether one of the host's resources is in a list, where it is not found again.
    fn is_listed(&mut self, ty: Type) -> bool {
        let Type::Id(id) = ty else { return false };
        match self.resolve.types[id].kind.clone() {
            TypeDefKind::List(of) => self.ty(of).is_some(),
            TypeDefKind::Option(of) => self.is_listed(of),
            TypeDefKind::Result(Result_ { ok, err }) => {
                [ok, err].into_iter().flatten().any(|ty| self.is_listed(ty))
            }
            TypeDefKind::Tuple(Tuple { types }) => types.into_iter().any(|ty| self.is_listed(ty)),
            _ => false,
        }
    }

    /// The function about our resources, where it is about one of the host's in place of which there is
    /// ours.
    fn function(&mut self, function: &Function) -> Option<Function> {
        let mut ours = function.clone();
        let mut is_ours = false;
        let types = ours.params.iter_mut().map(|param| &mut param.ty);
        for ty in types.chain(&mut ours.result) {
            if let Some(other) = self.ty(*ty) {
                *ty = other;
                is_ours = true;
            }
        }
        let resource = |id| self.resources.get(&self.root(id)).copied();
        ours.kind = match function.kind {
            FunctionKind::Method(id) if resource(id).is_some() => {
                FunctionKind::Method(resource(id)?)
            }
            FunctionKind::Static(id) if resource(id).is_some() => {
                FunctionKind::Static(resource(id)?)
            }
            _ => {
                let name = function.name.rsplit(']').next()?;
                ours.name = name.replace('.', "-");
                FunctionKind::Freestanding
            }
        };
        is_ours.then_some(ours)
    }

    /// The type with our resources in it, where it has one of the host's in it.
    fn ty(&mut self, ty: Type) -> Option<Type> {
        let Type::Id(id) = ty else { return None };
        let kind = match self.resolve.types[id].kind.clone() {
            TypeDefKind::Handle(Handle::Own(of)) => {
                let ours = *self.resources.get(&self.root(of))?;
                TypeDefKind::Handle(Handle::Own(ours))
            }
            TypeDefKind::Handle(Handle::Borrow(of)) => {
                let ours = *self.resources.get(&self.root(of))?;
                TypeDefKind::Handle(Handle::Borrow(ours))
            }
            TypeDefKind::List(of) => TypeDefKind::List(self.ty(of)?),
            TypeDefKind::Option(of) => TypeDefKind::Option(self.ty(of)?),
            TypeDefKind::Result(Result_ { ok, err }) => {
                let [ours_ok, ours_err] = [ok, err].map(|ty| ty.and_then(|ty| self.ty(ty)));
                ours_ok.or(ours_err)?;
                TypeDefKind::Result(Result_ {
                    ok: ours_ok.or(ok),
                    err: ours_err.or(err),
                })
            }
            TypeDefKind::Tuple(Tuple { types }) => {
                let ours: Vec<_> = types.iter().map(|ty| self.ty(*ty)).collect();
                ours.iter().flatten().next()?;
                let types = ours.iter().zip(types).map(|(ours, ty)| ours.unwrap_or(ty));
                TypeDefKind::Tuple(Tuple {
                    types: types.collect(),
                })
            }
            _ => return None,
        };
        Some(self.anonymous(kind))
    }

    fn anonymous(&mut self, kind: TypeDefKind) -> Type {
        Type::Id(self.resolve.types.alloc(TypeDef {
            name: None,
            kind,
            owner: TypeOwner::None,
            docs: Default::default(),
            stability: Default::default(),
            span: Default::default(),
            external_id: None,
        }))
    }

    fn root(&self, id: TypeId) -> TypeId {
        islands::root(&self.resolve, id)
    }
}

#[cfg(test)]
mod tests;
