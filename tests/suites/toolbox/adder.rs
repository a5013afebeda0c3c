//! A component that adds, small enough to be made anew in every shape of a rug pull.

use serde_json::json;

/// What there is to say of it.
pub(crate) struct Adder {
    /// What it says it does.
    pub(crate) docs: &'static str,
    /// The name of its second parameter.
    pub(crate) second: &'static str,
    /// Whether it can ask for random numbers too.
    pub(crate) imports: bool,
    /// Whether it can subtract too.
    pub(crate) subtracts: bool,
}

pub(crate) const HONEST: Adder = Adder {
    docs: "Adds two numbers.",
    second: "b",
    imports: false,
    subtracts: false,
};

impl Adder {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let functions = ["add", "subtract"];
        let functions = &functions[..1 + usize::from(self.subtracts)];
        let exports: String = functions
            .iter()
            .map(|name| {
                format!(
                    "(func (export \"{name}\") (param \"a\" u32) (param \"{}\" u32) (result u32)
                       (canon lift (core func $code \"add\")))\n",
                    self.second
                )
            })
            .collect();
        let import = if self.imports {
            "(import \"wasi:random/random@0.2.0\" (instance
               (export \"get-random-u64\" (func (result u64)))))"
        } else {
            ""
        };
        let text = format!(
            "(component {import}
               (core module $adder (func (export \"add\") (param i32 i32) (result i32)
                 (i32.add (local.get 0) (local.get 1))))
               (core instance $code (instantiate $adder))
               {exports})"
        );
        let mut bytes = wat::parse_str(text).unwrap();
        let docs = json!({"worlds": {"root": {"func_exports": {"add": {"docs": self.docs}}}}});
        section(&mut bytes, "package-docs", format!("\x01{docs}").as_bytes());
        bytes
    }
}

/// Adds a custom section at the end of a component.
fn section(binary: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = leb(name.len());
    body.extend(name.as_bytes());
    body.extend(data);
    binary.push(0);
    binary.extend(leb(body.len()));
    binary.extend(body);
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}
