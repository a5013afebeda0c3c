//! A secret in a file, a tool that is granted it, and a search of all that the run left.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use thoth_tests::{Faultd, Run, Thoth, Web, thoth::Invocation};

use super::courier::courier;

/// No such text comes up by itself.
pub(crate) const SECRET: &str = "Zq7-vault_canary/9f31+d4==x";

pub(crate) struct Safe {
    pub(crate) thoth: Thoth,
    pub(crate) service: Faultd,
    pub(crate) web: Web,
    /// Where the secret is.
    pub(crate) path: PathBuf,
}

impl Safe {
    pub(crate) fn new(secret: &str) -> Self {
        let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
        let path = thoth.file("key", format!("{secret}\n"));
        Self {
            thoth,
            service: Faultd::start(),
            web: Web::start(),
            path,
        }
    }

    /// A request by the tool, which is granted the secret.
    pub(crate) fn call(&self, function: &str, path: &str, name: &str, value: &str) -> Invocation {
        self.bare(function, path, name, value)
            .args(["--allow-secret", &self.flag()])
    }

    /// A request by the tool, which is granted no secret.
    pub(crate) fn bare(&self, function: &str, path: &str, name: &str, value: &str) -> Invocation {
        let call = self.thoth.call(courier(&self.thoth));
        self.granted(call, function, path, name, value)
    }

    /// A request by the tool, which is granted the secret, for a person to read.
    pub(crate) fn plain(&self, function: &str, path: &str, name: &str, value: &str) -> Invocation {
        let call = self.thoth.command("call").arg(courier(&self.thoth));
        let call = self.granted(call, function, path, name, value);
        call.args(["--allow-secret", &self.flag()])
    }

    fn granted(
        &self,
        call: Invocation,
        function: &str,
        path: &str,
        name: &str,
        value: &str,
    ) -> Invocation {
        let arguments = json!({
            "authority": self.web.authority(), "path": path, "name": name, "value": value,
        });
        let rule = format!(
            "{}/v1/* GET allow-private govern header=authorization header=x-key",
            self.web.origin()
        );
        let call = call.args([function, &arguments.to_string()]);
        call.args(["--enforcer-url", &self.service.url(), "--allow-net", &rule])
    }

    fn flag(&self) -> String {
        format!("key=file:{}", self.path.display())
    }

    /// Nothing of the secret is in what the run said, sent to the enforcer, and left on the disk.
    pub(crate) fn is_tight(&self, run: &Run) {
        assert_clean("stdout", run.stdout.as_bytes());
        assert_clean("stderr", run.stderr.as_bytes());
        for event in self.service.events() {
            assert_clean("an event", event.to_string().as_bytes());
        }
        let mut files = 0;
        search(&self.thoth.path(""), &mut |path, content| {
            if path != self.path {
                assert_clean(&path.display().to_string(), content);
                files += 1;
            }
        });
        assert!(files > 1, "the log and the component at least");
    }
}

/// The secret as it is, and as it comes out of the usual encodings.
pub(crate) fn forms() -> Vec<Vec<u8>> {
    let hex = |upper: bool| {
        let digits = SECRET.bytes().map(|byte| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        });
        digits.collect::<String>().into_bytes()
    };
    vec![
        SECRET.into(),
        SECRET
            .replace('/', "%2F")
            .replace('+', "%2B")
            .replace('=', "%3D")
            .into(),
        SECRET.replace('/', "\\/").into(),
        // Base64, as RFC 4648 has it, without its end.
        b"WnE3LXZhdWx0X2NhbmFyeS85ZjMxK2Q0PT14".to_vec(),
        hex(false),
        hex(true),
    ]
}

pub(crate) fn assert_clean(what: &str, bytes: &[u8]) {
    for form in forms() {
        let found = bytes.windows(form.len()).any(|window| window == form);
        assert!(!found, "{what} has `{}`", String::from_utf8_lossy(&form));
    }
}

fn search(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, look);
        } else if let Ok(content) = fs::read(&path) {
            look(&path, &content);
        }
    }
}
