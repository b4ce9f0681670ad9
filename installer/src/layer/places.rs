//! Runs the same work in many places in parallel.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use crate::fleet::{Fleet, Place, Site};

/// Places in parallel: each has its own quota, and holds a zip in memory.
const AT_ONCE: usize = 8;

/// Called when a place is done.
pub type Done<'a> = &'a (dyn Fn(&Place) + Sync);

/// Works in every place; what came of it is in the order of the places.
pub(super) async fn each<T, F>(
    fleet: &Fleet,
    done: Done<'_>,
    work: impl Fn(Arc<Site>) -> F,
) -> Vec<T>
where
    F: Future<Output = T>,
{
    let sites = fleet.sites.values().cloned();
    stream::iter(sites.map(|site| {
        let work = work(Arc::clone(&site));
        async move {
            let result = work.await;
            done(&site.place);
            result
        }
    }))
    .buffered(AT_ONCE)
    .collect()
    .await
}
