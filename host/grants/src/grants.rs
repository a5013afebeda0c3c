//! Everything that one tool is granted, put together so that no grant undoes another.

use std::fmt;

use crate::files::FileGrant;
use crate::matching::{self, Denied};
use crate::network::NetworkRule;
use crate::secrets::{BadVariable, SecretName, environment_name};
use crate::target::Target;

/// The most grants of one kind that a tool has.
pub(crate) const GRANTS_MAX: usize = 256;

/// Everything that one tool may reach for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Where its HTTP requests may go. The first rule that matches a request decides.
    pub network: Vec<NetworkRule>,
    /// Folders that it sees.
    pub files: Vec<FileGrant>,
    /// Names of environment variables of the host's that it sees.
    pub environment: Vec<String>,
    /// Secrets that it may name in a header, as `{{secret:NAME}}`. Their values stay in the host.
    pub secrets: Vec<SecretName>,
}

/// Why a grant cannot stand beside those that are there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A rule that is never reached, wholly or for a method: what it says of governing and of
    /// headers would be without effect.
    #[error("the rule is hidden by `{0}` before it: put the narrower one first, or remove one")]
    Hidden(String),
    /// A guest's path within another one.
    #[error("the guest's paths `{0}` and `{1}` are one or lie in each other: part them")]
    GuestPaths(String, String),
    /// A folder within another one, with other rights: the outer one is a way around the inner one.
    #[error(
        "the folder is, holds or lies in `{0}`, which is granted with another access or `govern`: \
         make them alike"
    )]
    Folders(String),
    /// The name is there already.
    #[error("`{0}` is granted twice: remove one")]
    Twice(String),
    /// Not a name that can be granted.
    #[error(transparent)]
    Variable(#[from] BadVariable),
    /// More than anybody reads.
    #[error("a tool has at most {GRANTS_MAX} grants of a kind")]
    TooMany,
}

impl Grants {
    /// The first rule that lets a request go where it wants to.
    ///
    /// # Errors
    ///
    /// [`Denied`] says what the nearest rule lacks.
    pub fn rule_for(&self, target: &Target) -> Result<&NetworkRule, Denied> {
        matching::rule_for(&self.network, target)
    }

    /// Adds a rule after those that are there.
    ///
    /// # Errors
    ///
    /// [`Conflict::Hidden`] if one of those decides in its place.
    pub fn add_network(&mut self, rule: NetworkRule) -> Result<(), Conflict> {
        has_room(&self.network)?;
        match self.network.iter().find(|earlier| earlier.shadows(&rule)) {
            Some(earlier) => Err(Conflict::Hidden(earlier.to_string())),
            None => {
                self.network.push(rule);
                Ok(())
            }
        }
    }

    /// Adds a folder.
    ///
    /// # Errors
    ///
    /// [`Conflict`] if it and another one lie in each other.
    pub fn add_files(&mut self, folder: FileGrant) -> Result<(), Conflict> {
        has_room(&self.files)?;
        match self.files.iter().find_map(|other| folder.conflict(other)) {
            Some(conflict) => Err(conflict),
            None => {
                self.files.push(folder);
                Ok(())
            }
        }
    }

    /// Adds an environment variable, by its name.
    ///
    /// # Errors
    ///
    /// [`Conflict::Variable`] if it has no such name or is this program's own, [`Conflict::Twice`].
    pub fn add_environment(&mut self, name: &str) -> Result<(), Conflict> {
        has_room(&self.environment)?;
        let name = environment_name(name)?;
        if self.environment.contains(&name) {
            return Err(Conflict::Twice(name));
        }
        self.environment.push(name);
        Ok(())
    }

    /// Adds a secret, by its name.
    ///
    /// # Errors
    ///
    /// [`Conflict::Twice`].
    pub fn add_secret(&mut self, name: SecretName) -> Result<(), Conflict> {
        has_room(&self.secrets)?;
        if self.secrets.contains(&name) {
            return Err(Conflict::Twice(name.to_string()));
        }
        self.secrets.push(name);
        Ok(())
    }

    /// Grants that a component with these imports (`wasi:http/outgoing-handler@0.2.0`) has no use
    /// for: it was given the wrong grants, or is the wrong component.
    pub fn unused(&self, imports: &[&str]) -> Vec<Unused> {
        let has = |interface: &str| {
            imports
                .iter()
                .any(|import| import.split('@').next() == Some(interface))
        };
        let http = has("wasi:http/outgoing-handler");
        let mut unused = Vec::new();
        if !self.network.is_empty() && !http {
            unused.push(Unused::Network);
        }
        if !self.files.is_empty() && !has("wasi:filesystem/preopens") {
            unused.push(Unused::Files);
        }
        if !self.environment.is_empty() && !has("wasi:cli/environment") {
            unused.push(Unused::Environment);
        }
        if !self.secrets.is_empty() && (!http || self.network.is_empty()) {
            unused.push(Unused::Secrets);
        }
        unused
    }
}

