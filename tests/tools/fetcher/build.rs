//! Puts the documentation of the WIT into the component.

fn main() {
    wit_docs::write();
}
