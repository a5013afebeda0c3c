//! From a core module to its component.

use wasm_encoder::{MemorySection, MemoryType};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use crate::error::Error;

/// The component of a core module for that world.
///
/// # Errors
/// The types do not encode.
pub(crate) fn component(
    resolve: &Resolve,
    world: WorldId,
    mut module: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)
        .map_err(Error::composition)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .map_err(Error::composition)?
        .encode()
        .map_err(Error::composition)
}

/// One memory, of so many pages at first and at most.
pub(crate) fn memory(minimum: u64, maximum: Option<u64>) -> MemorySection {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum,
        maximum,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    memories
}
