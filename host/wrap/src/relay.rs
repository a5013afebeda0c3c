//! A component without code: its exports are parts of what it imports.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use std::collections::HashMap;

use wasm_encoder::{
    Alias, CodeSection, ComponentAliasSection, ComponentExportKind, ComponentExportSection,
    ComponentInstanceSection, ComponentSection, ComponentSectionId, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, ImportSection, Instruction, Module, RawSection,
    TypeSection, ValType,
};
use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentTypeRef, Parser, Payload};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    IndexMap, InterfaceId, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, WasmImport,
    WorldId, WorldItem, WorldKey,
};

use crate::encode;
use crate::error::Error;

const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;

/// An interface that is exported.
pub(crate) struct Export {
    /// Its name; that of the import, too, from which it has what is not ours.
    pub(crate) name: String,
    /// What gives the items their names.
    pub(crate) island: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

/// A type or a function that goes through an island.
pub(crate) struct Item {
    /// The island's import.
    pub(crate) import: String,
    pub(crate) is_function: bool,
    pub(crate) from: From,
}

/// Where it comes from: an interface that is imported, and the name there.
#[derive(Clone)]
pub(crate) struct From {
    pub(crate) interface: InterfaceId,
    pub(crate) name: String,
}

/// What a component of ours imports and exports.
pub(crate) struct World {
    /// As the service does.
    pub(crate) imports: IndexMap<WorldKey, WorldItem>,
    /// Our interfaces among the imports.
    pub(crate) ours: Vec<InterfaceId>,
    /// Our interface that it exports.
    pub(crate) exports: Option<InterfaceId>,
}

impl World {
    /// Adds it to the others.
    pub(crate) fn add(self, resolve: &mut Resolve) -> WorldId {
        let interface = |id| {
            let item = WorldItem::Interface {
                id,
                stability: Default::default(),
                external_id: None,
                docs: Default::default(),
                span: Default::default(),
            };
            (WorldKey::Interface(id), item)
        };
        let named = self.ours.first().or(self.exports.as_ref());
        let package = named.and_then(|id| resolve.interfaces[*id].package);
        let mut imports = self.imports;
        imports.extend(self.ours.into_iter().map(interface));
        let world = resolve.worlds.alloc(wit_parser::World {
            name: "ours".to_owned(),
            imports,
            exports: self.exports.into_iter().map(interface).collect(),
            package,
            docs: Default::default(),
            stability: Default::default(),
            includes: Vec::new(),
            span: Default::default(),
        });
        if let Some(package) = package {
            let worlds = &mut resolve.packages[package].worlds;
            worlds.insert("ours".to_owned(), world);
        }
        world
    }
}

/// The component with these exports and that world's imports.
///
/// # Errors
/// The types do not encode.
pub(crate) fn component(
    resolve: &Resolve,
    world: World,
    exports: &[Export],
) -> Result<Vec<u8>, Error> {
    let mut component = importing(resolve.clone(), world)?;
    let mut indices = Indices::of(&component)?;
    let mut aliases = ComponentAliasSection::new();
    let mut instances = ComponentInstanceSection::new();
    let mut names = ComponentExportSection::new();
    for (index, export) in exports.iter().enumerate() {
        let mut arguments = Vec::new();
        for item in &export.items {
            let From { interface, name } = &item.from;
            let source = resolve.id_of(*interface).unwrap_or_default();
            let instance = *indices.instances.get(&source).ok_or_else(|| {
                Error::Composition(format!("there is nothing to take `{name}` from"))
            })?;
            let (kind, next) = match item.is_function {
                true => (ComponentExportKind::Func, &mut indices.functions),
                false => (ComponentExportKind::Type, &mut indices.types),
            };
            aliases.alias(Alias::InstanceExport {
                instance,
                kind,
                name,
            });
            arguments.push((item.import.as_str(), kind, *next));
            *next += 1;
        }
        instances.instantiate(index as u32, arguments);
        names.export(
            export.name.as_str(),
            ComponentExportKind::Instance,
            indices.instance_count + index as u32,
            None,
        );
    }
    append(&mut component, &aliases);
    for export in exports {
        let island = RawSection {
            id: ComponentSectionId::Component.into(),
            data: &export.island,
        };
        append(&mut component, &island);
    }
    append(&mut component, &instances);
    append(&mut component, &names);
    Ok(component)
}

fn append(component: &mut Vec<u8>, section: &impl ComponentSection) {
    component.push(section.id());
    section.encode(component);
}

/// A component of that world's imports, and nothing else.
fn importing(mut resolve: Resolve, world: World) -> Result<Vec<u8>, Error> {
    let world = world.add(&mut resolve);
    let mut component = encode::component(&resolve, world, module(&resolve, world))?;
    // `wit-component` puts the imports first, and then the module that they are for.
    let mut end = None;
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(&component) {
        let payload = payload.map_err(Error::composition)?;
        match &payload {
            Payload::Version { range, .. } => {
                depth += 1;
                if depth == 1 {
                    end = Some(range.end);
                }
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => break,
            payload => {
                if let Some((_, range)) = payload.as_section() {
                    end = Some(range.end);
                }
            }
        }
    }
    let end = end.and_then(|end| usize::try_from(end).ok());
    component.truncate(end.unwrap_or_default());
    Ok(component)
}

/// A core module that asks for every function, and for the end of every resource.
fn module(resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut import = |import: WasmImport<'_>, params: &[WasmType], results: &[WasmType]| {
        let (module, name) = resolve.wasm_import_name(MANGLING, import);
        let ty = types.len();
        types
            .ty()
            .function(params.iter().map(core), results.iter().map(core));
        imports.import(&module, &name, EntityType::Function(ty));
    };
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        let interface = Some(key);
        for func in resolve.interfaces[*id].functions.values() {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, func);
            let function = WasmImport::Func { interface, func };
            import(function, &signature.params, &signature.results);
        }
        for resource in resolve.interfaces[*id].types.values() {
            if matches!(resolve.types[*resource].kind, TypeDefKind::Resource) {
                let drop = WasmImport::ResourceIntrinsic {
                    interface,
                    resource: *resource,
                    intrinsic: ResourceIntrinsic::ImportedDrop,
                };
                import(drop, &[WasmType::I32], &[]);
            }
        }
    }
    let realloc = types.len();
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(realloc);
    let memories = encode::memory(0, None);
    let mut exports = ExportSection::new();
    exports.export("cm32p2_memory", ExportKind::Memory, 0);
    exports.export("cm32p2_realloc", ExportKind::Func, imports.len());
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    body.instruction(&Instruction::Unreachable);
    body.instruction(&Instruction::End);
    code.function(&body);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module.finish()
}

