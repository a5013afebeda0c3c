//! Which endpoint a request is for.

use http::Method;
use percent_encoding::percent_decode_str;

use super::ApiError;

/// An endpoint with what its path says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Enforce,
    Hold(String),
    Events,
    Explain,
    Approvals { tenant: String },
    Approval { tenant: String, id: String },
    Resolve { tenant: String, id: String },
    ToolInventory { tenant: String },
}

impl Route {
    /// Finds the endpoint. More than one leading slash is as good as one: some clients put a base URL
    /// that ends in a slash in front of `/v1/…`.
    pub(crate) fn find(method: &Method, path: &str) -> Result<Self, ApiError> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let tenant = |segment: &str| {
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
            _ => return Err(ApiError::not_found("there is no such endpoint")),
        };
        if method.as_str() == allowed {
            Ok(route)
        } else {
            Err(ApiError::method(allowed))
        }
    }

    /// Whether it decides about approvals, which needs the approver's credential.
    pub(crate) fn is_for_approvers(&self) -> bool {
        match self {
            Self::Approvals { .. } | Self::Approval { .. } | Self::Resolve { .. } => true,
            Self::Enforce
            | Self::Hold(_)
            | Self::Events
            | Self::Explain
            | Self::ToolInventory { .. } => false,
        }
    }

    /// The tenant that the path names.
    pub(crate) fn tenant(&self) -> Option<&str> {
        match self {
            Self::Approvals { tenant }
            | Self::Approval { tenant, .. }
            | Self::Resolve { tenant, .. }
            | Self::ToolInventory { tenant } => Some(tenant),
            Self::Enforce | Self::Hold(_) | Self::Events | Self::Explain => None,
        }
    }
}
