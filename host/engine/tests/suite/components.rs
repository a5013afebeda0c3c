//! The components that are compiled, good and bad, made as they are needed.

use wasm_encoder::{
    CodeSection, Component, ComponentTypeSection, ComponentValType, Function, FunctionSection,
    Instruction, Module, ModuleSection, PrimitiveValType, TypeSection, ValType,
};

/// A component with one function `answer` that returns this number.
pub(crate) fn answering(number: u32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            (core module $m (func (export "answer") (result i32) i32.const {number}))
            (core instance $i (instantiate $m))
            (func (export "answer") (result u32) (canon lift (core func $i "answer"))))"#
    ))
    .unwrap()
}

/// A component of about this many bytes of code, with one function `answer`.
pub(crate) fn sized(bytes: usize) -> Vec<u8> {
    // Each function here has about 60 bytes.
    let functions: String = (0..bytes / 60)
        .map(|n| {
            format!(
                "(func (param i32 i32) (result i32) (local i32)
                   block
                     local.get 0 i32.const {n} i32.gt_u br_if 0
                     local.get 1 local.get 0 i32.mul local.set 2
                     local.get 2 i32.load offset={n} local.get 2 i32.add local.set 2
                     local.get 1 local.get 2 i32.store
                   end
                   local.get 2 local.get 0 i32.xor i32.const {n} i32.rotl i32.clz)"
            )
        })
        .collect();
    wat::parse_str(format!(
        r#"(component
            (core module $m (memory 1) {functions}
              (func (export "answer") (result i32) i32.const 42))
            (core instance $i (instantiate $m))
            (func (export "answer") (result u32) (canon lift (core func $i "answer"))))"#
    ))
    .unwrap()
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

/// As many functions as a module may have, each the least there is.
pub(crate) fn many_functions() -> Vec<u8> {
    let mut function = Function::new([]);
    function.instruction(&Instruction::End);
    repeated(1_000_000, &function)
}

/// Functions with as many locals as one may have, each set anew on many paths.
pub(crate) fn many_locals() -> Vec<u8> {
    const LOCALS: u32 = 49_000;
    let mut function = Function::new([(LOCALS, ValType::I32)]);
    for n in 0..3_000 {
        let (from, to) = (n * 7 % LOCALS, n * 13 % LOCALS);
        function
            .instruction(&Instruction::LocalGet(from))
            .instruction(&Instruction::If(wasm_encoder::BlockType::Empty))
            .instruction(&Instruction::LocalGet(to))
            .instruction(&Instruction::I32Const(1))
            .instruction(&Instruction::I32Add)
            .instruction(&Instruction::LocalSet(from))
            .instruction(&Instruction::End);
    }
    function.instruction(&Instruction::End);
    repeated(20, &function)
}

/// Functions of branch tables with a target for each of many blocks.
pub(crate) fn branch_tables() -> Vec<u8> {
    const BLOCKS: u32 = 900;
    let mut function = Function::new([(1, ValType::I32)]);
    for _ in 0..BLOCKS {
        function.instruction(&Instruction::Block(wasm_encoder::BlockType::Empty));
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
        function.instruction(&Instruction::Loop(wasm_encoder::BlockType::Empty));
    }
    for _ in 0..=DEPTH {
        function.instruction(&Instruction::End);
    }
    repeated(8, &function)
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

/// A component in a component, this deep.
pub(crate) fn nested_components(depth: usize) -> Vec<u8> {
    (0..depth).fold(Component::new().finish(), |inner, _| {
        let mut outer = Component::new();
        outer.section(&wasm_encoder::RawSection {
            id: 4,
            data: &inner,
        });
        outer.finish()
    })
}

/// A list of a list, this deep.
pub(crate) fn nested_lists(depth: u32) -> Vec<u8> {
    let mut types = ComponentTypeSection::new();
    types
        .defined_type()
        .list(ComponentValType::Primitive(PrimitiveValType::U8));
    for n in 0..depth {
        types.defined_type().list(ComponentValType::Type(n));
    }
    let mut component = Component::new();
    component.section(&types);
    component.finish()
}
