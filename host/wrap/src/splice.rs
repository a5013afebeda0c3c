//! Adds to the adapter's core module what is about this component: the table of types, and for each
//! function a trampoline.

use std::convert::Infallible;

use thoth_interpreter::layout::MANY;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, EntityType, ExportKind, ExportSection,
    FunctionSection, GlobalSection, ImportSection, Instruction, MemArg, MemorySection, Module,
    NameMap, NameSection, TableSection, TypeSection, ValType,
};
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{ManglingAndAbi, Resolve, WasmExport, WasmExportKind, WasmImport};

use crate::error::Error;
use crate::surface::Exported;
use crate::types::Types;

const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;
const PAGE: u64 = 65_536;
/// The slot behind the parameters: see `slots.rs` of the adapter.
const RESULT: u64 = MANY as u64 - 1;

/// The adapter's core module for these functions.
///
/// # Errors
/// The module is not the adapter's.
pub(crate) fn splice(
    adapter: &[u8],
    resolve: &Resolve,
    functions: &[Exported],
    types: &Types,
) -> Result<Vec<u8>, Error> {
    let mut parts = Parts::read(adapter, functions.len() as u32)?;
    let table = parts.append(&types.bytes);

    let mut names = NameMap::new();
    names.append(parts.symbols.refused, "thoth-refused");
    for (index, exported) in functions.iter().enumerate() {
        let import = parts.import(resolve, index as u32, exported);
        let place = [
            table as i32,
            types.bytes.len() as i32,
            types.functions.get(index).copied().unwrap_or_default() as i32,
        ];
        let trampoline = parts.trampoline(resolve, exported, import, place);
        names.append(trampoline, &format!("govern {}", exported.export));
    }
    Ok(parts.module(&names))
}

/// A module as it is, with data behind its memory.
///
/// # Errors
/// It is not a module of ours.
pub(crate) fn with_data(module: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
    let mut parts = Parts::read(module, 0)?;
    parts.append(data);
    Ok(parts.module(&NameMap::new()))
}

/// What the trampolines need of the adapter, by index or address.
#[derive(Default)]
struct Symbols {
    enter: u32,
    leave: u32,
    reset: u32,
    refused: u32,
    realloc: u32,
    slots: u32,
    heap_base: u32,
}

struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memory: wasm_encoder::MemoryType,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
    symbols: Symbols,
    /// How many functions the adapter imports by itself.
    imported: u32,
    /// How many functions there are, with those that are imported.
    total: u32,
}

/// Moves the functions of the adapter behind the imports that are added.
struct Shift {
    imported: u32,
    added: u32,
}

impl Reencode for Shift {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(if function < self.imported {
            function
        } else {
            function + self.added
        })
    }
}

