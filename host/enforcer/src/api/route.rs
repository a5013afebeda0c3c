//! Which endpoint a request is for.

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::ApiError;
use crate::page::{self, Asset};

/// What stands in a path for the tenant without a name: no part of a path is empty. A tenant that is
/// called so is written `%2D`.
pub(crate) const NO_TENANT: &str = "-";

/// An endpoint with what its path says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Enforce,
    Hold(String),
    Events,
    Explain,
    Approvals {
        tenant: String,
    },
    Approval {
        tenant: String,
        id: String,
    },
    Resolve {
        tenant: String,
        id: String,
    },
    ToolInventory {
        tenant: String,
    },
    /// The page on which approvers decide.
    Page,
    Asset(Asset),
    /// Opens the page for somebody who has a credential.
    Session,
    /// What an open page is told.
    Live,
}

/// Whose credential an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Nobody's: it holds no data.
    Everybody,
    /// An agent's.
    Agents,
    /// An approver's: an agent must not approve its own calls.
    Approvers,
    /// An approver's, or the key in the page's link.
    Openers,
}

impl Route {
    /// Finds the endpoint. More than one leading slash is as good as one: some clients put a base URL
    /// that ends in a slash in front of `/v1/…`.
    pub(crate) fn find(method: &Method, path: &str) -> Result<Self, ApiError> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let tenant = |segment: &str| {
            if segment == NO_TENANT {
                return Ok(String::new());
            }
            let decoded = percent_decode_str(segment).decode_utf8();
            decoded
                .map(|tenant| tenant.into_owned())
                .map_err(|_| ApiError::not_found("the tenant in the path is not UTF-8"))
        };
        let (allowed, route) = match *segments.as_slice() {
            ["v1", "enforce"] => ("POST", Self::Enforce),
            ["v1", "enforce", "hold", token] => ("GET", Self::Hold(token.to_owned())),
            ["v1", "events", "batch"] => ("POST", Self::Events),
            ["v1", "explain"] => ("POST", Self::Explain),
            [name, "thoth", "approvals"] => (
                "GET",
                Self::Approvals {
                    tenant: tenant(name)?,
                },
            ),
            [name, "thoth", "approvals", id] => (
                "GET",
                Self::Approval {
                    tenant: tenant(name)?,
                    id: id.to_owned(),
                },
            ),
            [name, "thoth", "approvals", id, "resolve"] => (
                "POST",
                Self::Resolve {
                    tenant: tenant(name)?,
                    id: id.to_owned(),
                },
            ),
            [name, "thoth", "tool-inventory"] => (
                "POST",
                Self::ToolInventory {
                    tenant: tenant(name)?,
                },
            ),
            [""] | ["activity"] => ("GET", Self::Page),
            ["page", "session"] => ("POST", Self::Session),
            ["page", "live"] => ("GET", Self::Live),
            ["page", name] => match Asset::find(name) {
                Some(asset) => ("GET", Self::Asset(asset)),
                None => return Err(ApiError::not_found("the page has no such file")),
            },
            _ => return Err(ApiError::not_found("there is no such endpoint")),
        };
        if method.as_str() == allowed {
            Ok(route)
        } else {
            Err(ApiError::method(allowed))
        }
    }

    /// Whose credential it takes.
    pub(crate) fn is_for(&self) -> Audience {
        match self {
            Self::Approvals { .. } | Self::Approval { .. } | Self::Resolve { .. } | Self::Live => {
                Audience::Approvers
            }
            Self::Session => Audience::Openers,
            Self::Page | Self::Asset(_) => Audience::Everybody,
            Self::Enforce
            | Self::Hold(_)
            | Self::Events
            | Self::Explain
            | Self::ToolInventory { .. } => Audience::Agents,
        }
    }

    /// Whether a person's browser is to show the page: an `approval_url` is followed by people, and read
    /// by programs.
    pub(crate) fn is_a_page(&self, headers: &HeaderMap) -> bool {
        matches!(self, Self::Approval { .. }) && page::is_wanted(headers)
    }

    /// The tenant that the path names.
    pub(crate) fn tenant(&self) -> Option<&str> {
        match self {
            Self::Approvals { tenant }
            | Self::Approval { tenant, .. }
            | Self::Resolve { tenant, .. }
            | Self::ToolInventory { tenant } => Some(tenant),
            Self::Enforce
            | Self::Hold(_)
            | Self::Events
            | Self::Explain
            | Self::Page
            | Self::Asset(_)
            | Self::Session
            | Self::Live => None,
        }
    }
}
