//! What a policy is asked about: the tool that is called, or the host or file that a tool reaches for.

use std::collections::HashSet;
use std::iter::successors;
use std::net::IpAddr;

use cedar_policy::{Entity, EntityTypeName, EntityUid, ParseErrors, RestrictedExpression};

use super::effect::{self, Effect};
use super::request::{Subject, Unevaluated, entity, text, uid};
use crate::call::Call;

/// The schema's names, parsed once.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) tenant: EntityTypeName,
    pub(super) user: EntityTypeName,
    pub(super) agent: EntityTypeName,
    tool: EntityTypeName,
    host: EntityTypeName,
    domain: EntityTypeName,
    file: EntityTypeName,
    folder: EntityTypeName,
    call: EntityUid,
    http_effect: EntityUid,
    file_effect: EntityUid,
}

impl Vocabulary {
    pub(super) fn new() -> Result<Self, Box<ParseErrors>> {
        let action: EntityTypeName = "Action".parse()?;
        Ok(Self {
            tenant: "Tenant".parse()?,
            user: "User".parse()?,
            agent: "Agent".parse()?,
            tool: "Tool".parse()?,
            host: "Host".parse()?,
            domain: "Domain".parse()?,
            file: "File".parse()?,
            folder: "Folder".parse()?,
            call: uid(&action, "call"),
            http_effect: uid(&action, effect::HTTP),
            file_effect: uid(&action, effect::FILE),
        })
    }

    /// The action and the resource of a request.
    pub(super) fn asked(
        &self,
        call: &Call,
        subject: &Subject<'_>,
    ) -> Result<(&EntityUid, Entity), Unevaluated> {
        match subject {
            Subject::Call(_) => {
                let name = [("name", text(&call.tool_name))];
                let tool = entity(uid(&self.tool, &call.tool_name), name, HashSet::new())?;
                Ok((&self.call, tool))
            }
            Subject::Effect(Effect::Http(http)) => {
                let attributes = [
                    ("name", text(http.host)),
                    ("port", RestrictedExpression::new_long(http.port)),
                    ("scheme", text(http.scheme)),
                ];
                let domains = domains(http.host).map(|name| uid(&self.domain, name));
                let host = entity(uid(&self.host, http.host), attributes, domains.collect())?;
                Ok((&self.http_effect, host))
            }
            Subject::Effect(Effect::File(file)) => {
                let name = file.path.rsplit('/').next().unwrap_or_default();
                let attributes = [("name", text(name)), ("path", text(file.path))];
                let folders = folders(file.path).map(|path| uid(&self.folder, path));
                let opened = entity(uid(&self.file, file.path), attributes, folders.collect())?;
                Ok((&self.file_effect, opened))
            }
        }
    }
}

/// A host name and the domains above it; none for an address.
fn domains(host: &str) -> impl Iterator<Item = &str> {
    let name = Some(host).filter(|host| host.parse::<IpAddr>().is_err());
    successors(name, |name| name.split_once('.').map(|(_, above)| above))
}

/// A path and the folders above it, up to the root.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    successors(Some(path), |path| match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some("/"),
        (above, _) => Some(above),
    })
}
