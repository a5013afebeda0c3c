//! The world `fetcher` in Rust: files by the standard library, requests by `wasi:http`.

mod http;

use std::fs;

wit_bindgen::generate!({ path: "wit", world: "fetcher" });
include!(concat!(env!("OUT_DIR"), "/package_docs.rs"));

struct Fetcher;

impl Guest for Fetcher {
    fn fetch_json(url: String) -> Result<String, String> {
        let (status, body) = http::get(&url)?;
        if status != 200 {
            return Err(format!("status {status} from {url}"));
        }
        let document: serde_json::Value =
            serde_json::from_slice(&body).map_err(|error| format!("not JSON: {error}"))?;
        Ok(document.to_string())
    }

    fn list_folder(path: String) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut names = Vec::new();
        for entry in entries.map_err(|error| format!("{path}: {error}"))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            names.push(if folder { format!("{name}/") } else { name });
        }
        names.sort();
        Ok(names)
    }

    fn read_text(path: String) -> Result<String, String> {
        let bytes = fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
        String::from_utf8(bytes).map_err(|_| format!("{path}: not UTF-8 text"))
    }

    fn transform(text: String, style: Style) -> String {
        match style {
            Style::Upper => text.to_uppercase(),
            Style::Title => text
                .split_inclusive(char::is_whitespace)
                .map(title)
                .collect(),
            Style::Slug => {
                let text = text.to_lowercase();
                let words = text.split(|c: char| !c.is_ascii_alphanumeric());
                let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
                words.join("-")
            }
        }
    }
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + &letters.as_str().to_lowercase()
    })
}

export!(Fetcher);
