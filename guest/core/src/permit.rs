//! The right to run one tool, once, with the arguments that were decided on.

use alloc::string::String;

/// The right to run one tool once with exactly these arguments.
///
/// Only this crate makes one, and only from a decision that allows the call: an `allow`, a `modify`
/// (then the arguments are the modified ones), a hold that was approved for this very call, or the
/// operator's observe mode. Running a tool takes one by value.
///
/// There is no way to make one outside:
///
/// ```compile_fail,E0451
/// let permit = thoth_core::Permit { tool: "wipe".into(), arguments: "{}".into(), modified: false };
/// ```
///
/// none to make a second one from it:
///
/// ```compile_fail,E0599
/// fn twice(permit: thoth_core::Permit) -> (thoth_core::Permit, thoth_core::Permit) {
///     (permit.clone(), permit)
/// }
/// ```
///
/// and none to use it again after the call:
///
/// ```compile_fail,E0382
/// fn again<P: thoth_core::Ports>(ports: &mut P, permit: thoth_core::Permit) {
///     let _ = ports.call_tool(permit);
///     let _ = ports.call_tool(permit);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not used was a decision to run that was dropped"]
pub struct Permit {
    tool: String,
    arguments: String,
    modified: bool,
}

impl Permit {
    /// INVARIANT: called only in `line`, on an allowing verdict, with canonical arguments.
    pub(crate) fn grant(tool: String, arguments: String, modified: bool) -> Self {
        Self {
            tool,
            arguments,
            modified,
        }
    }

    /// The tool that may run.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The arguments it may run with: canonical JSON (RFC 8785), an object.
    #[must_use]
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    /// Whether these arguments are others than those that the call came with.
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.modified
    }
}
