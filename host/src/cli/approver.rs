//! Who approves over HTTP: their credential, and the address of their page.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use thoth_host::{Approvals, mcp};
use tokio::net::TcpListener;

use super::Usage;
use super::approvals::local_user;

/// Where the credential is, in the state folder.
pub(super) const TOKEN_FILE: &str = "approver.token";

/// Binds the address of the page, and says what people authenticate with there.
pub(super) async fn listen(address: SocketAddr, state: &Path) -> Result<(TcpListener, Approvals)> {
    if !address.ip().is_loopback() {
        let why = format!("`{address}` is not a loopback address: people approve on this machine");
        return Err(Usage(why).into());
    }
    thoth_host::prepare_state_dir(state)?;
    let token = token(&state.join(TOKEN_FILE))?;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another with `--approvals`")
    })?;
    let approvals = Approvals {
        url: format!("http://{}", listener.local_addr()?),
        token: mcp::Token::new(&token),
        approver: Some(local_user()),
    };
    Ok((listener, approvals))
}

/// The credential that approves, made once for a state folder and readable by this user only.
pub(super) fn token(file: &Path) -> Result<String> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let name = || format!("cannot use the approver token in `{}`", file.display());
    match made {
        Ok(mut made) => {
            let token = uuid::Uuid::new_v4().simple().to_string();
            made.write_all(token.as_bytes()).with_context(name)?;
            Ok(token)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = std::fs::symlink_metadata(file).with_context(name)?;
            let own = std::fs::metadata("/proc/self").with_context(name)?.uid();
            if !found.is_file() || found.uid() != own || found.mode() & 0o077 != 0 {
                anyhow::bail!(
                    "{}: others can read or write it; remove it to have a new one made",
                    name()
                );
            }
            let token = std::fs::read_to_string(file).with_context(name)?;
            if token.trim().is_empty() {
                anyhow::bail!("{}: it is empty; remove it to have a new one made", name());
            }
            Ok(token.trim().to_owned())
        }
        Err(error) => Err(error).with_context(name),
    }
}
