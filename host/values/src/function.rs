//! One exported function that can be called as a tool.

use serde_json::Value;
use thoth_names::Export;
use wasmtime::component::Val;

use crate::lift::{LiftError, Lifted, lift};
use crate::lower::lower;
use crate::misfit::Misfit;
use crate::shape::{Member, Shape};

/// A function of a component as a tool.
#[derive(Clone, Debug)]
pub struct Function {
    /// The tool's name: `[a-z0-9_]`, 1 to 128 characters, unique in the component.
    pub name: String,
    /// The name for people: `Search docs`.
    pub title: String,
    /// Where the component exports it.
    pub export: Export,
    /// What its author says it does: data, never instructions.
    pub docs: Option<String>,
    pub(crate) parameters: Vec<Member>,
    pub(crate) result: Option<Shape>,
    pub(crate) input_schema: Value,
    pub(crate) output_schema: Value,
}

impl Function {
    /// The JSON Schema (2020-12) of the arguments, an object.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        self.input_schema.clone()
    }

    /// The JSON Schema (2020-12) of the result; for a `result`, of its `ok` side.
    #[must_use]
    pub fn output_schema(&self) -> Value {
        self.output_schema.clone()
    }

    /// Turns the object of arguments into the values to call the function with, in order.
    ///
    /// # Errors
    /// The first thing that does not fit the types, with its path. Nothing is ever cut, rounded to
    /// an integer, defaulted or ignored to make it fit.
    pub fn lower(&self, args: &Value) -> Result<Vec<Val>, Misfit> {
        lower(&self.parameters, args)
    }

    /// Whether [`lower`](Self::lower) would accept the arguments.
    ///
    /// # Errors
    /// As `lower`.
    pub fn check(&self, args: &Value) -> Result<(), Misfit> {
        self.lower(args).map(drop)
    }

    /// How many results the engine hands back: 0 or 1.
    #[must_use]
    pub fn result_slots(&self) -> usize {
        usize::from(self.result.is_some())
    }

    /// Turns what the function returned into JSON of at most `max_bytes` bytes of compact text, as
    /// `serde_json` writes it.
    ///
    /// # Errors
    /// [`LiftError::TooLarge`] beyond `max_bytes`; [`LiftError::Unexpected`] for values that are not
    /// of this function's result type. Never panics.
    pub fn lift(&self, results: &[Val], max_bytes: usize) -> Result<Lifted, LiftError> {
        lift(self.result.as_ref(), results, max_bytes)
    }
}
