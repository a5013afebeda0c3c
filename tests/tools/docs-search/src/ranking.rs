//! Ranks documents for a query by BM25 and picks the passage to show.

use crate::handbook::{DOCUMENTS, Document};

/// The usual constants: how soon repeating a word stops to count, and how much length counts.
const SATURATION: f64 = 1.2;
const LENGTH_WEIGHT: f64 = 0.75;
/// A word of the heading counts as much as so many in the text.
const TITLE_WEIGHT: usize = 3;

/// A document that matches, with its score and its best passage.
pub struct Ranked {
    pub document: &'static Document,
    pub score: f64,
    pub snippet: String,
}

/// The words of a text, in lower case; everything but letters and digits separates.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Every document that has one of `terms`, best first; equal scores in the order of their paths.
pub fn rank(terms: &[String]) -> Vec<Ranked> {
    let indexed: Vec<Vec<String>> = DOCUMENTS.iter().map(bag_of_words).collect();
    let total: usize = indexed.iter().map(Vec::len).sum();
    let average = total as f64 / indexed.len() as f64;

    let mut ranked: Vec<Ranked> = DOCUMENTS
        .iter()
        .zip(&indexed)
        .filter_map(|(document, bag)| {
            let score: f64 = terms
                .iter()
                .map(|term| {
                    let holders = indexed.iter().filter(|other| other.contains(term)).count();
                    weight(
                        count(bag, term),
                        bag.len() as f64 / average,
                        holders,
                        indexed.len(),
                    )
                })
                .sum();
            (score > 0.0).then(|| Ranked {
                document,
                // Three decimals are enough to tell, and the same on every machine.
                score: (score * 1000.0).round() / 1000.0,
                snippet: best_passage(document, terms),
            })
        })
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked
}

fn bag_of_words(document: &Document) -> Vec<String> {
    let title = words(document.title());
    let mut bag = words(document.text);
    for _ in 1..TITLE_WEIGHT {
        bag.extend(title.iter().cloned());
    }
    bag
}

fn count(bag: &[String], term: &str) -> usize {
    bag.iter().filter(|word| *word == term).count()
}

/// BM25 of one term in one document.
fn weight(occurrences: usize, relative_length: f64, holders: usize, documents: usize) -> f64 {
    let (occurrences, holders, documents) = (occurrences as f64, holders as f64, documents as f64);
    let rarity = (1.0 + (documents - holders + 0.5) / (holders + 0.5)).ln();
    let damped = occurrences + SATURATION * (1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * relative_length);
    rarity * occurrences * (SATURATION + 1.0) / damped
}

/// The paragraph with the most of the terms, on one line.
fn best_passage(document: &Document, terms: &[String]) -> String {
    let hits = |paragraph: &str| {
        let bag = words(paragraph);
        terms.iter().map(|term| count(&bag, term)).sum::<usize>()
    };
    let mut best = (0, "");
    for paragraph in document.paragraphs() {
        let found = hits(paragraph);
        if found > best.0 || best.1.is_empty() {
            best = (found, paragraph);
        }
    }
    best.1.split_whitespace().collect::<Vec<_>>().join(" ")
}
