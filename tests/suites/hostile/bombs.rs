//! Components that are made to hold up whoever reads or compiles them.

use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentTypeSection, ComponentValType, Function,
    FunctionSection, Instruction, Module, ModuleSection, PrimitiveValType, RawSection, TypeSection,
    ValType,
};

/// A good one, with the function `run`.
pub(crate) fn good() -> Vec<u8> {
    taking("u32", "")
}

/// `run` with a parameter of this type, after these definitions.
fn taking(ty: &str, definitions: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            {definitions}
            (core module $m
              (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
              (func (export "run") (param i32)))
            (core instance $i (instantiate $m))
            (func (export "run") (param "it" {ty})
              (canon lift (core func $i "run") (memory (core memory $i "memory"))
                (realloc (core func $i "realloc")))))"#
    ))
    .unwrap_or_else(|error| panic!("{error}"))
}

/// An import of a function with a parameter of the last of these types; so it needs no code.
fn importing(definitions: &str, last: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component {definitions} (import "take" (func (param "it" {last}))))"#
    ))
    .unwrap_or_else(|error| panic!("{error}"))
}

/// A list of a list, this deep.
pub(crate) fn nested_lists(depth: u32) -> Vec<u8> {
    let mut types = ComponentTypeSection::new();
    types
        .defined_type()
        .list(ComponentValType::Primitive(PrimitiveValType::U8));
    for inner in 0..depth {
        types.defined_type().list(ComponentValType::Type(inner));
    }
    let mut component = Component::new();
    component.section(&types);
    component.finish()
}

/// `run` with an enumeration of so many cases.
pub(crate) fn enumeration(cases: u32) -> Vec<u8> {
    let cases: String = (0..cases).map(|n| format!(" \"c{n}\"")).collect();
    taking(
        "$e",
        &format!("(type $cases (enum {cases})) (export $e \"e\" (type $cases))"),
    )
}

/// `run` with tuples of two of the one before: few bytes, and 2 to the power of this many values.
pub(crate) fn doubling(times: u32) -> Vec<u8> {
    let mut definitions = "(type $t0 (tuple u8 u8))".to_owned();
    for n in 1..times {
        let before = n - 1;
        definitions += &format!("(type $t{n} (tuple $t{before} $t{before}))");
    }
    taking(&format!("$t{}", times - 1), &definitions)
}

/// So many flags.
pub(crate) fn flags(count: u32) -> Vec<u8> {
    let names: String = (0..count).map(|n| format!(" \"f{n}\"")).collect();
    importing(
        &format!("(type $f (flags {names})) (export $w \"f\" (type $f))"),
        "$w",
    )
}

/// A record of so many fields.
pub(crate) fn record(count: u32) -> Vec<u8> {
    let fields: String = (0..count)
        .map(|n| format!("(field \"f{n}\" u32)"))
        .collect();
    importing(
        &format!("(type $r (record {fields})) (export $w \"r\" (type $r))"),
        "$w",
    )
}

/// A function of so many parameters.
pub(crate) fn parameters(count: u32) -> Vec<u8> {
    let parameters: String = (0..count)
        .map(|n| format!("(param \"p{n}\" u32)"))
        .collect();
    wat::parse_str(format!("(component (import \"take\" (func {parameters})))")).unwrap()
}

/// So many imports.
pub(crate) fn imports(count: u32) -> Vec<u8> {
    let imports: String = (0..count)
        .map(|n| format!("(import \"i{n}\" (func))"))
        .collect();
    wat::parse_str(format!("(component {imports})")).unwrap()
}

/// An import whose name has so many bytes.
pub(crate) fn name(bytes: usize) -> Vec<u8> {
    wat::parse_str(format!(
        "(component (import \"{}\" (func)))",
        "n".repeat(bytes)
    ))
    .unwrap()
}

/// As many functions as a module may have, each the least there is.
pub(crate) fn many_functions() -> Vec<u8> {
    let mut function = Function::new([]);
    function.instruction(&Instruction::End);
    repeated(1_000_000, &function)
}

/// As many types as a module may have, no two alike.
pub(crate) fn many_types() -> Vec<u8> {
    let mut types = TypeSection::new();
    let kinds = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
    for n in 0..1_000_000_u32 {
        let params = (0..12).map(|digit| kinds[(n >> (2 * digit)) as usize & 3]);
        types.ty().function(params.collect::<Vec<_>>(), []);
    }
    let mut module = Module::new();
    module.section(&types);
    component(&module)
}

/// Functions with as many locals as one may have, each set anew on many paths.
pub(crate) fn many_locals() -> Vec<u8> {
    const LOCALS: u32 = 49_000;
    let mut function = Function::new([(LOCALS, ValType::I32)]);
    for n in 0..3_000 {
        let (from, to) = (n * 7 % LOCALS, n * 13 % LOCALS);
        function
            .instruction(&Instruction::LocalGet(from))
            .instruction(&Instruction::If(BlockType::Empty))
            .instruction(&Instruction::LocalGet(to))
            .instruction(&Instruction::LocalSet(from))
            .instruction(&Instruction::End);
    }
    function.instruction(&Instruction::End);
    repeated(20, &function)
}

/// Functions of branch tables with a target for each of 900 blocks.
pub(crate) fn branch_tables() -> Vec<u8> {
    const BLOCKS: u32 = 900;
    let mut function = Function::new([(1, ValType::I32)]);
    for _ in 0..BLOCKS {
        function.instruction(&Instruction::Block(BlockType::Empty));
    }
    for depth in (1..=BLOCKS).rev() {
        let targets: Vec<u32> = (0..depth).collect();
        function
            .instruction(&Instruction::LocalGet(0))
            .instruction(&Instruction::BrTable(targets.as_slice().into(), 0))
            .instruction(&Instruction::End);
    }
    function.instruction(&Instruction::End);
    repeated(16, &function)
}

/// Blocks in blocks.
pub(crate) fn nested_blocks() -> Vec<u8> {
    const DEPTH: u32 = 200_000;
    let mut function = Function::new([]);
    for _ in 0..DEPTH {
        function.instruction(&Instruction::Loop(BlockType::Empty));
    }
    for _ in 0..=DEPTH {
        function.instruction(&Instruction::End);
    }
    repeated(8, &function)
}

/// One function as long as one may be, all of it one expression.
pub(crate) fn one_long_body() -> Vec<u8> {
    let mut function = Function::new([(2, ValType::I32)]);
    for _ in 0..1_000_000 {
        function
            .instruction(&Instruction::LocalGet(0))
            .instruction(&Instruction::LocalGet(1))
            .instruction(&Instruction::I32Mul)
            .instruction(&Instruction::LocalSet(0));
    }
    function.instruction(&Instruction::End);
    repeated(1, &function)
}

/// A component in a component, this deep.
pub(crate) fn nested_components(depth: usize) -> Vec<u8> {
    (0..depth).fold(Component::new().finish(), |inner, _| {
        let mut outer = Component::new();
        outer.section(&RawSection {
            id: 4,
            data: &inner,
        });
        outer.finish()
    })
}

/// One function body over and over, of type () → ().
fn repeated(times: u32, function: &Function) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for _ in 0..times {
        functions.function(0);
        code.function(function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    component(&module)
}

fn component(module: &Module) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&ModuleSection(module));
    component.finish()
}
