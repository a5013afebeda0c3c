//! Turns WIT names into names of tools and of JSON keys, and keeps tool names unique.
//!
//! The Thoth host and a wrapped component name a function the same, so that one policy is about both.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::collections::HashMap;
use std::fmt;

/// How long a WIT name, or the name of a tool, may be, in bytes.
pub const MAX_NAME: usize = 128;

/// Where a component exports a function. Prints as `acme:ledger/transfers@1.0.0#send`, or as `send`
/// for a function of the world itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Export {
    /// The exported interface, as the component names it; none for a function of the world.
    pub interface: Option<String>,
    /// The function's name in WIT.
    pub function: String,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface}#{}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// A WIT name with the snake case that stands for it in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// As the component has it.
    pub wit: String,
    /// As JSON has it.
    pub json: String,
}

impl Name {
    /// `None` where the name is not a WIT identifier or is longer than [`MAX_NAME`].
    #[must_use]
    pub fn new(wit: &str) -> Option<Name> {
        let plain = wit.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        (plain && !wit.is_empty() && wit.len() <= MAX_NAME).then(|| Name {
            wit: wit.to_owned(),
            json: snake(wit),
        })
    }
}

fn snake(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ => '_',
        })
        .collect()
}

/// The name as a person would write it: `search-docs` is `Search docs`, `get-URL` is `Get URL`.
#[must_use]
pub fn title(wit: &str) -> String {
    let words = wit.replace('-', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => words,
    }
}

/// An interface's own name: `transfers` of `acme:ledger/transfers@1.0.0`.
#[must_use]
pub fn interface_name(interface: &str) -> &str {
    let path = interface.split('@').next().unwrap_or(interface);
    path.rsplit('/').next().unwrap_or(path)
}

/// The names that an export may get, the shortest first: bare, with its interface, with namespace
/// and package, with the version too.
fn candidates(export: &Export) -> Vec<String> {
    let function = snake(&export.function);
    let Some(interface) = &export.interface else {
        return vec![function];
    };
    let (path, version) = match interface.split_once('@') {
        Some((path, version)) => (path, Some(version)),
        None => (interface.as_str(), None),
    };
    let mut names = vec![
        format!("{}_{function}", snake(interface_name(interface))),
        format!("{}_{function}", snake(path)),
    ];
    if let Some(version) = version {
        names.push(format!("{}_{}_{function}", snake(path), snake(version)));
    }
    names.insert(0, function);
    names.dedup();
    names
}

/// Gives every export a tool name, in order; `None` where none of its names is free or short enough.
///
/// Where names collide, every export in the collision that can be qualified is qualified by one more
/// step, so that none of them takes the short name from the others.
#[must_use]
pub fn tool_names(exports: &[&Export]) -> Vec<Option<String>> {
    let candidates: Vec<Vec<String>> = exports.iter().map(|export| candidates(export)).collect();
    let mut steps = vec![0_usize; candidates.len()];
    loop {
        let names: Vec<&str> = steps
            .iter()
            .zip(&candidates)
            .map(|(step, names)| names.get(*step).map_or("", String::as_str))
            .collect();
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for name in &names {
            *uses.entry(name).or_default() += 1;
        }
        let collides = |name: &str| uses.get(name).is_some_and(|count| *count > 1);

        let mut qualified = false;
        for ((step, options), name) in steps.iter_mut().zip(&candidates).zip(&names) {
            if collides(name) && *step + 1 < options.len() {
                *step += 1;
                qualified = true;
            }
        }
        if !qualified {
            return names
                .iter()
                .map(|name| {
                    let fits = !name.is_empty() && name.len() <= MAX_NAME;
                    (fits && !collides(name)).then(|| (*name).to_owned())
                })
                .collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(exports: &[(&str, &str)]) -> Vec<Option<String>> {
        let exports: Vec<Export> = exports
            .iter()
            .map(|(interface, function)| Export {
                interface: (!interface.is_empty()).then(|| (*interface).to_owned()),
                function: (*function).to_owned(),
            })
            .collect();
        tool_names(&exports.iter().collect::<Vec<_>>())
    }

    fn all(names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|name| Some((*name).to_owned())).collect()
    }

    #[test]
    fn names_are_snake_case() {
        assert_eq!(
            named(&[("", "search-docs"), ("", "get-URL"), ("a:b/c@1.0.0", "x2")]),
            all(&["search_docs", "get_url", "x2"])
        );
    }

    #[test]
    fn a_collision_qualifies_both_sides_by_interface() {
        assert_eq!(
            named(&[
                ("acme:l/transfers@1.0.0", "send"),
                ("acme:m/mail@1.0.0", "send"),
                ("", "other")
            ]),
            all(&["transfers_send", "mail_send", "other"])
        );
    }

    #[test]
    fn a_world_function_keeps_its_name_in_a_collision() {
        assert_eq!(
            named(&[("", "send"), ("acme:m/mail", "send")]),
            all(&["send", "mail_send"])
        );
    }

    #[test]
    fn interfaces_of_one_name_are_qualified_by_package_and_then_by_version() {
        assert_eq!(
            named(&[("a:p/api@1.0.0", "go"), ("b:p/api@1.0.0", "go")]),
            all(&["a_p_api_go", "b_p_api_go"])
        );
        assert_eq!(
            named(&[("a:p/api@1.0.0", "go"), ("a:p/api@2.0.0", "go")]),
            all(&["a_p_api_1_0_0_go", "a_p_api_2_0_0_go"])
        );
    }

    #[test]
    fn a_qualified_name_does_not_take_the_name_of_another() {
        assert_eq!(
            named(&[
                ("", "mail-send"),
                ("a:b/mail", "send"),
                ("a:b/post", "send")
            ]),
            all(&["mail_send", "a_b_mail_send", "post_send"])
        );
    }

    #[test]
    fn what_cannot_be_told_apart_has_no_name() {
        assert_eq!(
            named(&[("a:b/c@1.0.0-a.b", "go"), ("a:b/c@1.0.0-a-b", "go")]),
            vec![None, None]
        );
        assert_eq!(named(&[("", &"x".repeat(129))]), vec![None]);
    }

    #[test]
    fn titles_read_like_words() {
        assert_eq!(title("search-docs"), "Search docs");
        assert_eq!(title("get-URL"), "Get URL");
    }

    #[test]
    fn only_wit_identifiers_are_names() {
        assert_eq!(Name::new("get-URL").unwrap().json, "get_url");
        assert!(Name::new("").is_none());
        assert!(Name::new("[method]a.b").is_none());
        assert!(Name::new(&"x".repeat(129)).is_none());
    }
}
