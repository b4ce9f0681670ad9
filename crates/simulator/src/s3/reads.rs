//! Objects that may not be read: by a policy, as their class must be restored first, or as they are missing and
//! the caller may not know it.
//!
//! Must not: check a signature.

use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};

use super::{BUCKET, refused};
use crate::sync::lock;

/// What is refused.
#[derive(Debug, Default)]
pub(super) struct Reads {
    denied: Mutex<Option<String>>,
    hides_missing: Mutex<bool>,
    frozen: Mutex<Vec<String>>,
}

impl Reads {
    pub(super) fn deny(&self, prefix: Option<&str>) {
        *lock(&self.denied) = prefix.map(str::to_owned);
    }

    pub(super) fn hide_missing(&self) {
        *lock(&self.hides_missing) = true;
    }

    pub(super) fn freeze(&self, key: &str) {
        lock(&self.frozen).push(key.to_owned());
    }

    /// The answer to a read that is refused.
    pub(super) fn refused(
        &self,
        request: &Request<Bytes>,
        bucket: &Path,
    ) -> Option<Response<Bytes>> {
        let key = request.uri().path().strip_prefix(&format!("/{BUCKET}/"))?;
        if key.is_empty() || request.method() != Method::GET {
            return None;
        }
        // What the keys of an archive have, and a path has not.
        let key = key.replace("%3D", "=");
        if lock(&self.frozen).contains(&key) {
            let message = "The operation is not valid for the object's storage class";
            return Some(refused(
                StatusCode::FORBIDDEN,
                "InvalidObjectState",
                message,
            ));
        }
        let denied = lock(&self.denied);
        let is_denied = denied.as_ref().is_some_and(|it| key.starts_with(it));
        let is_hidden = *lock(&self.hides_missing) && !bucket.join(key).exists();
        (is_denied || is_hidden)
            .then(|| refused(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"))
    }

    /// A listing that says of its keys what they are: s3s-fs repeats how they are to be encoded, and leaves them
    /// as they are, and it knows no storage classes.
    pub(super) fn listing(&self, response: Response<Bytes>) -> Response<Bytes> {
        let claim = "<EncodingType>url</EncodingType>";
        let (mut head, body) = response.into_parts();
        let mut text = String::from_utf8_lossy(&body).replacen(claim, "", 1);
        for key in lock(&self.frozen).iter() {
            let named = format!("<Key>{key}</Key>");
            let with_class = format!("{named}<StorageClass>GLACIER</StorageClass>");
            text = text.replace(&named, &with_class);
        }
        head.headers.remove(CONTENT_LENGTH);
        Response::from_parts(head, text.into())
    }
}
