//! From batches to bytes: the line that primary and archive share, its framings, and gzip.

pub mod archive;
mod gzip;
mod line;

pub use gzip::{gunzip, gzip};
pub use line::{LineEncoder, Resource};
