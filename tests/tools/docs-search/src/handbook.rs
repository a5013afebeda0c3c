//! The documents that are packed into the component.

/// A document: its path in the handbook and its Markdown text.
pub struct Document {
    pub path: &'static str,
    pub text: &'static str,
}

impl Document {
    /// The first heading, without its mark.
    pub fn title(&self) -> &'static str {
        let heading = self.text.lines().next().unwrap_or(self.path);
        heading.trim_start_matches('#').trim()
    }

    /// Paragraphs below the heading, in order.
    pub fn paragraphs(&self) -> impl Iterator<Item = &'static str> {
        self.text.split("\n\n").skip(1).map(str::trim)
    }
}

macro_rules! documents {
    ($($path:literal),* $(,)?) => {
        &[$(Document { path: $path, text: include_str!(concat!("../docs/", $path)) }),*]
    };
}

/// Every document, in the order of its path.
pub const DOCUMENTS: &[Document] = documents![
    "README.md",
    "engineering/incidents.md",
    "engineering/releases.md",
    "engineering/reviews.md",
    "finance/expenses.md",
    "finance/invoices.md",
    "hr/leave.md",
    "hr/onboarding.md",
    "hr/salaries.md",
    "security.md",
    "travel.md",
];
