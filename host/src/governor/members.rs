//! Where the members of a JSON object stand in its canonical text, without reading their values.
//!
//! An event is written once, by the governor, and then only added to. To parse and write it again for
//! that costs more than the governor took to write it.

use std::ops::Range;

use memchr::memchr2;

/// A member of an object: its name as it is written, and where its value is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) value: Range<usize>,
}

/// An event as a governor of ours writes it: its members, and those of its `metadata`.
pub(super) struct Written<'a> {
    body: &'a str,
    members: Vec<Member<'a>>,
    /// Where it is in the body.
    pub(super) metadata: Range<usize>,
    /// Their places are in the metadata.
    pub(super) notes: Vec<Member<'a>>,
}

impl<'a> Written<'a> {
    /// `None` for a text that no governor of ours writes.
    pub(super) fn read(body: &'a str) -> Option<Self> {
        let members = members(body)?;
        let metadata = find(&members, "metadata")?.value.clone();
        let notes = self::members(body.get(metadata.clone())?)?;
        Some(Self {
            body,
            members,
            metadata,
            notes,
        })
    }

    /// The text of a member's value.
    pub(super) fn member(&self, name: &str) -> Option<&'a str> {
        self.body.get(find(&self.members, name)?.value.clone())
    }

    /// The text of the value of a member of the metadata.
    pub(super) fn noted(&self, name: &str) -> Option<&'a str> {
        let value = find(&self.notes, name)?.value.clone();
        self.body.get(self.metadata.clone())?.get(value)
    }
}

fn find<'a, 'b>(members: &'b [Member<'a>], name: &str) -> Option<&'b Member<'a>> {
    members.iter().find(|member| member.name == name)
}

/// The members of an object that is the whole text. `None` unless its own form is the canonical one, as
/// far as its members go: no blanks around them, names without escapes, in ascending order and so none
/// of them twice. The values are taken on trust, but for where they end.
fn members(text: &str) -> Option<Vec<Member<'_>>> {
    let bytes = text.as_bytes();
    let mut members: Vec<Member<'_>> = Vec::new();
    let mut at = after(bytes, 0, b'{')?;
    if bytes.get(at) == Some(&b'}') {
        return (at + 1 == bytes.len()).then_some(members);
    }
    loop {
        let end = string(bytes, at)?;
        let name = text.get(at + 1..end - 1)?;
        let is_next = members.last().is_none_or(|last| last.name < name);
        if name.contains('\\') || !is_next {
            return None;
        }
        let start = after(bytes, end, b':')?;
        let end = value(bytes, start)?;
        members.push(Member {
            name,
            value: start..end,
        });
        match bytes.get(end)? {
            b',' => at = end + 1,
            b'}' => return (end + 1 == bytes.len()).then_some(members),
            _ => return None,
        }
    }
}

fn after(bytes: &[u8], at: usize, expected: u8) -> Option<usize> {
    (*bytes.get(at)? == expected).then_some(at + 1)
}

/// The end of the string that begins here.
fn string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = after(bytes, at, b'"')?;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The end of the value that begins here.
fn value(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at = string(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b',' | b'}' | b']' if depth == 0 => return (at > start).then_some(at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Vec<(&str, &str)>> {
        let found = members(text)?;
        Some(
            found
                .into_iter()
                .map(|member| (member.name, &text[member.value]))
                .collect(),
        )
    }

    #[test]
    fn members_are_found_whatever_their_values_hold() {
        assert_eq!(found("{}"), Some(vec![]));
        let text = r#"{"a":"},\"b\":\\","b":[{"a":[1,"]"]},{}],"c":-1e5,"é":{"x":{}}}"#;
        assert_eq!(
            found(text),
            Some(vec![
                ("a", r#""},\"b\":\\""#),
                ("b", r#"[{"a":[1,"]"]},{}]"#),
                ("c", "-1e5"),
                ("é", r#"{"x":{}}"#),
            ])
        );
    }

    #[test]
    fn what_is_not_in_canonical_form_is_not_taken_apart() {
        for text in [
            "",
            "7",
            "[]",
            "{",
            r#"{"a":1"#,
            r#"{"a":1}}"#,
            r#"{"a":1} "#,
            r#"{ "a":1}"#,
            r#"{"a" :1}"#,
            r#"{"a":}"#,
            r#"{"a":"1}"#,
            r#"{"a":"1\"#,
            r#"{"a":[1}"#,
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0062":2}"#,
            r#"{"a":1,}"#,
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
