//! Shows whether it ran: a tool has no file and no network to leave a trace in, so one function
//! returns a text that nothing else contains, and the other one never returns.

wit_bindgen::generate!({ path: "wit", world: "canary" });

struct Canary;

impl Guest for Canary {
    fn sing(note: String) -> String {
        format!("canary-sang-41c7f0:{note}")
    }

    fn tarpit(_note: String) -> String {
        loop {
            std::hint::black_box(());
        }
    }
}

export!(Canary);
