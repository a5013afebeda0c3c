//! Does to files whatever its caller says: a hostile guest is one that says the wrong things.

mod raw;
mod standard;

wit_bindgen::generate!({ path: "wit", world: "prober" });

struct Prober;

impl Guest for Prober {
    fn run(steps: Vec<Vec<String>>) -> Vec<String> {
        steps
            .iter()
            .map(|step| {
                let step: Vec<&str> = step.iter().map(String::as_str).collect();
                match standard::step(&step).unwrap_or_else(|| raw::step(&step)) {
                    Ok(text) if text.is_empty() => "ok".to_owned(),
                    Ok(text) => format!("ok: {text}"),
                    Err(code) => code,
                }
            })
            .collect()
    }
}

export!(Prober);
