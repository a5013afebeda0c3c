//! Finding secrets in bytes, in the forms in which programs write them, and taking them out.
//!
//! This is against accidents: a server that echoes a header, an error text that quotes one. A server
//! that wants to hand a secret on can always write it in a way that nobody foresees.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, BuildError};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use thoth_grants::SecretName;

use crate::secrets::Value;

mod view;

use view::{Symbol, View};

/// Finds every secret that it was made with: as it is, in base64 (both alphabets, at any place in a
/// longer text) and in hexadecimal; each of them plain, percent-encoded or escaped as in JSON.
#[derive(Default)]
pub(crate) struct Mask {
    automaton: Option<NFA>,
    forms: Vec<Form>,
    /// Bytes of the longest form.
    longest: usize,
}

/// One way to write one secret.
#[derive(Clone)]
struct Form {
    secret: SecretName,
    text: Vec<u8>,
    /// In base64 the character before and the one after may hold some bits of the secret.
    bits_before: bool,
    bits_after: bool,
}

/// A part of the input that is a secret.
struct Found<'a> {
    range: Range<usize>,
    secret: &'a SecretName,
}

impl Mask {
    /// The same with one more secret.
    ///
    /// # Errors
    ///
    /// Only if the secrets together are larger than the automaton can be.
    pub(crate) fn with(&self, secret: &SecretName, value: &Value) -> Result<Self, BuildError> {
        let mut forms = self.forms.clone();
        forms.extend(new_forms(secret, value.bytes()));
        Ok(Self {
            automaton: Some(NFA::new(forms.iter().map(|form| &form.text))?),
            longest: forms.iter().map(|form| form.text.len()).max().unwrap_or(0),
            forms,
        })
    }

    /// The bytes with `[secret:NAME]` in place of each secret; borrowed if there is none.
    pub(crate) fn apply<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(automaton) = &self.automaton else {
            return Cow::Borrowed(bytes);
        };
        let mut found: Vec<Found<'_>> = View::ALL
            .into_iter()
            .filter(|view| view.differs(bytes))
            .flat_map(|view| self.search(automaton, view, bytes))
            .collect();
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        found.sort_by_key(|found| found.range.start);
        let mut masked = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for Found { range, secret } in found {
            // Overlapping ones become one mark.
            if range.start >= done {
                masked.extend_from_slice(bytes.get(done..range.start).unwrap_or_default());
                masked.extend_from_slice(format!("[secret:{secret}]").as_bytes());
            }
            done = done.max(range.end);
        }
        masked.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Cow::Owned(masked)
    }

    fn search(&self, automaton: &NFA, view: View, bytes: &[u8]) -> Vec<Found<'_>> {
        let mut found: Vec<Found<'_>> = Vec::new();
        let Ok(start) = automaton.start_state(Anchored::No) else {
            return found;
        };
        let mut state = start;
        // The latest symbols, as many as the longest form has, and one more.
        let mut recent: VecDeque<Symbol> = VecDeque::with_capacity(self.longest + 1);
        let mut bits_follow = false;
        for symbol in view.symbols(bytes) {
            if bits_follow && symbol.is_base64() {
                // All that ended at the last symbol go on to this one.
                if let Some(last) = found.last_mut() {
                    last.range.end = symbol.range.end;
                }
            }
            if recent.len() > self.longest {
                recent.pop_front();
            }
            state = automaton.next_state(Anchored::No, state, symbol.byte);
            let end = symbol.range.end;
            recent.push_back(symbol);
            bits_follow = false;
            for form in self.matches(automaton, state) {
                bits_follow |= form.bits_after;
                let first = recent.len().saturating_sub(form.text.len());
                let before = first
                    .checked_sub(1)
                    .and_then(|before| recent.get(before))
                    .filter(|before| form.bits_before && before.is_base64());
                let begin = before.or(recent.get(first));
                let begin = begin.map_or(end, |symbol| symbol.range.start);
                push(&mut found, begin..end, &form.secret);
            }
        }
        found
    }

    fn matches(&self, automaton: &NFA, state: StateID) -> impl Iterator<Item = &Form> {
        let count = match automaton.is_match(state) {
            true => automaton.match_len(state),
            false => 0,
        };
        (0..count)
            .map(move |index| automaton.match_pattern(state, index))
            .filter_map(|pattern| self.forms.get(pattern.as_usize()))
    }
}

/// Adds what was found, as one with what it overlaps and by the name of the first. Ends only grow.
fn push<'a>(found: &mut Vec<Found<'a>>, mut range: Range<usize>, mut secret: &'a SecretName) {
    while let Some(last) = found.pop_if(|last| last.range.end > range.start) {
        if last.range.start <= range.start {
            (range.start, secret) = (last.range.start, last.secret);
        }
        range.end = range.end.max(last.range.end);
    }
    found.push(Found { range, secret });
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask(..)")
    }
}

fn new_forms(secret: &SecretName, value: &[u8]) -> Vec<Form> {
    let plain = |text: Vec<u8>| Form {
        secret: secret.clone(),
        text,
        bits_before: false,
        bits_after: false,
    };
    let hex = |digits: fn(&u8) -> String| value.iter().map(digits).collect::<String>();
    let mut forms = vec![
        plain(value.to_vec()),
        plain(hex(|byte| format!("{byte:02x}")).into_bytes()),
        plain(hex(|byte| format!("{byte:02X}")).into_bytes()),
    ];
    for alphabet in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let text = alphabet.encode([vec![0; before], value.to_vec()].concat());
            // Characters that hold bits of what stands before, and all whose bits are the secret's.
            let (first, last) = ((before * 8).div_ceil(6), (before + value.len()) * 8 / 6);
            let whole = text.as_bytes().get(first..last).unwrap_or_default();
            forms.push(Form {
                bits_before: before > 0,
                bits_after: !(before + value.len()).is_multiple_of(3),
                ..plain(whole.to_vec())
            });
        }
    }
    forms
}

#[cfg(test)]
mod tests;
