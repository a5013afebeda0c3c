//! Makes any WebAssembly component a set of tools: what functions it exports, their JSON Schemas and
//! documentation, and the conversion between JSON and component values.
//!
//! [`list`] walks the type of a component, without instantiating it. Each [`Function`] then checks
//! and [`lower`](Function::lower)s arguments into `wasmtime` values and [`lift`](Function::lift)s
//! results back. A function whose signature has no JSON form is [`Refused`] by name with the reason;
//! the others stay usable.
//!
//! # How values are written in JSON
//!
//! This table is a public contract. "Snake case" is the WIT name in lower case with `_` for `-`.
//!
//! | WIT | JSON |
//! |---|---|
//! | parameters, record | object; every WIT identifier in snake case; all required but `option`; unknown keys refused |
//! | `option<T>` | value or `null`; an absent key (or absent `val`) is `null` |
//! | `option<option<T>>` | the outer one as `{"some": …}` or `null`, so `some(none)` is `{"some": null}` |
//! | variant | `{"tag": "case_name", "val": …}`, `val` absent where the case has none |
//! | enum / flags | string / array of distinct strings, snake case |
//! | tuple | array of exactly that length |
//! | `list<T>`, `list<T, N>` | array, of exactly `N` items where the type says so |
//! | `list<u8>`, `list<u8, N>` | base64 text: standard alphabet, padded, canonical |
//! | `u8` … `s32` | number without a fraction (`1.0` is `1`), in range |
//! | `u64`, `s64` | number within ±(2^53−1), else canonical decimal text; both accepted in |
//! | `f32`, `f64` | number; `"NaN"`, `"Infinity"`, `"-Infinity"` as text; an `f32` is printed in its shortest form |
//! | `bool`, `string` | `true` or `false`, text |
//! | `char` | one-character text |
//! | `result<T, E>` as a function's result | ok: the value; err: the tool failed, with the error as JSON |
//! | nested `result<T, E>` | `{"ok": …}` or `{"err": …}`; `{"ok": null}` where there is no payload |
//! | no result, no payload | `null` |
//! | resource, stream, future, error-context, map, async function | refused by name at load |
//!
//! # Limits
//!
//! A component is untrusted and so is its type: [`limits`] bounds nesting, members, names and the
//! size of a schema, and a function beyond them is refused. Lowering builds at most
//! [`limits::VALUES`] values; lifting stops at the size that the caller names.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod docs;
mod function;
mod glossary;
mod integer;
#[cfg(test)]
mod interpreted;
mod lift;
pub mod limits;
mod listing;
mod lower;
mod misfit;
#[cfg(test)]
mod properties;
mod schema;
mod shape;

pub use docs::Docs;
pub use function::Function;
pub use lift::{LiftError, Lifted};
pub use listing::{Listing, Refused, list};
pub use misfit::Misfit;
pub use thoth_names::Export;
