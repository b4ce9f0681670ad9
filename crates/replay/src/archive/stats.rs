//! What an archive holds, in numbers.

use std::sync::Arc;

use backstop_archive::{Filter, Line, Stats};
use serde::Serialize;
use tokio::task::JoinSet;

use super::reading::{Objects, Room, Take, read};
use super::{Archive, Listed, Sums, Watch};

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    #[serde(flatten)]
    pub sums: Sums,
    #[serde(flatten)]
    pub stats: Stats,
}

/// Reads everything that is wanted, and counts it.
pub async fn stats(
    archive: Archive,
    filter: Filter,
    concurrency: usize,
    watch: Arc<dyn Watch>,
) -> anyhow::Result<Holdings> {
    let mut holdings = Holdings::default();
    let shared = Arc::new((archive, filter));
    let mut wanted = Objects::new(&shared.0, &shared.1, None);
    let mut tasks: JoinSet<(usize, Holdings)> = JoinSet::new();
    let mut room = Room::new(concurrency);
    loop {
        let next = wanted.next(&mut holdings.sums, &*watch).await?;
        let part = next.as_ref().map(Room::of);
        while part.is_none_or(|part| !room.has(part)) {
            let Some(ended) = tasks.join_next().await else {
                break;
            };
            let (part, counted) = ended?;
            room.give_back(part);
            holdings.sums.add(&counted.sums);
            holdings.stats.merge(&counted.stats);
        }
        let (Some(object), Some(part)) = (next, part) else {
            break;
        };
        room.take(part);
        let (shared, watch) = (Arc::clone(&shared), Arc::clone(&watch));
        tasks.spawn(async move { (part, one(&shared, &object, &*watch).await) });
    }
    holdings.sums.end(&*watch);
    Ok(holdings)
}

async fn one(
    (archive, filter): &(Archive, Filter),
    object: &Listed,
    watch: &dyn Watch,
) -> Holdings {
    let mut counted = Counted {
        key: &object.key,
        stats: Stats::default(),
    };
    let sums = read(archive, filter, object, watch, &mut counted).await;
    Holdings {
        sums,
        stats: counted.stats,
    }
}

struct Counted<'a> {
    key: &'a str,
    stats: Stats,
}

impl Take for Counted<'_> {
    fn line(&mut self, line: &Line<'_>) {
        self.stats.add(self.key, line.text.len() + 1, &line.record);
    }

    async fn piece(&mut self) -> bool {
        true
    }
}
