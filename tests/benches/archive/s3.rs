//! As much of S3 as reading an archive and tagging it takes, in memory: a listing of a hundred thousand objects
//! costs a directory walk for each of its pages elsewhere.
//!
//! Must not: check a signature.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use backstop_simulator::server::Answer;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

pub(crate) const BUCKET: &str = "archive";
const PAGE: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct FlatS3 {
    pub(crate) objects: BTreeMap<String, Bytes>,
    pub(crate) lists: AtomicU64,
    pub(crate) others: AtomicU64,
}

impl FlatS3 {
    fn list(&self, query: &BTreeMap<String, String>) -> String {
        let of = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (of("prefix"), of("delimiter"));
        let after = of("continuation-token").max(of("start-after"));
        let start = if after < prefix {
            Bound::Included(prefix)
        } else {
            Bound::Excluded(after)
        };
        let (mut xml, mut folders, mut count) = (String::new(), BTreeSet::new(), 0);
        let mut next = None;
        let mut last = "";
        for (key, bytes) in self.objects.range::<str, _>((start, Bound::Unbounded)) {
            if !key.starts_with(prefix) {
                break;
            }
            let rest = &key[prefix.len()..];
            if let Some(at) = rest.find('/').filter(|_| delimiter == "/") {
                folders.insert(&key[..=prefix.len() + at]);
                continue;
            }
            if count == PAGE {
                next = Some(last);
                break;
            }
            (count, last) = (count + 1, key);
            write!(
                xml,
                "<Contents><Key>{key}</Key><Size>{}</Size>\
                 <LastModified>2026-01-31T09:00:00.000Z</LastModified><ETag>\"1\"</ETag></Contents>",
                bytes.len()
            )
            .unwrap_or_default();
        }
        for folder in folders {
            write!(
                xml,
                "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
            )
            .unwrap_or_default();
        }
        let token = next.map_or_else(String::new, |next| {
            format!("<NextContinuationToken>{next}</NextContinuationToken>")
        });
        let is_more = next.is_some();
        format!(
            "<ListBucketResult><Name>{BUCKET}</Name><IsTruncated>{is_more}</IsTruncated>{token}{xml}</ListBucketResult>"
        )
    }
}

fn decoded(text: &str) -> String {
    backstop_archive::percent_decoded(text)
}

impl Answer for FlatS3 {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        let query: BTreeMap<String, String> = (pairs.filter(|pair| !pair.is_empty()))
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), decoded(value)))
            .collect();
        if query.contains_key("list-type") {
            self.lists.fetch_add(1, Ordering::Relaxed);
            return Response::new(self.list(&query).into());
        }
        self.others.fetch_add(1, Ordering::Relaxed);
        if *request.method() != Method::GET {
            return Response::new(Bytes::new());
        }
        let path = decoded(request.uri().path());
        let key = path
            .strip_prefix(&format!("/{BUCKET}/"))
            .unwrap_or_default();
        match self.objects.get(key) {
            Some(bytes) => Response::new(bytes.clone()),
            None => self.refusal(StatusCode::NOT_FOUND),
        }
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        let mut response = Response::new("<Error><Code>NoSuchKey</Code></Error>".into());
        *response.status_mut() = status;
        response
    }

    fn observe(&self, _request: &Parts, _status: Option<StatusCode>) {}
}
