//! Imports what no host offers, so it has to be refused before it runs.

wit_bindgen::generate!({ path: "wit", world: "needy" });

struct Needy;

impl Guest for Needy {
    fn ask(key: String) -> String {
        test::needy::nowhere::look_up(&key)
    }
}

export!(Needy);
