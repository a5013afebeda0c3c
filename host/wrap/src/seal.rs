//! What a wrapped component says about itself, and whether that is so.
//!
//! A seal is no signature: whoever can write the file can write a seal. So [`verify`] does not take its
//! word. It takes the parts out, puts them together again as `wrap` does, and compares every byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasm_encoder::{ComponentSection as _, CustomSection, Encode as _};
use wasmparser::{Parser, Payload};

use crate::denial::{Answer, ErrorMap};
use crate::http::{INCOMING, Kind};
use crate::surface::Surface;
use crate::{ADAPTER, Options, front, wrap};

/// The name of the custom section.
const SECTION: &str = "thoth:wrap";

/// The form of the seal.
const VERSION: u32 = 1;

/// How large a seal may be, in bytes.
const SIZE: usize = 1 << 20;

/// A part of a wrapped component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256, in lower-case hex.
    pub sha256: String,
    /// How large it is.
    pub bytes: u64,
}

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            sha256,
            bytes: bytes.len() as u64,
        }
    }
}

/// What a wrapped component says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    version: u32,
    /// The version of Thoth that wrapped it.
    pub thoth: String,
    /// The component inside, as it was.
    pub component: Digest,
    /// The governor inside.
    pub governor: Digest,
    /// The core module that the adapter was made from; none in front of an HTTP service.
    pub adapter: Option<Digest>,
    /// How requests are governed; none where functions are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<Front>,
    /// Everything before the seal.
    content: Digest,
    /// Names of the environment that the component sees.
    pub keep_env: Vec<String>,
    /// What functions return when they are refused, by their export. The others trap.
    pub refusals: BTreeMap<String, Refusal>,
}

/// How the requests of an HTTP service are governed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Front {
    /// What they are to the governor.
    pub kind: Kind,
    /// The component with the requests that are handed on.
    pub incoming: Digest,
}

/// What a function returns when it is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The error, in which `{refusal}` stands for the refusal; null where the error has no value.
    pub error: serde_json::Value,
}

/// Whether a wrapped component is what `wrap` made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// It is, to the byte: the component inside is reached through the governor and in no other way.
    Intact,
    /// It is not; what differs.
    Altered(String),
    /// Another version of Thoth made it, so it cannot be made again here. It is as the seal says.
    Unverified(String),
}

impl Seal {
    pub(crate) fn new(
        content: &[u8],
        component: &[u8],
        governor: &[u8],
        options: &Options,
        refusals: BTreeMap<String, Refusal>,
    ) -> Self {
        Self {
            version: VERSION,
            thoth: env!("CARGO_PKG_VERSION").to_owned(),
            component: Digest::of(component),
            governor: Digest::of(governor),
            adapter: Some(Digest::of(ADAPTER)),
            front: None,
            content: Digest::of(content),
            keep_env: options.keep_env.clone(),
            refusals,
        }
    }

    pub(crate) fn of_service(
        content: &[u8],
        service: &[u8],
        governor: &[u8],
        options: &Options,
        front: Front,
    ) -> Self {
        Self {
            adapter: None,
            front: Some(front),
            ..Self::new(content, service, governor, options, BTreeMap::new())
        }
    }

    /// The map that leads to these refusals.
    fn answers(&self, component: &[u8]) -> ErrorMap {
        let functions = Surface::of(component).map(|surface| surface.functions);
        let exports = functions.into_iter().flatten();
        let answers = exports.map(|function| {
            let export = function.export.to_string();
            let answer = match self.refusals.get(&export).map(|refusal| &refusal.error) {
                None => Answer::Trap,
                Some(serde_json::Value::Null) => Answer::Bare,
                Some(error) => Answer::Error(error.clone()),
            };
            (export, answer)
        });
        answers.collect()
    }

    /// Puts the seal behind a component.
    pub(crate) fn append(&self, component: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let section = CustomSection {
            name: SECTION.into(),
            data: serde_json::to_vec(self)?.into(),
        };
        component.push(section.id());
        section.encode(component);
        Ok(())
    }
}

/// The seal of a wrapped component; `None` where it was not wrapped. A seal that cannot be read counts
/// as an alteration.
///
/// # Errors
/// What is wrong with the seal.
pub fn seal(component: &[u8]) -> Option<Result<Seal, String>> {
    find(component).map(|(_, data)| read(data))
}

/// Whether a wrapped component is intact, seen against the governor that this Thoth carries.
///
/// # Errors
/// As [`seal`].
#[must_use]
pub fn verify(wrapped: &[u8], seal: &Seal) -> Integrity {
    let altered = |what: &str| Integrity::Altered(what.to_owned());
    let Some((start, _)) = find(wrapped) else {
        return altered("it has no seal");
    };
    let content = wrapped.get(..start).unwrap_or_default();
    if Digest::of(content) != seal.content {
        return altered("its bytes are not those that were sealed");
    }
    let parts = parts(content);
    let part = |digest: &Digest| parts.iter().find(|part| Digest::of(part) == *digest);
    let Some(component) = part(&seal.component) else {
        return altered("the component that was sealed is not in it");
    };
    let Some(governor) = part(&seal.governor) else {
        return altered("the governor that was sealed is not in it");
    };
    let is_known = match (&seal.adapter, &seal.front) {
        (Some(adapter), None) => *adapter == Digest::of(ADAPTER),
        (None, Some(front)) => front.incoming == Digest::of(INCOMING),
        (Some(_), Some(_)) | (None, None) => false,
    };
    if !is_known {
        return Integrity::Unverified(format!(
            "Thoth {} wrapped it, and only that can make it again",
            seal.thoth
        ));
    }
    let mut options = Options {
        errors: ErrorMap::new(),
        keep_env: seal.keep_env.clone(),
    };
    let again = match &seal.front {
        Some(by) => front(component, governor, by.kind, &options).map(|again| again.bytes),
        None => {
            options.errors = seal.answers(component);
            wrap(component, governor, &options).map(|again| again.bytes)
        }
    };
    match again {
        Ok(again) if again == wrapped => Integrity::Intact,
        Ok(_) => altered("its parts, put together again, are another component"),
        Err(error) => {
            Integrity::Altered(format!("its parts cannot be put together again: {error}"))
        }
    }
}

/// The last seal: where it begins, and what is in it. What comes behind it was not sealed.
fn find(component: &[u8]) -> Option<(usize, &[u8])> {
    let mut start = 8;
    let mut depth = 0;
    let mut found = None;
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) if depth == 1 => {
                if section.name() == SECTION {
                    found = Some((start, section.data()));
                }
                start = section.range().end;
            }
            payload if depth == 1 => {
                if let Some((_, range)) = payload.as_section() {
                    start = range.end;
                }
            }
            _ => {}
        }
    }
    let (start, data) = found?;
    Some((usize::try_from(start).ok()?, data))
}

fn read(data: &[u8]) -> Result<Seal, String> {
    if data.len() > SIZE {
        return Err(format!("its seal is longer than {SIZE} bytes"));
    }
    let seal: Seal = serde_json::from_slice(data)
        .map_err(|error| format!("its seal cannot be read: {error}"))?;
    match seal.version {
        VERSION => Ok(seal),
        other => Err(format!(
            "its seal has the form {other}, which is not known here"
        )),
    }
}

/// The components that are directly inside.
fn parts(component: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth -= 1,
            Ok(Payload::ComponentSection {
                unchecked_range: range,
                ..
            }) if depth == 1 => {
                let part = component.get(range.start as usize..range.end as usize);
                parts.extend(part);
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    parts
}
