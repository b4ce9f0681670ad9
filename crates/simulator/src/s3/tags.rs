//! Tags of objects, which s3s-fs does not have.
//!
//! Invariants: a write replaces all tags of an object; an object's answer says how many there are; tags go with a
//! deleted object. Must not: check a signature.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::refused;
use crate::sync::lock;

const NONE: &str = "<Tagging><TagSet></TagSet></Tagging>";

/// The tags by the path of their object.
#[derive(Debug, Default)]
pub(super) struct Tags {
    of: Mutex<BTreeMap<String, String>>,
    is_denied: Mutex<bool>,
}

impl Tags {
    pub(super) fn deny(&self, is_denied: bool) {
        *lock(&self.is_denied) = is_denied;
    }

    /// The tags of each object that has some, as `key=value` pairs.
    pub(super) fn all(&self) -> BTreeMap<String, Vec<String>> {
        let of = lock(&self.of);
        of.iter()
            .map(|(path, text)| (path.clone(), pairs(text)))
            .collect()
    }

    /// The answer to a request that is about tags.
    pub(super) fn answer(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let query = request.uri().query().unwrap_or_default();
        if !query
            .split('&')
            .any(|part| part == "tagging" || part == "tagging=")
        {
            return None;
        }
        if *lock(&self.is_denied) {
            return Some(refused(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                "Access Denied",
            ));
        }
        let path = request.uri().path().to_owned();
        let mut of = lock(&self.of);
        let text = match *request.method() {
            Method::PUT => {
                of.insert(path, String::from_utf8_lossy(request.body()).into_owned());
                String::new()
            }
            _ => of.get(&path).map_or_else(|| NONE.to_owned(), String::clone),
        };
        let mut response = Response::new(Bytes::from(text));
        let xml = HeaderValue::from_static("application/xml");
        response.headers_mut().insert(CONTENT_TYPE, xml);
        Some(response)
    }

    /// Adds to an object's answer how many tags it has, and forgets those of one that is deleted.
    pub(super) fn observe(&self, method: &Method, path: &str, response: &mut Response<Bytes>) {
        let mut of = lock(&self.of);
        if *method == Method::DELETE {
            of.remove(path);
        }
        let count = of.get(path).map_or(0, |text| pairs(text).len());
        if *method == Method::GET && count > 0 && !*lock(&self.is_denied) {
            (response.headers_mut()).insert("x-amz-tagging-count", HeaderValue::from(count));
        }
    }
}

/// The pairs of a body.
fn pairs(text: &str) -> Vec<String> {
    let between = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    let tags = text.split("<Tag>").skip(1);
    tags.filter_map(|tag| {
        Some(format!(
            "{}={}",
            between(tag, "Key")?,
            between(tag, "Value")?
        ))
    })
    .collect()
}
