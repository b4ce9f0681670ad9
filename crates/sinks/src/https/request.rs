//! The headers of requests to the primary.

use backstop_config::Primary;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::codec::Packing;

/// The headers of every request. A header that the user sets overrides Backstop's, the token's too. The
/// configuration has validated names and values.
pub(super) fn headers(
    primary: &Primary,
    content_type: &'static str,
    packing: Packing,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let encoding = match packing {
        Packing::Gzip => Some("gzip"),
        Packing::Deflate => Some("deflate"),
        // Snappy is part of the format; the request does not declare it.
        Packing::Snappy | Packing::None => None,
    };
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let authorization = primary.token.as_ref().map(|token| {
        let (name, value) = primary.format.authorization(token);
        (name.to_owned(), value.expose().to_owned())
    });
    let own = primary
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()));
    for (name, value) in authorization.into_iter().chain(own) {
        if let (Ok(name), Ok(mut value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers
}
