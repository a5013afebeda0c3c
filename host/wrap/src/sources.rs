//! Functions of the host's that return a stream of input, standard input for instance, for a service to
//! which such a stream is ours.
//!
//! Each calls the host's and puts a stream of ours in the place of the host's, wherever it is in the
//! result.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, Instruction, MemArg, Module, TypeSection, ValType,
};
use wit_parser::abi::AbiVariant;
use wit_parser::{
    Handle, InterfaceId, ManglingAndAbi, Resolve, ResourceIntrinsic, SizeAlign, Type, TypeDefKind,
    TypeId, WasmExport, WasmExportKind, WasmImport, WorldKey,
};

use crate::encode;
use crate::error::Error;
use crate::islands::root;
use crate::relay::core;

const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;
/// Where results are, in a memory of one page.
const AREA: i32 = 64;

/// A function, as the host has it and as the service gets it.
pub(crate) struct Source {
    /// The interface of the host's.
    pub(crate) interface: InterfaceId,
    pub(crate) host: wit_parser::Function,
    pub(crate) ours: wit_parser::Function,
}

/// The core module: `stream` is the host's resource, `of_host` in `making` makes ours of it, and the
/// functions are exported from `exported`.
///
/// # Errors
/// A function takes more than numbers and resources, or returns more than a page.
pub(crate) fn module(
    resolve: &Resolve,
    sources: &[Source],
    stream: TypeId,
    making: InterfaceId,
    exported: InterfaceId,
) -> Result<Vec<u8>, Error> {
    let mut sizes = SizeAlign::default();
    sizes.fill(resolve);
    let mut parts = Parts::default();
    let making_key = WorldKey::Interface(making);
    let of_host = resolve.interfaces[making].functions.values().next();
    let of_host = of_host.ok_or_else(|| Error::Composition("nothing makes a stream".to_owned()))?;
    let of_host = WasmImport::Func {
        interface: Some(&making_key),
        func: of_host,
    };
    let of_host = parts.import(
        resolve,
        of_host,
        [ValType::I32].into(),
        [ValType::I32].into(),
    );

    // Imports come before everything that is defined.
    let mut calls = Vec::new();
    for source in sources {
        let key = WorldKey::Interface(source.interface);
        let signature = resolve.wasm_signature(AbiVariant::GuestImport, &source.host);
        let function = WasmImport::Func {
            interface: Some(&key),
            func: &source.host,
        };
        let [params, results] =
            [&signature.params, &signature.results].map(|types| types.iter().map(core).collect());
        let call = parts.import(resolve, function, params, results);
        let mut ends = Vec::new();
        for (index, param) in source.host.params.iter().enumerate() {
            match borrowed(resolve, param.ty) {
                None if is_number(resolve, param.ty) => {}
                Some(resource) => ends.push((index as u32, parts.end(resolve, resource)?)),
                None => return Err(unknown(&source.host.name)),
            }
        }
        calls.push((call, ends, signature));
    }
    for (source, (call, ends, signature)) in sources.iter().zip(calls) {
        let count = source.host.params.len() as u32;
        let mut body = vec![];
        body.extend((0..count).map(Instruction::LocalGet));
        if signature.retptr {
            body.push(Instruction::I32Const(AREA));
        }
        body.push(Instruction::Call(call));
        let result = source
            .host
            .result
            .ok_or_else(|| unknown(&source.host.name))?;
        if signature.retptr {
            let place = Place {
                resolve,
                sizes: &sizes,
                stream,
                of_host,
            };
            place.exchange(result, 0, &mut body);
        } else {
            body.push(Instruction::Call(of_host));
            body.push(Instruction::LocalSet(count));
        }
        // What was lent for the call is given back.
        for (param, end) in ends {
            body.extend([Instruction::LocalGet(param), Instruction::Call(end)]);
        }
        body.push(match signature.retptr {
            true => Instruction::I32Const(AREA),
            false => Instruction::LocalGet(count),
        });
        let key = WorldKey::Interface(exported);
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, &source.ours);
        let name = resolve.wasm_export_name(
            MANGLING,
            WasmExport::Func {
                interface: Some(&key),
                func: &source.ours,
                kind: WasmExportKind::Normal,
            },
        );
        let [params, results] =
            [&signature.params, &signature.results].map(|types| types.iter().map(core).collect());
        parts.define(&name, params, results, &body);
    }
    Ok(parts.finish())
}

fn unknown(function: &str) -> Error {
    Error::Refused(format!(
        "it imports `{function}`, which gives it a stream in a way that is not known here; wrap the \
         component without it"
    ))
}

/// The resource that is lent.
fn borrowed(resolve: &Resolve, ty: Type) -> Option<TypeId> {
    let Type::Id(id) = ty else { return None };
    match resolve.types[id].kind {
        TypeDefKind::Handle(Handle::Borrow(of)) => Some(of),
        _ => None,
    }
}

fn is_number(resolve: &Resolve, ty: Type) -> bool {
    match ty {
        Type::Id(id) => match resolve.types[id].kind {
            TypeDefKind::Type(ty) => is_number(resolve, ty),
            TypeDefKind::Enum(_) => true,
            _ => false,
        },
        Type::String | Type::ErrorContext => false,
        _ => true,
    }
}

