//! The one way by which a tool's requests leave the process.
