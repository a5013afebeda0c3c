//! Shows whether it ran, as `canary` does, and has an error to return, so that a caller in any host can
//! read why it did not.

wit_bindgen::generate!({ path: "wit", world: "choir" });

struct Choir;

impl Guest for Choir {
    fn sing(note: String) -> Result<String, String> {
        Ok(format!("choir-sang-5b21e9:{note}"))
    }
}

export!(Choir);
