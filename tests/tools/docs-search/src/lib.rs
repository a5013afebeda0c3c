//! Full-text search over a company handbook that is packed into the component.

mod handbook;
mod ranking;

use handbook::DOCUMENTS;

wit_bindgen::generate!({ path: "wit", world: "docs-search" });
include!(concat!(env!("OUT_DIR"), "/package_docs.rs"));

const DEFAULT_LIMIT: u32 = 5;
const MAX_LIMIT: u32 = 20;

struct Handbook;

impl Guest for Handbook {
    fn search_docs(query: String, limit: Option<u32>) -> Result<Vec<Hit>, String> {
        let terms = ranking::words(&query);
        if terms.is_empty() {
            return Err("the query has no word to look for".to_owned());
        }
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(format!("limit is {limit}; it must be 1 to {MAX_LIMIT}"));
        }
        let hits = ranking::rank(&terms).into_iter().take(limit as usize);
        Ok(hits
            .map(|ranked| Hit {
                path: ranked.document.path.to_owned(),
                title: ranked.document.title().to_owned(),
                score: ranked.score,
                snippet: ranked.snippet,
            })
            .collect())
    }

    fn read_doc(path: String) -> Result<String, String> {
        let found = DOCUMENTS.iter().find(|document| document.path == path);
        found
            .map(|document| document.text.to_owned())
            .ok_or_else(|| {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let near: Vec<&str> = DOCUMENTS
                    .iter()
                    .map(|document| document.path)
                    .filter(|known| known.rsplit_once('/').map_or("", |(other, _)| other) == folder)
                    .collect();
                format!(
                    "there is no document `{path}`; there are: {}",
                    near.join(", ")
                )
            })
    }
}

export!(Handbook);
