//! A JSON object in the making: it borrows what it says and is written once, in canonical form.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Number, Value};

use crate::{Out, write_object, write_string, write_value};

/// What most bodies fit into.
const USUAL_BYTES: usize = 2048;

/// A JSON object that leaves out what says nothing. The names of its members are in ASCII, without a
/// character that JSON escapes.
pub struct Body<'a> {
    // INVARIANT: ordered by name, without duplicates. In ASCII that order is the canonical one.
    members: Vec<(&'static str, Part<'a>)>,
}

/// The value of a member.
pub enum Part<'a> {
    /// A string.
    Text(&'a str),
    /// Any value.
    Value(Value),
    /// An object that somebody else keeps.
    Object(&'a Map<String, Value>),
    /// A list of strings.
    Texts(&'a [String]),
    /// The last tools that a session called, and after them the one of this call.
    History(&'a [String], &'a str),
    /// An object in the making.
    Body(Body<'a>),
}

impl Default for Body<'_> {
    /// One without members, and with room for as many as most have.
    fn default() -> Self {
        Self {
            members: Vec::with_capacity(24),
        }
    }
}

impl<'a> Body<'a> {
    /// Sets a member, in the place of one that has the name.
    pub fn set(&mut self, name: &'static str, part: impl Into<Part<'a>>) {
        self.put(name, part.into());
    }

    fn put(&mut self, name: &'static str, part: Part<'a>) {
        // Whoever sets them in order never looks further than the last one.
        let at = self.members.iter().rposition(|(known, _)| *known <= name);
        match at.and_then(|at| self.members.get_mut(at)) {
            Some((known, old)) if *known == name => *old = part,
            _ => self.members.insert(at.map_or(0, |at| at + 1), (name, part)),
        }
    }

    /// Sets a member unless there is no text to set.
    pub fn set_text(&mut self, name: &'static str, text: Option<&'a str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.put(name, Part::Text(text));
        }
    }

    /// Sets a member unless the object is empty.
    pub fn set_object(&mut self, name: &'static str, members: Map<String, Value>) {
        if !members.is_empty() {
            self.put(name, Part::Value(Value::Object(members)));
        }
    }

    /// Sets a member unless the list is empty.
    pub fn set_list(&mut self, name: &'static str, items: &'a [String]) {
        if !items.is_empty() {
            self.put(name, Part::Texts(items));
        }
    }

    /// The text of it (RFC 8785).
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut out = Out::with_capacity(USUAL_BYTES);
        self.write(&mut out);
        out.into_text()
    }

    fn write(&self, out: &mut Out) {
        let mut separator = b'{';
        for (name, part) in &self.members {
            out.byte(separator);
            separator = b',';
            // It has nothing to escape.
            out.byte(b'"');
            out.text(name);
            out.text("\":");
            part.write(out);
        }
        out.text(if self.members.is_empty() { "{}" } else { "}" });
    }
}

impl Part<'_> {
    fn write(&self, out: &mut Out) {
        match self {
            Self::Text(text) => write_string(out, text),
            Self::Value(value) => write_value(out, value),
            Self::Object(members) => write_object(out, members),
            Self::Texts(texts) => write_texts(out, texts, None),
            Self::History(before, last) => write_texts(out, before, Some(last)),
            Self::Body(body) => body.write(out),
        }
    }
}

fn write_texts(out: &mut Out, texts: &[String], last: Option<&str>) {
    let mut separator = b'[';
    for text in texts.iter().map(String::as_str).chain(last) {
        out.byte(separator);
        separator = b',';
        write_string(out, text);
    }
    out.text(if separator == b'[' { "[]" } else { "]" });
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [String]> for Part<'a> {
    fn from(texts: &'a [String]) -> Self {
        Self::Texts(texts)
    }
}

impl<'a> From<&'a Map<String, Value>> for Part<'a> {
    fn from(members: &'a Map<String, Value>) -> Self {
        Self::Object(members)
    }
}

impl<'a> From<Body<'a>> for Part<'a> {
    fn from(body: Body<'a>) -> Self {
        Self::Body(body)
    }
}

impl From<Value> for Part<'_> {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<u64> for Part<'_> {
    fn from(number: u64) -> Self {
        Self::Value(Value::Number(Number::from(number)))
    }
}
