//! JSON as text: values are read where they stand ([`Json`]), checked ([`Scanner`]), taken apart ([`tokens`]), and
//! texts and whole numbers are written ([`write_string`], [`Decimal`]). No copy of what has no escapes. Also what ids
//! are made of ([`Fnv`], [`is_uuid`], [`unhex`], [`lower_hex`]).
//!
//! A crate of its own because every record passes through it, and the layer compiles it for speed. It is a leaf: it
//! must not know what a record is.

mod escape;
mod ids;
mod lanes;
mod read;
mod scan;
mod scanner;
mod tokens;
mod write;

pub use escape::{Escape, UNIT, escape, repair_surrogates, unit};
pub use ids::{Fnv, hex, is_hex, is_uuid, lower_hex, push_unhexed, unhex};
pub use read::{Items, Json, Members};
pub use scan::{number_end, space, string_end};
pub use scanner::{MOST_DEPTH, NotJson, Scanner, is_json};
pub use tokens::{Token, tokens};
pub use write::{Decimal, push_string, write_string};
