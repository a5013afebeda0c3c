//! Renders texts for readers outside the company, without what is internal.

mod render;

wit_bindgen::generate!({ path: "wit", world: "exporter" });
include!(concat!(env!("OUT_DIR"), "/package_docs.rs"));

struct Exporter;

impl Guest for Exporter {
    fn export_text(title: String, body: String, format: Format, include_internal: bool) -> String {
        let lines: Vec<&str> = body
            .lines()
            .filter(|line| include_internal || !line.trim_start().starts_with("[internal]"))
            .collect();
        match format {
            Format::Markdown => render::markdown(&title, &lines),
            Format::Html => render::html(&title, &lines),
            Format::Plain => render::plain(&title, &lines),
        }
    }
}

export!(Exporter);
