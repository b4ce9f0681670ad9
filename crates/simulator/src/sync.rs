//! A lock that ignores poison.
//!
//! The state of a server here is counters and lists: after a panic elsewhere they are still worth reading,
//! and a second panic would only hide the first. Must not be held across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whatever happened to an earlier holder.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
