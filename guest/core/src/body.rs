//! A JSON object in the making: it borrows what it says and is written once, in canonical form.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Number, Value};

use crate::json;

/// A JSON object that leaves out what says nothing.
#[derive(Default)]
pub(crate) struct Body<'a> {
    // INVARIANT: ordered by name, without duplicates. The names are our own, in ASCII, so their order
    // is the canonical one.
    members: Vec<(&'static str, Part<'a>)>,
}

/// The value of a member.
pub(crate) enum Part<'a> {
    Text(&'a str),
    Value(Value),
    Object(&'a Map<String, Value>),
    Texts(&'a [String]),
    /// The last tools that a session called, and after them the one of this call.
    History(&'a [String], &'a str),
    Body(Body<'a>),
}

impl<'a> Body<'a> {
    /// Sets a member, in the place of one that has the name.
    pub(crate) fn set(&mut self, name: &'static str, part: impl Into<Part<'a>>) {
        self.put(name, part.into());
    }

    fn put(&mut self, name: &'static str, part: Part<'a>) {
        let at = self.members.iter().position(|(known, _)| *known >= name);
        let at = at.unwrap_or(self.members.len());
        match self.members.get_mut(at) {
            Some((known, old)) if *known == name => *old = part,
            _ => self.members.insert(at, (name, part)),
        }
    }

    /// Sets a member unless there is no text to set.
    pub(crate) fn set_text(&mut self, name: &'static str, text: Option<&'a str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.put(name, Part::Text(text));
        }
    }

    /// Sets a member unless the object is empty.
    pub(crate) fn set_object(&mut self, name: &'static str, members: Map<String, Value>) {
        if !members.is_empty() {
            self.put(name, Part::Value(Value::Object(members)));
        }
    }

    /// Sets a member unless the list is empty.
    pub(crate) fn set_list(&mut self, name: &'static str, items: &'a [String]) {
        if !items.is_empty() {
            self.put(name, Part::Texts(items));
        }
    }

    /// The text of it (RFC 8785).
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let mut separator = '{';
        for (name, part) in &self.members {
            out.push(separator);
            separator = ',';
            json::write_string(out, name);
            out.push(':');
            part.write(out);
        }
        out.push_str(if self.members.is_empty() { "{}" } else { "}" });
    }
}

impl Part<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => json::write_string(out, text),
            Self::Value(value) => json::write_value(out, value),
            Self::Object(members) => json::write_object(out, members),
            Self::Texts(texts) => write_texts(out, texts, None),
            Self::History(before, last) => write_texts(out, before, Some(last)),
            Self::Body(body) => body.write(out),
        }
    }
}

fn write_texts(out: &mut String, texts: &[String], last: Option<&str>) {
    let mut separator = '[';
    for text in texts.iter().map(String::as_str).chain(last) {
        out.push(separator);
        separator = ',';
        json::write_string(out, text);
    }
    out.push_str(if separator == '[' { "[]" } else { "]" });
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
