//! A toolbox as it is now: the tools that can be called, in order, and what was refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::Lock;
use super::place::Stamp;
use crate::error::Error;
use crate::tool::{Definition, Tool};

/// The tools of some components at one moment. What a component offers is in the order in which it
/// declares it, and the components are in the toolbox's order: the same files give the same list.
///
/// A tool is known to a policy by its name, so a name stands for one tool: where two components offer
/// it, neither does here, and [`Tools::refused`] says so.
#[derive(Debug, Default)]
pub struct Tools {
    pub(super) entries: Vec<Entry>,
    /// Entry and definition, in order.
    offered: Vec<(usize, usize)>,
    by_name: HashMap<String, (usize, usize)>,
    refused: Vec<Refused>,
    pub(super) lock: Option<Arc<Lock>>,
}

/// One component.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The file as it was looked at.
    pub(super) stamp: Option<Stamp>,
    pub(super) tool: Option<Tool>,
    pub(super) why: Option<Arc<Error>>,
}

/// Something that is not offered, and why.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refused {
    /// The component, as people call it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Why, with what to do.
    pub why: Arc<Error>,
}

/// A component that is loaded.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Component<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its file's canonical path.
    pub path: &'a Path,
    /// What it offers.
    pub tool: &'a Tool,
}

impl Tools {
    pub(super) fn new(entries: Vec<Entry>, lock: Option<Arc<Lock>>) -> Self {
        let mut refused: Vec<Refused> = Vec::new();
        let mut uses: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            if let Some(why) = &entry.why {
                refused.push(entry.refused(Arc::clone(why)));
            }
            for definition in entry.definitions() {
                uses.entry(&definition.name).or_default().push(at);
            }
        }
        let mut offered = Vec::new();
        let mut by_name = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            for (which, definition) in entry.definitions().iter().enumerate() {
                let by = uses
                    .get(definition.name.as_str())
                    .map_or(&[][..], Vec::as_slice);
                if by.len() > 1 {
                    let components = by.iter().filter_map(|at| entries.get(*at));
                    let why = Error::Ambiguous {
                        tool: definition.name.clone(),
                        components: components.map(|entry| entry.name.clone()).collect(),
                    };
                    refused.push(entry.refused(Arc::new(why)));
                } else {
                    offered.push((at, which));
                    by_name.insert(definition.name.clone(), (at, which));
                }
            }
        }
        Self {
            entries,
            offered,
            by_name,
            refused,
            lock,
        }
    }

    /// The tools that can be called, with the component of each.
    pub fn iter(&self) -> impl Iterator<Item = (&Definition, &Tool)> {
        self.offered.iter().filter_map(|at| self.at(*at))
    }

    /// The tool of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(&Definition, &Tool)> {
        self.at(*self.by_name.get(name)?)
    }

    /// How many tools can be called.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offered.len()
    }

    /// Whether there is nothing to call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offered.is_empty()
    }

    /// The components that are loaded, in order.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        self.entries.iter().filter_map(|entry| {
            Some(Component {
                name: &entry.name,
                path: &entry.path,
                tool: entry.tool.as_ref()?,
            })
        })
    }

    /// What is not offered: components that did not load or are not what was locked, and names that
    /// two components use. A component that changed while it was loaded is here too, while what was
    /// loaded of it goes on being offered.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// The lock that they were held to; none where there is none.
    #[must_use]
    pub fn lock(&self) -> Option<&Lock> {
        self.lock.as_deref()
    }

    /// Whether the same tools are offered, and the same refused for the same reasons.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let offered = |tools: &Self| -> Vec<(String, String)> {
            let offered = tools.iter();
            offered
                .map(|(definition, tool)| (definition.name.clone(), tool.sha256().to_owned()))
                .collect()
        };
        let refused = |tools: &Self| -> Vec<(PathBuf, String)> {
            let refused = tools.refused.iter();
            refused
                .map(|refused| (refused.path.clone(), refused.why.to_string()))
                .collect()
        };
        offered(self) == offered(other) && refused(self) == refused(other)
    }

    fn at(&self, (entry, definition): (usize, usize)) -> Option<(&Definition, &Tool)> {
        let tool = self.entries.get(entry)?.tool.as_ref()?;
        Some((tool.definitions().get(definition)?, tool))
    }
}

impl Entry {
    /// A place where nothing is.
    pub(super) fn missing(path: PathBuf, why: Error) -> Self {
        Self {
            name: path.display().to_string(),
            path,
            stamp: None,
            tool: None,
            why: Some(Arc::new(why)),
        }
    }

    fn definitions(&self) -> &[Definition] {
        self.tool.as_ref().map_or(&[], Tool::definitions)
    }

    fn refused(&self, why: Arc<Error>) -> Refused {
        Refused {
            name: self.name.clone(),
            path: self.path.clone(),
            why,
        }
    }
}
