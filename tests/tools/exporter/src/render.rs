//! Renders a small part of Markdown: headings, lists and paragraphs, one line each.

/// A line of the text and what it is.
enum Block<'a> {
    Heading(usize, &'a str),
    Item(&'a str),
    Paragraph(&'a str),
}

/// The text as Markdown, with the title as its first heading.
pub fn markdown(title: &str, lines: &[&str]) -> String {
    format!("# {title}\n\n{}\n", lines.join("\n").trim())
}

/// The text without its marks.
pub fn plain(title: &str, lines: &[&str]) -> String {
    let body: Vec<String> = lines
        .iter()
        .map(|line| match block(line) {
            Some(Block::Heading(_, text) | Block::Paragraph(text)) => text.to_owned(),
            Some(Block::Item(text)) => format!("- {text}"),
            None => String::new(),
        })
        .collect();
    format!("{title}\n\n{}\n", body.join("\n").trim())
}

/// The text as HTML; whatever the author wrote is text, never markup.
pub fn html(title: &str, lines: &[&str]) -> String {
    let mut out = format!("<h1>{}</h1>\n", escape(title));
    let mut in_list = false;
    for block in lines.iter().map(|line| block(line)) {
        let is_item = matches!(block, Some(Block::Item(_)));
        if is_item != in_list {
            out.push_str(if is_item { "<ul>\n" } else { "</ul>\n" });
            in_list = is_item;
        }
        match block {
            // The title has level 1, so the text's own headings start at 2.
            Some(Block::Heading(level, text)) => {
                let level = (level + 1).min(6);
                out.push_str(&format!("<h{level}>{}</h{level}>\n", escape(text)));
            }
            Some(Block::Item(text)) => out.push_str(&format!("<li>{}</li>\n", escape(text))),
            Some(Block::Paragraph(text)) => out.push_str(&format!("<p>{}</p>\n", escape(text))),
            None => {}
        }
    }
    if in_list {
        out.push_str("</ul>\n");
    }
    out
}

fn block(line: &str) -> Option<Block<'_>> {
    let line = line.trim();
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    match line {
        "" => None,
        _ if level > 0 && line[level..].starts_with(' ') => {
            Some(Block::Heading(level, line[level..].trim()))
        }
        _ => Some(
            line.strip_prefix("- ")
                .map_or(Block::Paragraph(line), Block::Item),
        ),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
