//! JSON as text: values are read where they stand ([`Json`]), and texts and whole numbers are written
//! ([`write_string`], [`Decimal`]). No tree, no copy of what has no escapes.
//!
//! A crate of its own because every record passes through it, and the layer compiles it for speed. It is a leaf: it
//! must not know what a record is.

mod read;
mod write;

pub use read::{Items, Json, Members};
pub use write::{Decimal, write_string};