pub(crate) fn core(ty: &WasmType) -> ValType {
    match ty {
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
    }
}

/// Where the index spaces of a component end, and which instances it imports.
#[derive(Default)]
struct Indices {
    instances: HashMap<String, u32>,
    instance_count: u32,
    types: u32,
    functions: u32,
}

impl Indices {
    fn of(component: &[u8]) -> Result<Self, Error> {
        let mut indices = Self::default();
        for payload in Parser::new(0).parse_all(component) {
            match payload {
                Ok(Payload::ComponentTypeSection(section)) => indices.types += section.count(),
                Ok(Payload::ComponentImportSection(section)) => {
                    for import in section {
                        let import = import.map_err(Error::composition)?;
                        match import.ty {
                            ComponentTypeRef::Instance(_) => {
                                let name = import.name.name.to_owned();
                                indices.instances.insert(name, indices.instance_count);
                                indices.instance_count += 1;
                            }
                            ComponentTypeRef::Type(_) => indices.types += 1,
                            ComponentTypeRef::Func(_) => indices.functions += 1,
                            _ => {}
                        }
                    }
                }
                Ok(Payload::ComponentAliasSection(section)) => {
                    for alias in section {
                        if let ComponentAlias::InstanceExport { kind, .. } =
                            alias.map_err(Error::composition)?
                        {
                            match kind {
                                ComponentExternalKind::Type => indices.types += 1,
                                ComponentExternalKind::Func => indices.functions += 1,
                                ComponentExternalKind::Instance => indices.instance_count += 1,
                                _ => {}
                            }
                        }
                    }
                }
                Ok(_) => {}
                // Cut off where its end was said.
                Err(error) => return Err(Error::composition(error)),
            }
        }
        Ok(indices)
    }
}
