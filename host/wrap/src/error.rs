//! Why a component cannot be wrapped.

/// A component that cannot be wrapped. No function of a component is ever left out or left ungoverned:
/// what is not understood refuses the whole of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no component.
    #[error("it is not a component: {0}")]
    NotAComponent(String),
    /// Something in it cannot be governed.
    #[error("`{export}` cannot be governed: {why}")]
    Ungovernable {
        /// Where it is exported.
        export: String,
        /// Why.
        why: String,
    },
    /// The component as a whole cannot be wrapped.
    #[error("{0}")]
    Refused(String),
    /// What was given as governor does not govern.
    #[error("it is no portable governor: {0}")]
    Governor(String),
    /// The map of errors is wrong.
    #[error("errors: {0}")]
    Errors(String),
    /// A library could not put the parts together.
    #[error("the governed component cannot be put together: {0}")]
    Composition(String),
}

impl Error {
    pub(crate) fn ungovernable(export: &impl ToString, why: impl Into<String>) -> Self {
        Self::Ungovernable {
            export: export.to_string(),
            why: why.into(),
        }
    }

    /// A library's error, its causes in one line.
    pub(crate) fn composition(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let error = error.into();
        Self::Composition(chain(error.as_ref()))
    }
}

/// An error and its causes, each once, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
        next = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
