//! What one call of a tool may use, as far as its operator says.

use std::time::Duration;

use thoth_core::parse_duration;

use crate::bytes::Bytes;
use crate::document::Node;
use crate::error::Problem;
use crate::toml_tree;
use crate::words::shown;

/// The most linear memory that a call can be given.
pub(crate) const MEMORY_MAX: Bytes = Bytes(1 << 30);

/// The largest result that the contract lets through.
const RESULT_MAX: Bytes = Bytes(256 << 10);

/// Limits of one call. An absent one is the host's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// Wall-clock time, from instantiation to result.
    pub time: Option<Duration>,
    /// Fuel: about one a wasm instruction.
    pub fuel: Option<u64>,
    /// Linear memory, over all memories of the call. At most 1 GiB.
    pub memory: Option<Bytes>,
    /// Elements of all tables together.
    pub table_elements: Option<u32>,
    /// Core instances, memories and tables, each.
    pub instances: Option<u32>,
    /// Handles that the components of the call hold.
    pub handles: Option<u32>,
    /// Entries in the table of host resources.
    pub resources: Option<u32>,
    /// What the host copies for the guest in one host call or one result.
    pub hostcall: Option<Bytes>,
    /// Random bytes that one request may ask for.
    pub random: Option<Bytes>,
    /// What is kept of standard output and of standard error.
    pub output: Option<Bytes>,
    /// The result as JSON. At most 256 KiB.
    pub result: Option<Bytes>,
    /// HTTP requests.
    pub requests: Option<u32>,
    /// Bytes of the bodies of all requests.
    pub request_bytes: Option<Bytes>,
    /// Bytes of the bodies of all responses.
    pub response_bytes: Option<Bytes>,
    /// Files and folders open at a time.
    pub open_files: Option<u32>,
    /// Bytes written to files.
    pub write_bytes: Option<Bytes>,
}

impl LimitSettings {
    /// Reads limits from flags, `NAME=VALUE` each: the keys and values of a `limits` table.
    ///
    /// # Errors
    ///
    /// What is wrong with the first flag that cannot be used.
    pub fn from_flags(flags: &[String]) -> Result<Self, String> {
        let mut text = String::new();
        for flag in flags {
            let form = || {
                format!(
                    "`{}` is not a limit: write it as `fuel=1000000`",
                    shown(flag)
                )
            };
            let (name, value) = flag.split_once('=').ok_or_else(form)?;
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(form());
            }
            let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            match is_number {
                true => text.push_str(&format!("{name} = {value}\n")),
                // A text of TOML escapes as Rust does, where nothing strange is in it.
                false if value.bytes().all(|byte| byte.is_ascii_graphic()) => {
                    text.push_str(&format!("{name} = {value:?}\n"));
                }
                false => return Err(form()),
            }
        }
        let node = toml_tree::parse(&text).map_err(|problem| problem.message().to_owned())?;
        Self::from_node(&node).map_err(|problem| problem.message().to_owned())
    }

    /// These, with `other`'s where it says something.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            time: other.time.or(self.time),
            fuel: other.fuel.or(self.fuel),
            memory: other.memory.or(self.memory),
            table_elements: other.table_elements.or(self.table_elements),
            instances: other.instances.or(self.instances),
            handles: other.handles.or(self.handles),
            resources: other.resources.or(self.resources),
            hostcall: other.hostcall.or(self.hostcall),
            random: other.random.or(self.random),
            output: other.output.or(self.output),
            result: other.result.or(self.result),
            requests: other.requests.or(self.requests),
            request_bytes: other.request_bytes.or(self.request_bytes),
            response_bytes: other.response_bytes.or(self.response_bytes),
            open_files: other.open_files.or(self.open_files),
            write_bytes: other.write_bytes.or(self.write_bytes),
        }
    }

    pub(crate) fn from_node(node: &Node) -> Result<Self, Problem> {
        let table = node.table(&[
            "time",
            "fuel",
            "memory",
            "table_elements",
            "instances",
            "handles",
            "resources",
            "hostcall",
            "random",
            "output",
            "result",
            "requests",
            "request_bytes",
            "response_bytes",
            "open_files",
            "write_bytes",
        ])?;
        Ok(Self {
            time: table.optional("time", duration)?,
            fuel: table.optional("fuel", fuel)?,
            memory: table.optional("memory", |node| within(node, MEMORY_MAX))?,
            table_elements: table.optional("table_elements", Node::count)?,
            instances: table.optional("instances", Node::count)?,
            handles: table.optional("handles", Node::count)?,
            resources: table.optional("resources", Node::count)?,
            hostcall: table.optional("hostcall", Node::parsed)?,
            random: table.optional("random", Node::parsed)?,
            output: table.optional("output", Node::parsed)?,
            result: table.optional("result", |node| within(node, RESULT_MAX))?,
            requests: table.optional("requests", Node::count)?,
            request_bytes: table.optional("request_bytes", Node::parsed)?,
            response_bytes: table.optional("response_bytes", Node::parsed)?,
            open_files: table.optional("open_files", Node::count)?,
            write_bytes: table.optional("write_bytes", Node::parsed)?,
        })
    }
}

/// A time in which something can happen: more than none, at most a day.
pub(crate) fn duration(node: &Node) -> Result<Duration, Problem> {
    let time = parse_duration(node.text()?).map_err(|error| node.problem(error))?;
    if time.is_zero() || time > Duration::from_secs(24 * 60 * 60) {
        return Err(node.problem("the time is not between 1ms and 24h"));
    }
    Ok(time)
}

fn fuel(node: &Node) -> Result<u64, Problem> {
    match node.count()? {
        0 => Err(node.problem("without fuel no tool runs: write a number above 0")),
        fuel => Ok(fuel),
    }
}

fn within(node: &Node, most: Bytes) -> Result<Bytes, Problem> {
    let size: Bytes = node.parsed()?;
    if size.0 == 0 || size > most {
        return Err(node.problem(format_args!("`{size}` is not between 1B and {most}")));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(texts: &[&str]) -> Result<LimitSettings, String> {
        let flags: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        LimitSettings::from_flags(&flags)
    }

    #[test]
    fn flags_say_what_a_limits_table_says() {
        let limits = flags(&["fuel=1000", "memory=16MiB", "time=250ms"]).unwrap();
        assert_eq!(limits.fuel, Some(1000));
        assert_eq!(limits.memory, Some(Bytes(16 << 20)));
        assert_eq!(limits.time, Some(Duration::from_millis(250)));
        assert_eq!(flags(&[]), Ok(LimitSettings::default()));
    }

    #[test]
    fn a_flag_that_is_no_limit_is_named() {
        for (text, part) in [
            ("fuel", "fuel=1000000"),
            ("feul=1", "fuel"),
            ("fuel=0", "without fuel"),
            ("memory=2GiB", "2GiB"),
            ("fuel=1\nmemory=2", "write it as"),
            ("a.b=1", "write it as"),
            ("=1", "write it as"),
        ] {
            let error = flags(&[text]).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(flags(&["fuel=1", "fuel=2"]).is_err());
    }
}
