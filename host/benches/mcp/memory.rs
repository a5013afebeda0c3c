//! What an idle tool and an open client keep in memory.

use anyhow::{Context as _, Result};
use tokio::net::TcpStream;

use crate::bed::Bed;
use crate::client::session;

/// Tools, and clients, that are counted: enough that pages do not matter.
const TOOLS: u64 = 64;
const CLIENTS: u64 = 200;

/// Prints both, in KiB of resident memory. The code of a tool is mapped from the cache, as it is for `thoth`:
/// what was not run is not resident.
pub(crate) async fn print(bed: &Bed) -> Result<()> {
    let component = thoth_tests::tool("docs-search");
    // What the first ones leave in the allocator is not theirs.
    let mut tools = vec![bed.runtime.load(&component).await?];
    let before = resident()?;
    for _ in 0..TOOLS {
        tools.push(bed.runtime.load(&component).await?);
    }
    let tool = resident()?.saturating_sub(before) / TOOLS;
    drop(tools);
    let mut clients: Vec<TcpStream> = vec![session(bed.address).await?];
    let before = resident()?;
    for _ in 0..CLIENTS {
        clients.push(session(bed.address).await?);
    }
    let client = resident()?.saturating_sub(before) / CLIENTS;
    drop(clients);
    println!("memory of an idle tool: {tool} KiB (over {TOOLS})");
    println!("memory of an open client over HTTP: {client} KiB (over {CLIENTS})");
    Ok(())
}

/// Resident memory of this process, in KiB.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    Ok(kib
        .context("the system tells no resident memory")?
        .parse()?)
}
