//! Governed tools over MCP: what an agent host connects to.
//!
//! Every `tools/call` is one [`Session::call`](crate::Session::call), and every answer says what came of
//! it; `host/docs/mcp.md` has the mapping. MCP 2026-07-28 and the revisions with an `initialize` handshake
//! are spoken, whichever the client does.

mod answer;
mod approval;
mod call;
mod catalog;
mod client;
mod frame;
mod handler;
mod held;
mod http;
mod in_flight;
mod lines;
pub(crate) mod listed;
mod progress;
mod server;
mod sessions;

pub use http::{Http, PATH};
pub use rmcp::transport::stdio_pipes;
pub use server::{Options, Server};
pub use thoth_enforcer::Secret as Token;
