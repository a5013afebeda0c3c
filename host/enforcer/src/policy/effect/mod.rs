//! What a running tool reaches for: an HTTP request or a file, told as a call named `effect:…`.
//!
//! The host that runs the tool asks about each effect with the ordinary request for a decision, so the
//! arguments are the effect. They are read here, once, into the one form that policies compare: whatever
//! could be spelt in two ways is taken in one and refused in the others, or a rule that guards it would
//! not see it.

mod form;

use std::net::IpAddr;

use serde_json::{Map, Value};

/// The name of an effect, as a call and as Cedar's action.
pub(super) const HTTP: &str = "effect:http";
/// The same of a file.
pub(super) const FILE: &str = "effect:file";
/// No tool can have a name that begins so: our host's are in snake case.
const PREFIX: &str = "effect:";

/// The largest integer of JSON that every reader holds exactly.
const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// In which form effects tell an entity of this type, if this is another one.
pub(super) fn other_form(kind: &str, id: &str) -> Option<&'static str> {
    let (fits, form) = match kind {
        "Domain" if id.parse::<IpAddr>().is_ok() => {
            (false, "an address is in no domain: name it as a `Host`")
        }
        "Host" | "Domain" => (
            form::is_host(id),
            "a host is named in lower case, without scheme, port, `*` or a final dot",
        ),
        "File" | "Folder" => (
            form::is_file_path(id),
            "a path begins with `/`, and has no `.`, `..`, empty part or `/` at its end",
        ),
        _ => return None,
    };
    (!fits).then_some(form)
}

/// One effect, well formed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect<'a> {
    Http(Http<'a>),
    File(File<'a>),
}

/// Whose effect it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub(super) tool: &'a str,
    pub(super) parent_call_id: &'a str,
    /// Counts the effects of one call, from 1.
    pub(super) number: i64,
}

/// A request that a tool is about to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Http<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) method: &'a str,
    pub(super) scheme: &'a str,
    /// A name, or an address without brackets.
    pub(super) host: &'a str,
    pub(super) port: i64,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) headers: Vec<&'a str>,
    pub(super) body_sha256: &'a str,
    pub(super) body_bytes: i64,
}

/// A file that a tool is about to open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File<'a> {
    pub(super) origin: Origin<'a>,
    /// Absolute, as the tool sees it.
    pub(super) path: &'a str,
    pub(super) mode: &'a str,
    pub(super) create: bool,
    pub(super) truncate: bool,
}

/// An effect that no policy is asked about: it is a block. No value of the request is in the message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("there is no such effect: known are `effect:http` and `effect:file`")]
    Kind,
    #[error("effect argument `{0}` must be {1}")]
    Member(&'static str, &'static str),
    #[error("the effect has an argument that is not known: {0} are")]
    Unknown(String),
}

impl Malformed {
    /// What goes on the wire as `decision_reason_code`.
    pub(super) fn reason_code(&self) -> &'static str {
        match self {
            Self::Kind => "effect_unknown",
            Self::Member(..) | Self::Unknown(_) => "effect_arguments",
        }
    }
}

impl<'a> Effect<'a> {
    /// Reads a call as an effect; `None` is a call of a tool.
    pub(super) fn read(
        name: &str,
        arguments: &'a Map<String, Value>,
    ) -> Result<Option<Self>, Malformed> {
        if !name.starts_with(PREFIX) {
            return Ok(None);
        }
        let members = Members(arguments);
        match name {
            HTTP => Http::read(&members).map(Self::Http).map(Some),
            FILE => File::read(&members).map(Self::File).map(Some),
            _ => Err(Malformed::Kind),
        }
    }

    pub(super) fn origin(&self) -> &Origin<'a> {
        match self {
            Self::Http(http) => &http.origin,
            Self::File(file) => &file.origin,
        }
    }
}

impl<'a> Origin<'a> {
    fn read(members: &Members<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            tool: members.text("tool", "a tool's name", form::is_tool)?,
            parent_call_id: members.text("parent_call_id", "a call's id", form::is_call_id)?,
            number: members.integer("number", "a whole number from 1", 1, MAX_INTEGER)?,
        })
    }
}

