//! What is kept in S3 with promises: objects that are written on a condition, and locks.

mod bucket;
mod lock;

pub use bucket::{Bucket, Listed, Object, Only, Put};
pub use lock::{Held, Lock, RENEWED};