fn has_room<T>(list: &[T]) -> Result<(), Conflict> {
    if list.len() < GRANTS_MAX {
        Ok(())
    } else {
        Err(Conflict::TooMany)
    }
}

/// A kind of grant that a component cannot use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unused {
    /// Network rules without requests.
    #[error("network is granted, but the component does not import `wasi:http/outgoing-handler`")]
    Network,
    /// Folders without files.
    #[error("files are granted, but the component does not import `wasi:filesystem/preopens`")]
    Files,
    /// Variables that nobody reads.
    #[error("environment is granted, but the component does not import `wasi:cli/environment`")]
    Environment,
    /// Secrets without a request that could carry them.
    #[error("secrets are granted, but no request of the component's can carry one")]
    Secrets,
}

impl fmt::Display for Grants {
    /// For people: one line a grant, or `nothing`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        lines.extend(
            self.network
                .iter()
                .map(|rule| format!("network      {rule}")),
        );
        lines.extend(
            self.files
                .iter()
                .map(|folder| format!("files        {folder}")),
        );
        lines.extend(
            self.environment
                .iter()
                .map(|name| format!("environment  {name}")),
        );
        lines.extend(
            self.secrets
                .iter()
                .map(|name| format!("secret       {name}")),
        );
        if lines.is_empty() {
            lines.push("nothing".into());
        }
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants() -> Grants {
        let folder = tempfile::tempdir().unwrap();
        let folder = format!("{}:/docs:ro", folder.path().display());
        let mut grants = Grants::default();
        for rule in ["https://a.example/v1/* GET govern", "https://a.example/*"] {
            grants.add_network(rule.parse().unwrap()).unwrap();
        }
        grants.add_files(folder.parse().unwrap()).unwrap();
        grants.add_environment("LANG").unwrap();
        grants.add_secret("github".parse().unwrap()).unwrap();
        grants
    }

    #[test]
    fn a_grant_that_would_be_without_effect_is_refused() {
        let mut grants = grants();
        let hidden = grants.add_network("https://a.example/pay/* govern".parse().unwrap());
        assert!(matches!(hidden, Err(Conflict::Hidden(_))), "{hidden:?}");
        let other = grants.add_network("https://a.example/pay/* POST,PUT govern".parse().unwrap());
        assert_eq!(other, Ok(()));
        let again = grants.files[0].clone();
        assert!(matches!(
            grants.add_files(again),
            Err(Conflict::GuestPaths(..))
        ));
        assert_eq!(
            grants.add_environment("LANG"),
            Err(Conflict::Twice("LANG".into()))
        );
        let again = grants.add_secret("github".parse().unwrap());
        assert_eq!(again, Err(Conflict::Twice("github".into())));
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let grants = grants();
        let governed = |url: &'static str| {
            let uri = http::Uri::from_static(url);
            let target = Target::parse(&http::Method::GET, &uri).unwrap();
            grants.rule_for(&target).map(|rule| rule.govern)
        };
        assert_eq!(governed("https://a.example/v1/x"), Ok(true));
        assert_eq!(governed("https://a.example/v2/x"), Ok(false));
        assert!(governed("https://b.example/v1/x").is_err());
    }

    #[test]
    fn what_a_component_cannot_use_is_named() {
        let all = [
            Unused::Network,
            Unused::Files,
            Unused::Environment,
            Unused::Secrets,
        ];
        assert_eq!(grants().unused(&["wasi:io/streams@0.2.0"]), all);
        assert_eq!(Grants::default().unused(&[]), []);
        let imports = [
            "wasi:http/outgoing-handler@0.2.3",
            "wasi:filesystem/preopens@0.2.3",
            "wasi:cli/environment@0.2.3",
        ];
        assert_eq!(grants().unused(&imports), []);
        let similar = ["wasi:http/outgoing-handler-x@0.2.3"];
        assert_eq!(grants().unused(&similar), all);
    }

    #[test]
    fn grants_are_shown_line_by_line() {
        let grants = grants();
        let host = grants.files[0].host.display().to_string();
        assert_eq!(
            grants.to_string(),
            format!(
                "network      GET https://a.example:443/v1/*  governed\n\
                 network      GET,HEAD https://a.example:443/*\n\
                 files        /docs = {host}  read-only\n\
                 environment  LANG\n\
                 secret       github"
            )
        );
        assert_eq!(Grants::default().to_string(), "nothing");
    }
}
