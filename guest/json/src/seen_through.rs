//! JSON that is seen through in one pass, without building its value: what is written canonically is.
//!
//! What this takes, the reader takes as well. What it does not take says nothing: ask the reader.

use serde_json::Value;

use crate::MAX_DEPTH;
use crate::reader::Reader;

impl Reader<'_> {
    /// The type of the one value that the text is, where each object's names are without escapes and
    /// ascend, so that none of them comes twice.
    pub(crate) fn seen_through(mut self) -> Option<&'static str> {
        let kind = match self.next_token()? {
            b'{' => "object",
            b'[' => "array",
            b'"' => "string",
            b't' | b'f' => "boolean",
            b'n' => "null",
            _ => "number",
        };
        (self.pass_value() && self.next_token().is_none()).then_some(kind)
    }

    fn pass_value(&mut self) -> bool {
        match self.next_token() {
            Some(b'{') => self.pass_nested(Self::pass_object),
            Some(b'[') => self.pass_nested(Self::pass_array),
            Some(b'"') => self.pass_string(),
            Some(b'-' | b'0'..=b'9') => self.number().is_ok(),
            Some(b't') => self.word("true", Value::Null).is_ok(),
            Some(b'f') => self.word("false", Value::Null).is_ok(),
            Some(b'n') => self.word("null", Value::Null).is_ok(),
            _ => false,
        }
    }

    fn pass_nested(&mut self, pass: fn(&mut Self) -> bool) -> bool {
        // INVARIANT: bounds the recursion.
        if self.depth == MAX_DEPTH {
            return false;
        }
        self.at += 1;
        self.depth += 1;
        let passed = pass(self);
        self.depth -= 1;
        passed
    }

    fn pass_object(&mut self) -> bool {
        if self.skip(b'}') {
            return true;
        }
        let mut last: Option<&str> = None;
        loop {
            if self.next_token() != Some(b'"') {
                return false;
            }
            self.at += 1;
            let name = self.plain();
            self.at += name.len();
            if !self.take(b'"') || last.is_some_and(|last| last >= name) {
                return false;
            }
            last = Some(name);
            if !self.skip(b':') || !self.pass_value() {
                return false;
            }
            if self.skip(b'}') {
                return true;
            }
            if !self.skip(b',') {
                return false;
            }
        }
    }

    fn pass_array(&mut self) -> bool {
        if self.skip(b']') {
            return true;
        }
        loop {
            if !self.pass_value() {
                return false;
            }
            if self.skip(b']') {
                return true;
            }
            if !self.skip(b',') {
                return false;
            }
        }
    }

    fn pass_string(&mut self) -> bool {
        self.at += 1;
        loop {
            self.at += self.plain().len();
            if self.take(b'"') {
                return true;
            }
            if !self.take(b'\\') || self.escape().is_err() {
                return false;
            }
        }
    }
}
