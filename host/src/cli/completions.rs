//! `thoth completions` and `thoth man`: what a shell and a manual need to know of the command.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Exit;

/// Print what a shell completes of this command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    thoth completions bash > ~/.local/share/bash-completion/completions/thoth\n  \
    thoth completions zsh > \"${fpath[1]}/_thoth\"\n  \
    thoth completions fish > ~/.config/fish/completions/thoth.fish")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Write the manual pages of this command and of each of its commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  thoth man ~/.local/share/man/man1 && man thoth-call")]
pub(super) struct Man {
    /// The folder to write them to; it is made if it is not there.
    folder: PathBuf,
}

/// Runs `thoth completions`.
pub(super) fn completions(args: &Completions) -> Result<Exit> {
    let mut command = super::Args::command();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "thoth", &mut text);
    tell!("{}", String::from_utf8(text)?.trim_end());
    Ok(Exit::Completed)
}

/// Runs `thoth man`.
pub(super) fn man(args: &Man) -> Result<Exit> {
    std::fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(super::Args::command(), &args.folder))
        .with_context(|| format!("cannot write manual pages to `{}`", args.folder.display()))?;
    Ok(Exit::Completed)
}
