//! Pages of a list: how many, from where, and what to ask for the next one with.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::form::decoded;

/// What of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) marker: Option<String>,
    pub(crate) most: usize,
}

impl Page {
    /// At most `most` and at least one, whatever was asked for.
    pub(crate) fn new(marker: Option<String>, asked: Option<usize>, most: usize) -> Self {
        Self {
            marker: marker.filter(|marker| !marker.is_empty()),
            most: asked.unwrap_or(most).clamp(1, most),
        }
    }

    /// By the members `NextToken` and `MaxResults` of a body.
    pub(crate) fn in_body(body: &Value, most: usize) -> Self {
        let asked = body["MaxResults"].as_u64();
        Self::new(
            body["NextToken"].as_str().map(str::to_owned),
            asked.and_then(|asked| usize::try_from(asked).ok()),
            most,
        )
    }

    /// Of items that come with their markers: those of this page, and the marker for the next. They may
    /// end after one too many.
    pub(crate) fn cut<T>(&self, mut items: Vec<(String, T)>) -> (Vec<T>, Option<String>) {
        let next = (items.len() > self.most).then(|| items[self.most - 1].0.clone());
        items.truncate(self.most);
        (items.into_iter().map(|(_, item)| item).collect(), next)
    }

    /// Of everything there is, by markers that are in order.
    pub(crate) fn of<T>(
        &self,
        items: impl Iterator<Item = (String, T)>,
    ) -> (Vec<T>, Option<String>) {
        let after = self.marker.as_deref().unwrap_or_default();
        let left = items.filter(|(marker, _)| marker.as_str() > after);
        self.cut(left.take(self.most + 1).collect())
    }
}

/// One of the request's parameters.
pub(crate) fn query(request: &Request<Bytes>, name: &str) -> Option<String> {
    let pairs = request.uri().query()?.split('&');
    let mut named = pairs
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name);
    named.next().map(|(_, value)| decoded(value))
}
