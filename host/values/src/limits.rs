//! The bounds on what a component's types may ask of the host; beyond one, a function is refused.

/// How deep the types of a signature may nest. The object of arguments is one level more, so every
/// value fits in JSON that is 32 deep.
pub const DEPTH: usize = 31;

/// How many fields, cases or items one record, variant, enum, flags, tuple or parameter list may have.
pub const MEMBERS: usize = 1_000;

/// How many types and members one signature may have, counted as often as they are used: a small
/// component can describe a type that doubles at each level.
pub const SIGNATURE: usize = 4_096;

/// The same for the whole component.
pub const COMPONENT: usize = 262_144;

/// How long a WIT name may be, in bytes.
pub const NAME: usize = thoth_names::MAX_NAME;

/// How many functions of one component are looked at.
pub const FUNCTIONS: usize = 1_024;

/// How large one JSON Schema may be, in bytes of compact text.
pub const SCHEMA: usize = 256 * 1_024;

/// How large all JSON Schemas of one component may be together.
pub const SCHEMAS: usize = 16 * 1_024 * 1_024;

/// How many values the arguments of one call may become. No 256 KiB of JSON spells out more; what
/// exceeds it are absent options of large records.
pub const VALUES: usize = 262_144;

/// How large a section of documentation may be, in bytes; a larger one is ignored.
pub const DOCS_SECTION: usize = 1_024 * 1_024;

/// How many sections of documentation are read.
pub const DOCS_SECTIONS: usize = 8;

/// How long the documentation of one item may be, in bytes; the rest is cut off.
pub const DOCS_ITEM: usize = 4 * 1_024;
