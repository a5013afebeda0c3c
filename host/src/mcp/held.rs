//! Calls that wait for a human between two requests of a client, and the sealed state by which it comes
//! back to one.
//!
//! The state names a call and is worth nothing by itself: what is kept here is the hold, and the policy
//! service's record of that is the authority.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{RequestStateCodec, SealOptions};
use tokio::time::Instant;

use crate::calling::Held;
use crate::error::Error;

/// Calls that are held at once, or were and nobody has come back. Past that, the one whose time is over first
/// is forgotten.
const HELD_MAX: usize = 1_024;

/// What a hold is for: principal, session, tool, component and arguments. Two calls that agree in all of
/// it are one call.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Binding(String);

impl Binding {
    pub(super) fn new(parts: [&str; 5]) -> Self {
        // JSON keeps the parts apart, whatever is in them.
        let parts = serde_json::Value::from(parts.as_slice());
        Self(thoth_core::json::digest(&parts.to_string()))
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding")
    }
}

/// The holds of one server.
#[derive(Debug, Clone)]
pub(super) struct Holds {
    /// Its key is made for this process, so a state does not outlive it.
    codec: RequestStateCodec,
    kept: Arc<Mutex<HashMap<String, Kept>>>,
}

#[derive(Debug)]
struct Kept {
    held: Held,
    binding: Binding,
}

impl Holds {
    pub(super) fn new() -> Result<Self, Error> {
        let mut key = vec![0; 32];
        let failed = |why: String| Error::Setting {
            what: "a key for request states".into(),
            why,
        };
        getrandom::fill(&mut key).map_err(|error| failed(error.to_string()))?;
        let codec = RequestStateCodec::try_new(key).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            codec,
            kept: Arc::default(),
        })
    }

    /// Keeps a hold until somebody comes back to it.
    fn keep(&self, held: Held, binding: Binding) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= HELD_MAX {
            let first = kept.iter().min_by_key(|(_, kept)| kept.held.expires());
            if let Some(id) = first.map(|(id, _)| id.clone()) {
                kept.remove(&id);
            }
        }
        kept.insert(held.call_id().to_owned(), Kept { held, binding });
    }

    fn seal(&self, held: &Held, binding: &Binding) -> String {
        let left = held.expires().saturating_duration_since(Instant::now());
        let options = SealOptions::new()
            .associated_data(binding.0.as_bytes())
            .ttl(left);
        self.codec.seal_with(held.call_id().as_bytes(), &options)
    }

    /// Takes the holds of the same call whose time was over before anybody came back.
    pub(super) fn expired(&self, binding: &Binding) -> Vec<Held> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let over = kept.extract_if(|_, kept| {
            kept.binding == *binding && kept.held.expires() <= now && !kept.held.is_taken()
        });
        over.map(|(_, kept)| kept.held).collect()
    }

    /// The hold that a state is for, if it is this call's and nobody else is at it.
    pub(super) fn open(&self, state: &str, binding: &Binding) -> Option<Claim> {
        let opened = self.codec.open_with(state, binding.0.as_bytes()).ok()?;
        let id = String::from_utf8(opened).ok()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&id).is_some_and(|kept| kept.binding == *binding);
        let kept = found.then(|| kept.remove(&id)).flatten()?;
        self.claimed(kept)
    }

    /// The hold of the same call, if there is one and nobody else is at it.
    pub(super) fn of_same_call(&self, binding: &Binding) -> Option<Claim> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = kept.iter().find(|(_, kept)| kept.binding == *binding);
        let id = same.map(|(id, _)| id.clone())?;
        let kept = kept.remove(&id)?;
        self.claimed(kept)
    }

    /// Whether there is any hold at all.
    pub(super) fn is_empty(&self) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.is_empty()
    }

    /// A hold that is new: it is kept if whoever is at it gives it up.
    pub(super) fn claim(&self, held: Held, binding: Binding) -> Claim {
        Claim {
            holds: self.clone(),
            kept: Some(Kept { held, binding }),
        }
    }

    fn claimed(&self, kept: Kept) -> Option<Claim> {
        let is_over = kept.held.is_taken() || kept.held.expires() <= Instant::now();
        (!is_over).then(|| self.claim(kept.held, kept.binding))
    }
}

/// A hold that somebody has come back to. It goes back to the others if that is given up before it ran.
#[derive(Debug)]
pub(super) struct Claim {
    holds: Holds,
    kept: Option<Kept>,
}

impl Claim {
    pub(super) fn held(&self) -> Option<&Held> {
        self.kept.as_ref().map(|kept| &kept.held)
    }

    /// The state by which a client comes back to it, for as long as the hold lasts.
    pub(super) fn seal(&self) -> Option<String> {
        let kept = self.kept.as_ref()?;
        Some(self.holds.seal(&kept.held, &kept.binding))
    }

    /// It was decided: nobody comes back to it.
    pub(super) fn done(mut self) {
        self.kept = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take()
            && !kept.held.is_taken()
        {
            self.holds.keep(kept.held, kept.binding);
        }
    }
}
