//! What must hold of every input that comes from outside, as one function an input: bytes in, a
//! panic where something does not hold.
//!
//! The fuzz targets (`fuzz/fuzz_targets`) call these with what libFuzzer makes up; `tests/corpus.rs`
//! calls them with the committed corpora, on stable and with every `cargo test`.
//!
//! To add one: a module here, its line in [`CHECKS`], a target of the same name, seeds in
//! `fuzz/corpus/NAME`.
//!
//! Must not: hold a state that makes the outcome of an input depend on those before it.

mod archive;
mod config;
mod decode;
mod deflate;
mod otlp;
mod records;
mod responses;
mod secret;
mod settings;
mod spool;

pub use archive::archive;
pub use config::config;
pub use decode::decode;
pub use deflate::deflate;
pub use otlp::otlp;
pub use responses::responses;
pub use secret::secret;
pub use settings::settings;
pub use spool::spool;

/// A check: panics where the input shows a fault.
pub type Check = fn(&[u8]);

/// Every check, under the name of its target and its corpus.
pub const CHECKS: &[(&str, Check)] = &[
    ("archive", archive),
    ("config", config),
    ("decode", decode),
    ("deflate", deflate),
    ("otlp", otlp),
    ("responses", responses),
    ("secret", secret),
    ("settings", settings),
    ("spool", spool),
];
