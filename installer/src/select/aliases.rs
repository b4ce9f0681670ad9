//! A function's aliases, and the versions that they lead to.

use crate::aws::{Failure, Marker};
use crate::fleet::Site;

/// A name, and the versions that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// One, or two of which each gets its share.
    pub versions: Vec<String>,
}

/// All aliases of a function.
pub async fn aliases(site: &Site, name: &str) -> Result<Vec<Alias>, Failure> {
    let lambda = &site.lambda;
    let what = format!("listing the aliases of function {name} in {}", site.place);
    let (mut found, mut marker) = (Vec::new(), Marker::default());
    loop {
        let page = lambda
            .read(&what, || {
                let request = lambda.client().list_aliases().function_name(name);
                request.set_marker(marker.current()).send()
            })
            .await?;
        for alias in page.aliases() {
            let weights = alias.routing_config();
            let weights = weights.and_then(|it| it.additional_version_weights());
            let others = weights.into_iter().flatten();
            let mut others: Vec<String> = others.map(|(version, _)| version.clone()).collect();
            others.sort_unstable();
            let first = alias.function_version().map(str::to_owned);
            found.push(Alias {
                name: alias.name().unwrap_or_default().to_owned(),
                versions: first.into_iter().chain(others).collect(),
            });
        }
        if !marker.advance(&what, page.next_marker())? {
            return Ok(found);
        }
    }
}
