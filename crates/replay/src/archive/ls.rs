//! The objects, one by one.

use backstop_archive::Filter;

use super::reading::Objects;
use super::{Archive, Listed, Sums, Watch};

/// Gives each object to `take`, in the order of keys, until that returns false.
pub async fn ls(
    archive: &Archive,
    filter: &Filter,
    watch: &dyn Watch,
    mut take: impl FnMut(&Listed) -> anyhow::Result<bool>,
) -> anyhow::Result<Sums> {
    let mut sums = Sums::default();
    let mut wanted = Objects::new(archive, filter, None);
    while let Some(object) = wanted.next(&mut sums, watch).await? {
        sums.objects += 1;
        sums.stored_bytes += object.bytes;
        if !take(&object)? {
            sums.is_cut_short = true;
            break;
        }
    }
    Ok(sums)
}
