//! What one call of a tool may use, as far as its operator says.

use std::time::Duration;

use thoth_core::parse_duration;

use crate::bytes::Bytes;
use crate::document::Node;
use crate::error::Problem;

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
