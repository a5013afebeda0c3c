//! What a tool is loaded with: its powers, its limits, and the secrets that its powers name.

use std::fmt;
use std::sync::Arc;

use thoth_egress::{Policy, Secrets};
use thoth_files::Folders;
use thoth_grants::{Grants, Keep, Private, ToolAnnotations};
use thoth_transport::{OneShot, Origin};

use super::Limits;
use super::keep::Keeper;
use crate::error::Error;

/// What one tool may reach for and use. The default grants nothing.
#[derive(Clone, Default)]
pub struct Grant {
    /// Its powers.
    pub grants: Grants,
    /// Its limits.
    pub limits: Limits,
    /// How much of its arguments and results the log keeps.
    pub keep: Keep,
    /// The secrets of the installation; the tool can name those that its grants list.
    pub secrets: Option<Arc<Secrets>>,
    /// What the names of its tools begin with: with `crm`, `search` is `crm_search` to everybody, the
    /// policy included.
    pub prefix: Option<String>,
    /// What clients are told about its tools, besides what they are for.
    pub annotations: ToolAnnotations,
    /// What no granted folder may give away, besides what the runtime knows of: keys, the configuration.
    pub private: Private,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("grants", &self.grants)
            .field("limits", &self.limits)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// A grant, made ready once for all calls of a tool.
pub(super) struct Powers {
    pub(super) limits: Limits,
    pub(super) keeper: Keeper,
    pub(super) egress: Option<Arc<Policy>>,
    /// Opened once: what is put in their place later is not seen.
    pub(super) folders: Folders,
    /// Where decisions come from, if that is a server.
    pub(super) enforcer: Option<Origin>,
    /// Names and values, as they were when the tool was loaded.
    pub(super) environment: Vec<(String, String)>,
}

impl Powers {
    /// Makes a grant ready. `ca_file` names authorities that tools' servers may be signed by besides
    /// the public web's.
    pub(super) fn new(
        grant: Grant,
        ca_file: Option<&std::path::Path>,
        enforcer: Option<Origin>,
    ) -> Result<Self, Error> {
        let Grant {
            grants,
            limits,
            keep,
            secrets,
            prefix: _,
            annotations: _,
            private,
        } = grant;
        let keeper = Keeper::new(keep, secrets.clone());
        let environment = grants
            .environment
            .iter()
            .filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)))
            .collect();
        let folders =
            Folders::open(&grants.files, Arc::new(private)).map_err(|error| Error::Setting {
                what: "a granted folder".into(),
                why: error.to_string(),
            })?;
        let egress = if grants.network.is_empty() {
            None
        } else {
            Some(Arc::new(Policy {
                grants,
                secrets: secrets.unwrap_or_else(|| Arc::new(Secrets::new([]))),
                budgets: limits.budgets(),
                transport: Arc::new(OneShot::new(ca_file)?),
            }))
        };
        Ok(Self {
            limits,
            keeper,
            egress,
            folders,
            enforcer,
            environment,
        })
    }
}
