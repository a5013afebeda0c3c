//! A header's value with places for secrets: `Bearer {{secret:github}}`.

use http::HeaderValue;
use thoth_grants::SecretName;

use crate::{Kind, Refused, Secrets};

const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";

/// A value to send: as the tool wrote it, or with places to be filled in.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    Plain(HeaderValue),
    Secret(Vec<Piece>),
}

#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Text(String),
    Secret(SecretName),
}

impl Template {
    /// Reads a value. Every placeholder in it must name one of `granted`.
    pub(crate) fn parse(value: &HeaderValue, granted: &[SecretName]) -> Result<Self, Refused> {
        if !mentions_secret(value.as_bytes()) {
            return Ok(Self::Plain(value.clone()));
        }
        let refused = |why: &str| Err(Refused::new(Kind::Secret, why));
        let Ok(mut rest) = value.to_str() else {
            return refused("a header with a placeholder has bytes that are not visible ASCII");
        };
        let mut pieces = Vec::new();
        while let Some((before, after)) = rest.split_once(OPEN) {
            let Some((name, after)) = after.split_once(CLOSE) else {
                return refused("a placeholder has no end; write `{{secret:NAME}}`");
            };
            let Some(name) = granted.iter().find(|granted| granted.as_str() == name) else {
                return refused("a header names a secret that the tool is not granted");
            };
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Secret(name.clone()));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self::Secret(pieces))
    }

    pub(crate) fn has_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }

    /// The value to send; secrets are read where this is their first use.
    pub(crate) async fn fill(&self, secrets: &Secrets) -> Result<HeaderValue, Refused> {
        let pieces = match self {
            Self::Plain(value) => return Ok(value.clone()),
            Self::Secret(pieces) => pieces,
        };
        let mut filled = zeroize::Zeroizing::new(Vec::new());
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.extend_from_slice(text.as_bytes()),
                Piece::Secret(name) => {
                    let value = secrets.value(name).await.map_err(|error| {
                        let problem = format!("the secret `{name}` cannot be used: {error}");
                        Refused::new(Kind::Secret, problem)
                    })?;
                    filled.extend_from_slice(value.bytes());
                }
            }
        }
        let mut value = HeaderValue::from_bytes(&filled).map_err(|_| {
            Refused::new(Kind::Secret, "a header with its secret is no header value")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Whether there is a placeholder, or what was meant to be one.
pub(crate) fn mentions_secret(bytes: &[u8]) -> bool {
    bytes
        .windows(OPEN.len())
        .any(|window| window == OPEN.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, Refused> {
        let granted = ["github", "a"].map(|name| name.parse().unwrap());
        Template::parse(&HeaderValue::from_str(text).unwrap(), &granted)
    }

    #[test]
    fn text_without_a_placeholder_is_taken_as_it_is() {
        for text in [
            "",
            "Bearer x",
            "{{github}}",
            "{secret:a}",
            "}}",
            "caf\u{e9}",
        ] {
            let template = parse(text).unwrap();
            assert!(matches!(template, Template::Plain(value) if value == *text));
        }
    }

    #[test]
    fn a_placeholder_is_whole_and_names_what_is_granted() {
        for (text, secrets) in [
            ("{{secret:a}}", 1),
            ("Bearer {{secret:github}}", 1),
            ("{{secret:a}}{{secret:a}}-{{secret:github}}}}", 3),
        ] {
            let Template::Secret(pieces) = parse(text).unwrap() else {
                panic!("{text}");
            };
            let is_secret = |piece: &&Piece| matches!(piece, Piece::Secret(_));
            assert_eq!(pieces.iter().filter(is_secret).count(), secrets, "{text}");
        }
        for text in [
            "{{secret:b}}",
            "{{secret:A}}",
            "{{secret:}}",
            "{{secret:a",
            "{{secret:a}",
            "{{secret:a}} {{secret:",
            "{{secret:a}} caf\u{e9}",
        ] {
            assert_eq!(parse(text).unwrap_err().kind, Kind::Secret, "{text}");
        }
    }
}
