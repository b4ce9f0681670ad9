//! From batches to bytes: the line that primary and archive share, and gzip.

mod gzip;
mod item;
mod line;
mod output;

pub use backstop_deflate::gzip;
pub use gzip::gunzip;
pub(crate) use item::{Item, Source};
pub use line::{LineEncoder, Resource};
pub(crate) use line::{size_hint, write_line};
pub(crate) use output::{Output, Packing};
