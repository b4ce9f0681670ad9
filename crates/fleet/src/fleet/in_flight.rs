//! How many calls wait for their answer at the same time, over all accounts and regions.
//!
//! Each account and region has a quota of its own and is asked beside the others, and each call has a socket:
//! with hundreds of places there are soon more than a process may have open, which is 1,024 files on Linux and
//! 256 on macOS where nobody changed it.

use std::sync::LazyLock;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{Semaphore, SemaphorePermit};

/// More than this is of no use: a machine's processors are busy then, and each connection keeps a buffer of a tenth
/// of a megabyte.
const MOST: usize = 128;
const LEAST: usize = 16;

static CALLS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(most()));

/// How many they may be.
pub(super) fn most() -> usize {
    let open = getrlimit(Resource::Nofile).current;
    let open = open.map_or(usize::MAX, |open| {
        usize::try_from(open).unwrap_or(usize::MAX)
    });
    // A call may open a second connection while it waits for one that is in use; the rest is for files.
    (open / 4).clamp(LEAST, MOST)
}

/// As how many calls one counts that is answered with a page of functions and all of their variables: a tenth
/// of a megabyte, and several times that while it is read.
pub(super) const PAGE: u32 = 4;

/// Waits until a call may be made; it counts until what this gives back is dropped.
pub(crate) async fn permit() -> Option<SemaphorePermit<'static>> {
    permit_as(1).await
}

/// The same for a call that counts as several.
pub(super) async fn permit_as(calls: u32) -> Option<SemaphorePermit<'static>> {
    CALLS.acquire_many(calls).await.ok()
}
