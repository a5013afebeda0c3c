//! Puts the parts together into one component.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};

use crate::error::Error;

/// A component that is put inside, and which of its imports the others provide.
pub(crate) struct Part<'a> {
    /// Its name inside, for people who look.
    pub(crate) name: &'a str,
    pub(crate) bytes: Vec<u8>,
}

/// An import that is not taken from an export of its own name.
pub(crate) struct Renamed<'a> {
    pub(crate) import: &'a str,
    pub(crate) provider: Instance,
    pub(crate) export: &'a str,
}

/// A composition that grows.
#[derive(Default)]
pub(crate) struct Composition(CompositionGraph);

/// A part that has been put inside.
#[derive(Clone, Copy)]
pub(crate) struct Instance(NodeId);

impl Composition {
    /// Puts a part inside. What it imports and one of the providers exports, in that version or one that
    /// is compatible, is taken from there, from the first that does; everything else is asked of the
    /// host.
    ///
    /// # Errors
    /// It is no component, or its types and a provider's do not agree.
    pub(crate) fn add(
        &mut self,
        part: Part<'_>,
        providers: &[Instance],
    ) -> Result<Instance, Error> {
        self.add_to(part, providers, &[])
    }

    /// Puts a part inside as [`Self::add`] does, with imports that are taken from an export of another
    /// name.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(crate) fn add_to(
        &mut self,
        part: Part<'_>,
        providers: &[Instance],
        renamed: &[Renamed<'_>],
    ) -> Result<Instance, Error> {
        let graph = &mut self.0;
        let name = format!("thoth:{}", part.name);
        let package = Package::from_bytes(&name, None, part.bytes, graph.types_mut())
            .map_err(Error::composition)?;
        let imports: Vec<String> = {
            let world = &graph.types()[package.ty()];
            world.imports.keys().cloned().collect()
        };
        let package = graph
            .register_package(package)
            .map_err(Error::composition)?;
        let instance = graph.instantiate(package);
        graph.set_node_name(instance, part.name);
        for import in imports {
            let renamed = renamed.iter().find(|renamed| renamed.import == import);
            let provided = renamed.map(|from| (from.provider.0, from.export.to_owned()));
            let provided = provided.or_else(|| {
                providers.iter().find_map(|provider| {
                    let mut exports = self.exports(*provider).into_iter();
                    let export = exports.find(|export| is_compatible(&import, export))?;
                    Some((provider.0, export))
                })
            });
            let Some((provider, export)) = provided else {
                continue;
            };
            let graph = &mut self.0;
            let export = graph
                .alias_instance_export(provider, &export)
                .map_err(Error::composition)?;
            graph
                .set_instantiation_argument(instance, &import, export)
                .map_err(Error::composition)?;
        }
        Ok(Instance(instance))
    }

    /// The component that exports what this part does.
    ///
    /// # Errors
    /// What the parts ask of the host does not agree.
    pub(crate) fn finish(self, part: Instance) -> Result<Vec<u8>, Error> {
        let names = self.exports(part);
        let exports: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), name.as_str()))
            .collect();
        self.finish_with(part, &exports)
    }

    /// The component with these exports of a part's, each under the name that comes second.
    ///
    /// # Errors
    /// As [`Self::finish`]; the part has no such export.
    pub(crate) fn finish_with(
        mut self,
        part: Instance,
        exports: &[(&str, &str)],
    ) -> Result<Vec<u8>, Error> {
        for (name, public) in exports {
            let export = self
                .0
                .alias_instance_export(part.0, name)
                .map_err(Error::composition)?;
            self.0.export(export, *public).map_err(Error::composition)?;
        }
        self.0
            .encode(EncodeOptions::default())
            .map_err(Error::composition)
    }

    fn exports(&self, part: Instance) -> Vec<String> {
        let graph = &self.0;
        let package = graph
            .nodes()
            .zip(graph.node_ids())
            .find(|(_, id)| *id == part.0)
            .and_then(|(node, _)| node.package());
        package.map_or_else(Vec::new, |package| {
            let world = graph[package].ty();
            graph.types()[world].exports.keys().cloned().collect()
        })
    }
}

/// Whether an export is what an import asks for: by the same name, of a version that semantic versioning
/// takes for the same.
fn is_compatible(import: &str, export: &str) -> bool {
    if import == export {
        return true;
    }
    let track = |name: &str| {
        let (path, version) = name.split_once('@')?;
        if version.contains('-') {
            return None;
        }
        let mut numbers = version.split('.');
        let (major, minor) = (numbers.next()?, numbers.next()?);
        match (major, minor) {
            ("0", "0") => None,
            ("0", minor) => Some(format!("{path}@0.{minor}")),
            (major, _) => Some(format!("{path}@{major}")),
        }
    };
    track(import).is_some_and(|import| Some(import) == track(export))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compatible_as_semantic_versioning_has_it() {
        for (import, export, expected) in [
            ("a:b/c", "a:b/c", true),
            ("a:b/c@0.2.1", "a:b/c@0.2.12", true),
            ("a:b/c@1.0.0", "a:b/c@1.7.0", true),
            ("a:b/c@0.2.0", "a:b/c@0.3.0", false),
            ("a:b/c@0.0.1", "a:b/c@0.0.2", false),
            ("a:b/c@0.2.0-rc", "a:b/c@0.2.0", false),
            ("a:b/c@1.0.0", "a:b/d@1.0.0", false),
            ("a:b/c@1.0.0", "a:b/c", false),
        ] {
            assert_eq!(is_compatible(import, export), expected, "{import} {export}");
        }
    }
}