/// Where streams are exchanged.
struct Place<'a> {
    resolve: &'a Resolve,
    sizes: &'a SizeAlign,
    stream: TypeId,
    of_host: u32,
}

impl Place<'_> {
    /// Exchanges those in a value that is at this offset.
    fn exchange(&self, ty: Type, offset: usize, body: &mut Vec<Instruction<'static>>) {
        let Type::Id(id) = ty else { return };
        let at = |offset: usize, align| MemArg {
            offset: offset as u64,
            align,
            memory_index: 0,
        };
        match &self.resolve.types[id].kind {
            TypeDefKind::Type(other) => self.exchange(*other, offset, body),
            TypeDefKind::Handle(Handle::Own(of)) if root(self.resolve, *of) == self.stream => {
                body.extend([
                    Instruction::I32Const(AREA),
                    Instruction::I32Const(AREA),
                    Instruction::I32Load(at(offset, 2)),
                    Instruction::Call(self.of_host),
                    Instruction::I32Store(at(offset, 2)),
                ]);
            }
            TypeDefKind::Result(result) => {
                let cases = [result.ok.as_ref(), result.err.as_ref()];
                let payload = self.sizes.payload_offset(wit_parser::Int::U8, cases);
                let payload = offset + payload.size_wasm32();
                for (tag, case) in cases.into_iter().enumerate() {
                    let mut inner = Vec::new();
                    if let Some(case) = case {
                        self.exchange(*case, payload, &mut inner);
                    }
                    self.case(tag, offset, inner, body);
                }
            }
            TypeDefKind::Option(of) => {
                let payload = self
                    .sizes
                    .payload_offset(wit_parser::Int::U8, [None, Some(of)]);
                let mut inner = Vec::new();
                self.exchange(*of, offset + payload.size_wasm32(), &mut inner);
                self.case(1, offset, inner, body);
            }
            TypeDefKind::Tuple(tuple) => {
                for (field, ty) in self.sizes.field_offsets(&tuple.types) {
                    self.exchange(*ty, offset + field.size_wasm32(), body);
                }
            }
            _ => {}
        }
    }

    /// What is done where the value is that case.
    fn case(
        &self,
        tag: usize,
        offset: usize,
        inner: Vec<Instruction<'static>>,
        body: &mut Vec<Instruction<'static>>,
    ) {
        if inner.is_empty() {
            return;
        }
        body.extend([
            Instruction::I32Const(AREA),
            Instruction::I32Load8U(MemArg {
                offset: offset as u64,
                align: 0,
                memory_index: 0,
            }),
            Instruction::I32Const(tag as i32),
            Instruction::I32Eq,
            Instruction::If(BlockType::Empty),
        ]);
        body.extend(inner);
        body.push(Instruction::End);
    }
}

/// A module in the making.
#[derive(Default)]
struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    ends: Vec<(TypeId, u32)>,
}

impl Parts {
    fn import(
        &mut self,
        resolve: &Resolve,
        import: WasmImport<'_>,
        params: Vec<ValType>,
        results: Vec<ValType>,
    ) -> u32 {
        let (module, name) = resolve.wasm_import_name(MANGLING, import);
        let ty = self.types.len();
        self.types.ty().function(params, results);
        self.imports
            .import(&module, &name, EntityType::Function(ty));
        self.imports.len() - 1
    }

    /// The function that gives back what was lent.
    fn end(&mut self, resolve: &Resolve, resource: TypeId) -> Result<u32, Error> {
        if let Some((_, index)) = self.ends.iter().find(|(of, _)| *of == resource) {
            return Ok(*index);
        }
        let wit_parser::TypeOwner::Interface(owner) = resolve.types[resource].owner else {
            return Err(Error::Composition("a resource of nobody's".to_owned()));
        };
        let end = WasmImport::ResourceIntrinsic {
            interface: Some(&WorldKey::Interface(owner)),
            resource,
            intrinsic: ResourceIntrinsic::ImportedDrop,
        };
        let index = self.import(resolve, end, [ValType::I32].into(), Vec::new());
        self.ends.push((resource, index));
        Ok(index)
    }

    fn define(
        &mut self,
        name: &str,
        params: Vec<ValType>,
        results: Vec<ValType>,
        instructions: &[Instruction<'_>],
    ) {
        self.functions.function(self.types.len());
        self.types.ty().function(params, results);
        let index = self.imports.len() + self.functions.len() - 1;
        self.exports.export(name, ExportKind::Func, index);
        let mut body = Function::new([(1, ValType::I32)]);
        for instruction in instructions {
            body.instruction(instruction);
        }
        body.instruction(&Instruction::End);
        self.code.function(&body);
    }

    fn finish(mut self) -> Vec<u8> {
        // Nothing is ever passed in.
        let body = [Instruction::Unreachable];
        self.define(
            "cm32p2_realloc",
            [ValType::I32; 4].into(),
            [ValType::I32].into(),
            &body,
        );
        let memories = encode::memory(1, Some(1));
        self.exports.export("cm32p2_memory", ExportKind::Memory, 0);
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&memories)
            .section(&self.exports)
            .section(&self.code);
        module.finish()
    }
}