impl<'a> Http<'a> {
    fn read(members: &Members<'a>) -> Result<Self, Malformed> {
        members.only(&[
            "tool",
            "parent_call_id",
            "number",
            "method",
            "scheme",
            "host",
            "port",
            "path",
            "query",
            "headers",
            "body_sha256",
            "body_bytes",
        ])?;
        Ok(Self {
            origin: Origin::read(members)?,
            method: members.text("method", "an upper-case HTTP method", form::is_method)?,
            scheme: members.text("scheme", "`http` or `https`", form::is_scheme)?,
            host: form::without_brackets(members.text(
                "host",
                "a lower-case host name or an address in its usual form",
                form::is_host,
            )?),
            port: members.integer("port", "a whole number from 1 to 65535", 1, 65_535)?,
            path: members.text(
                "path",
                "a normal path: from the root, without `//`, dot segments or needless escapes",
                form::is_url_path,
            )?,
            query: members.text_or_null("query", "null or a query string", form::is_query)?,
            headers: members.texts("headers", "lower-case header names", form::is_header)?,
            body_sha256: members.text(
                "body_sha256",
                "64 lower-case hex digits",
                form::is_sha256,
            )?,
            body_bytes: members.integer("body_bytes", "a number of bytes", 0, MAX_INTEGER)?,
        })
    }
}

impl<'a> File<'a> {
    fn read(members: &Members<'a>) -> Result<Self, Malformed> {
        members.only(&[
            "tool",
            "parent_call_id",
            "number",
            "path",
            "mode",
            "create",
            "truncate",
        ])?;
        let file = Self {
            origin: Origin::read(members)?,
            path: members.text(
                "path",
                "a normal path: from the root, without `//` or dot segments",
                form::is_file_path,
            )?,
            mode: members.text("mode", "`read` or `write`", form::is_mode)?,
            create: members.boolean("create")?,
            truncate: members.boolean("truncate")?,
        };
        // Both change something, which a rule that permits reading has not agreed to.
        if file.mode == "read" && (file.create || file.truncate) {
            let rule = "`write` where the file is created or truncated";
            return Err(Malformed::Member("mode", rule));
        }
        Ok(file)
    }
}

/// An object of which every member is required and has one type: `null` is not the same as absent.
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    /// Refuses members of other names.
    fn only(&self, names: &[&str]) -> Result<(), Malformed> {
        if self.0.keys().all(|name| names.contains(&name.as_str())) {
            Ok(())
        } else {
            Err(Malformed::Unknown(names.join(", ")))
        }
    }

    fn text(
        &self,
        name: &'static str,
        rule: &'static str,
        fits: fn(&str) -> bool,
    ) -> Result<&'a str, Malformed> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|text| fits(text))
            .ok_or(Malformed::Member(name, rule))
    }

    fn text_or_null(
        &self,
        name: &'static str,
        rule: &'static str,
        fits: fn(&str) -> bool,
    ) -> Result<Option<&'a str>, Malformed> {
        match self.0.get(name) {
            Some(Value::Null) => Ok(None),
            _ => self.text(name, rule, fits).map(Some),
        }
    }

    fn texts(
        &self,
        name: &'static str,
        rule: &'static str,
        fits: fn(&str) -> bool,
    ) -> Result<Vec<&'a str>, Malformed> {
        let items = self.0.get(name).and_then(Value::as_array);
        let texts = items.into_iter().flatten().map(Value::as_str);
        let texts: Option<Vec<_>> = texts.map(|text| text.filter(|text| fits(text))).collect();
        texts
            .filter(|_| items.is_some())
            .ok_or(Malformed::Member(name, rule))
    }

    fn integer(
        &self,
        name: &'static str,
        rule: &'static str,
        min: i64,
        max: i64,
    ) -> Result<i64, Malformed> {
        let number = self.0.get(name).and_then(Value::as_i64);
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or(Malformed::Member(name, rule))
    }

    fn boolean(&self, name: &'static str) -> Result<bool, Malformed> {
        let value = self.0.get(name).and_then(Value::as_bool);
        value.ok_or(Malformed::Member(name, "true or false"))
    }
}

#[cfg(test)]
mod tests;