impl Parts {
    fn read(module: &[u8], added: u32) -> Result<Self, Error> {
        let mut parts = Self {
            types: TypeSection::new(),
            imports: ImportSection::new(),
            functions: FunctionSection::new(),
            tables: TableSection::new(),
            memory: wasm_encoder::MemoryType {
                minimum: 0,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            },
            globals: GlobalSection::new(),
            exports: ExportSection::new(),
            elements: ElementSection::new(),
            code: CodeSection::new(),
            data: DataSection::new(),
            symbols: Symbols::default(),
            imported: 0,
            total: 0,
        };
        let mut shift = Shift { imported: 0, added };
        let mut constants = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            payload
                .map_err(Into::into)
                .and_then(|payload| parts.section(payload, &mut shift, &mut constants))
                .map_err(|why| Error::Composition(format!("the module is damaged: {why}")))?;
        }
        parts.total += added;
        Ok(parts)
    }

    /// Puts data behind what the module has in its memory. Its address.
    fn append(&mut self, data: &[u8]) -> u32 {
        let at = self.symbols.heap_base;
        let end = u64::from(at) + data.len() as u64;
        self.memory.minimum = self.memory.minimum.max(end.div_ceil(PAGE));
        let place = ConstExpr::i32_const(at as i32);
        self.data.active(0, &place, data.iter().copied());
        at
    }

    fn section(
        &mut self,
        payload: Payload<'_>,
        shift: &mut Shift,
        constants: &mut Vec<Option<u32>>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        match payload {
            Payload::TypeSection(section) => shift.parse_type_section(&mut self.types, section)?,
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    if !matches!(import?.ty, TypeRef::Func(_)) {
                        return Err("it imports more than functions".into());
                    }
                    self.imported += 1;
                }
                self.total = self.imported;
                shift.imported = self.imported;
                shift.parse_import_section(&mut self.imports, section)?;
            }
            Payload::FunctionSection(section) => {
                self.total += section.count();
                shift.parse_function_section(&mut self.functions, section)?;
            }
            Payload::TableSection(section) => {
                shift.parse_table_section(&mut self.tables, section)?;
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory = shift.memory_type(memory?)?;
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.clone() {
                    let mut operators = global?.init_expr.get_operators_reader();
                    constants.push(match operators.read()? {
                        Operator::I32Const { value } => Some(value as u32),
                        _ => None,
                    });
                }
                shift.parse_global_section(&mut self.globals, section)?;
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let function = || match export.kind {
                        ExternalKind::Func => Ok(export.index + shift.added),
                        _ => Err("an export is no function"),
                    };
                    let address = || {
                        let constant = constants.get(export.index as usize).copied().flatten();
                        constant.ok_or("an address is missing")
                    };
                    let symbols = &mut self.symbols;
                    match export.name {
                        "thoth_enter" => symbols.enter = function()?,
                        "thoth_leave" => symbols.leave = function()?,
                        "thoth_reset" => symbols.reset = function()?,
                        "thoth_refused" => symbols.refused = function()?,
                        "cabi_realloc" => symbols.realloc = function()?,
                        "THOTH_SLOTS" => symbols.slots = address()?,
                        "__heap_base" => symbols.heap_base = address()?,
                        name if name.starts_with("cm32p2|") => {
                            self.exports.export(name, ExportKind::Func, function()?);
                        }
                        _ => {}
                    }
                }
            }
            Payload::ElementSection(section) => {
                shift.parse_element_section(&mut self.elements, section)?;
            }
            Payload::CodeSectionEntry(body) => shift.parse_function_body(&mut self.code, body)?,
            Payload::DataSection(section) => shift.parse_data_section(&mut self.data, section)?,
            Payload::StartSection { .. } => return Err("it has a start function".into()),
            _ => {}
        }
        Ok(())
    }

    /// Imports the function of the component. Its index.
    fn import(&mut self, resolve: &Resolve, index: u32, exported: &Exported) -> u32 {
        let signature = resolve.wasm_signature(AbiVariant::GuestImport, &exported.function);
        let ty = self.ty(&signature);
        let (module, name) = resolve.wasm_import_name(
            MANGLING,
            WasmImport::Func {
                interface: exported.interface.as_ref(),
                func: &exported.function,
            },
        );
        self.imports
            .import(&module, &name, EntityType::Function(ty));
        self.imported + index
    }

    /// Exports the governed function: ask, and only then call. Its index.
    fn trampoline(
        &mut self,
        resolve: &Resolve,
        exported: &Exported,
        import: u32,
        place: [i32; 3],
    ) -> u32 {
        let inner = resolve.wasm_signature(AbiVariant::GuestImport, &exported.function);
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, &exported.function);
        let results: Vec<ValType> = signature.results.iter().map(core).collect();
        let result = results.first().copied();
        let symbols = &self.symbols;
        let slot = |index: u64| MemArg {
            offset: u64::from(symbols.slots) + index * 8,
            align: 2,
            memory_index: 0,
        };

        let mut body = wasm_encoder::Function::new([]);
        let mut emit = |instruction: Instruction<'_>| {
            body.instruction(&instruction);
        };
        for (index, ty) in signature.params.iter().enumerate() {
            emit(Instruction::I32Const(0));
            emit(Instruction::LocalGet(index as u32));
            emit(store(core(ty), slot(index as u64)));
        }
        for value in place {
            emit(Instruction::I32Const(value));
        }
        emit(Instruction::Call(symbols.enter));
        emit(Instruction::If(wasm_encoder::BlockType::Empty));
        if let Some(ty) = result {
            emit(Instruction::I32Const(0));
            emit(load(ty, slot(RESULT)));
        }
        emit(Instruction::Return);
        emit(Instruction::End);
        // A result that is returned itself, and not by its address.
        let direct = result.filter(|_| !inner.retptr);
        if direct.is_some() {
            emit(Instruction::I32Const(0));
        }
        for (index, ty) in signature.params.iter().enumerate() {
            emit(Instruction::I32Const(0));
            emit(load(core(ty), slot(index as u64)));
        }
        if inner.retptr {
            emit(Instruction::I32Const(0));
            emit(load(ValType::I32, slot(RESULT)));
        }
        emit(Instruction::Call(import));
        if let Some(ty) = direct {
            emit(store(ty, slot(RESULT)));
        }
        for value in place {
            emit(Instruction::I32Const(value));
        }
        emit(Instruction::Call(symbols.leave));
        if let Some(ty) = result {
            emit(Instruction::I32Const(0));
            emit(load(ty, slot(RESULT)));
        }
        emit(Instruction::End);

        let ty = self.ty(&signature);
        let trampoline = self.define(ty, &body);
        self.export_as(resolve, exported, WasmExportKind::Normal, trampoline);

        // When the caller has read the result, the memory of the call is free.
        let mut after = wasm_encoder::Function::new([]);
        after.instruction(&Instruction::Call(self.symbols.reset));
        after.instruction(&Instruction::End);
        let ty = self.types.len();
        self.types.ty().function(results, []);
        let after = self.define(ty, &after);
        self.export_as(resolve, exported, WasmExportKind::PostReturn, after);
        trampoline
    }

    fn ty(&mut self, signature: &WasmSignature) -> u32 {
        let ty = self.types.len();
        self.types.ty().function(
            signature.params.iter().map(core),
            signature.results.iter().map(core),
        );
        ty
    }

    fn define(&mut self, ty: u32, body: &wasm_encoder::Function) -> u32 {
        self.functions.function(ty);
        self.code.function(body);
        self.total += 1;
        self.total - 1
    }

    fn export_as(
        &mut self,
        resolve: &Resolve,
        exported: &Exported,
        kind: WasmExportKind,
        function: u32,
    ) {
        let name = resolve.wasm_export_name(
            MANGLING,
            WasmExport::Func {
                interface: exported.interface.as_ref(),
                func: &exported.function,
                kind,
            },
        );
        self.exports.export(&name, ExportKind::Func, function);
    }

    fn module(mut self, names: &NameMap) -> Vec<u8> {
        self.exports.export("cm32p2_memory", ExportKind::Memory, 0);
        self.exports
            .export("cm32p2_realloc", ExportKind::Func, self.symbols.realloc);
        let mut memories = MemorySection::new();
        memories.memory(self.memory);
        let mut named = NameSection::new();
        named.functions(names);
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.tables)
            .section(&memories)
            .section(&self.globals)
            .section(&self.exports)
            .section(&self.elements)
            .section(&self.code)
            .section(&self.data)
            .section(&named);
        module.finish()
    }
}

fn core(ty: &WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}

fn store(ty: ValType, at: MemArg) -> Instruction<'static> {
    match ty {
        ValType::I64 => Instruction::I64Store(at),
        ValType::F32 => Instruction::F32Store(at),
        ValType::F64 => Instruction::F64Store(at),
        _ => Instruction::I32Store(at),
    }
}

fn load(ty: ValType, at: MemArg) -> Instruction<'static> {
    match ty {
        ValType::I64 => Instruction::I64Load(at),
        ValType::F32 => Instruction::F32Load(at),
        ValType::F64 => Instruction::F64Load(at),
        _ => Instruction::I32Load(at),
    }
}
