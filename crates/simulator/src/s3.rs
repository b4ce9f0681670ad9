//! The archive: an S3 server in this process, its objects in a directory.
//!
//! s3s checks signatures and speaks the protocol, s3s-fs keeps the objects; faults and counts are
//! ours. Writes with a condition are made one after the other, so that of two at the same moment one
//! is refused (412), as S3 does. Invariants: path-style addressing, one bucket, one pair of credentials, which are those
//! that [`crate::environment`] gives to the extension. Must not be asked for a lifecycle or for
//! versions: it has none.

mod reads;
mod storage;
mod tags;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use serde_json::Value;
use tokio::sync::RwLock;
use uuid::Uuid;

use crate::error::{SimulationError, start};
use crate::fault::Fault;
use crate::server::{Answer, FaultServer};
use crate::sync::lock;
use crate::tls::{Acceptors, Certificates};
use reads::Reads;
pub(crate) use storage::Storage;
use tags::Tags;

/// The access key that the server takes.
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// The secret key that belongs to it.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// The account that owns the bucket.
pub const OWNER: &str = "123456789012";
/// The bucket that is there from the start.
pub const BUCKET: &str = "backstop-archive";

/// An S3 server on 127.0.0.1. Dropping it closes the port; a directory of its own goes as well.
#[derive(Debug)]
pub struct S3Server {
    server: FaultServer,
    backend: Arc<Backend>,
    storage: Arc<Storage>,
}

impl S3Server {
    /// Starts one with its objects under `dir`, or in a directory of its own.
    pub async fn start(dir: Option<PathBuf>) -> Result<Self, SimulationError> {
        Self::start_with(dir, None, &[]).await
    }

    /// The same, for these access keys and their secrets too.
    pub async fn start_for(keys: &[(&str, &str)]) -> Result<Self, SimulationError> {
        Self::start_with(None, None, keys).await
    }

    /// The same over TLS, as S3 really is.
    pub async fn start_tls(
        dir: Option<PathBuf>,
        certificates: &Certificates,
    ) -> Result<Self, SimulationError> {
        Self::start_with(dir, Some(certificates.acceptors()), &[]).await
    }

    async fn start_with(
        dir: Option<PathBuf>,
        tls: Option<Acceptors>,
        keys: &[(&str, &str)],
    ) -> Result<Self, SimulationError> {
        let what = "the S3 server";
        let (root, own) = if let Some(dir) = dir {
            (dir, None)
        } else {
            let own = tempfile::Builder::new()
                .prefix("backstop-simulator-s3-")
                .tempdir()
                .map_err(start(what))?;
            (own.path().to_owned(), Some(own))
        };
        tokio::fs::create_dir_all(root.join(BUCKET))
            .await
            .map_err(start(what))?;
        let files = FileSystem::new(&root)
            .map_err(|error| start(what)(io::Error::other(format!("{error:?}"))))?;
        let mut service = S3ServiceBuilder::new(files);
        let mut auth = SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        for (key, secret) in keys {
            auth.register((*key).to_owned(), (*secret).into());
        }
        service.set_auth(auth);
        let backend = Arc::new(Backend {
            service: service.build(),
            counts: Mutex::default(),
            heads: Mutex::default(),
            asked: Mutex::default(),
            tags: Tags::default(),
            bucket: root.join(BUCKET),
            whole: Arc::default(),
            conflicts: AtomicU64::new(0),
            is_read_only: AtomicBool::new(false),
            region: Mutex::default(),
            ignores_conditions: AtomicBool::new(false),
            reads: Reads::default(),
        });
        let server = FaultServer::start(what, Arc::clone(&backend), tls)?;
        let storage = Arc::new(Storage {
            bucket: root.join(BUCKET),
            _own: own,
        });
        Ok(Self {
            server,
            backend,
            storage,
        })
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL_S3`; `https` when started over TLS.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The bucket that is there from the start.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The access key that the server takes.
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// The secret key that belongs to it.
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// Sets or clears the fault; it holds when this returns.
    pub async fn set_fault(&self, fault: Option<Fault>) -> Result<(), SimulationError> {
        self.server.set_fault(fault).await
    }

    /// Answers this many of the next conditional writes with 409: another one is in progress.
    pub fn conflict(&self, writes: u64) {
        self.backend.conflicts.store(writes, Ordering::SeqCst);
    }

    /// Denies writes, as a policy of the bucket does, until it is taken back.
    pub fn set_read_only(&self, is_read_only: bool) {
        (self.backend.is_read_only).store(is_read_only, Ordering::SeqCst);
    }

    /// Has the bucket in this region: who signs for another one is sent there.
    pub fn set_region(&self, region: &str) {
        *lock(&self.backend.region) = Some(region.to_owned());
    }

    /// Makes every write whatever is there, as services do that do not know conditions.
    pub fn ignore_conditions(&self) {
        self.backend
            .ignores_conditions
            .store(true, Ordering::SeqCst);
    }

    /// PUT requests by the status they were answered with; 0 stands for those that never were.
    pub fn puts(&self) -> BTreeMap<u16, u64> {
        let counts = lock(&self.backend.counts);
        counts
            .iter()
            .filter(|((put, _), _)| *put)
            .map(|((_, code), n)| (*code, *n))
            .collect()
    }

    /// All requests by status, as in [`S3Server::puts`].
    pub fn requests(&self) -> BTreeMap<u16, u64> {
        let mut all = BTreeMap::new();
        for ((_, status), count) in lock(&self.backend.counts).iter() {
            *all.entry(*status).or_default() += count;
        }
        all
    }

    /// The headers of each request in its order, with its method.
    pub fn heads(&self) -> Vec<(Method, HeaderMap)> {
        lock(&self.backend.heads).clone()
    }

    /// The tags of each object that has some, by its path, as `key=value` pairs.
    pub fn tags(&self) -> BTreeMap<String, Vec<String>> {
        self.backend.tags.all()
    }

    /// Denies reading and writing of tags, until it is taken back.
    pub fn deny_tags(&self, is_denied: bool) {
        self.backend.tags.deny(is_denied);
    }

    /// Denies reading objects whose keys begin so, as a policy of the role does.
    pub fn deny_reads(&self, prefix: Option<&str>) {
        self.backend.reads.deny(prefix);
    }

    /// Has an object in the class GLACIER.
    pub fn freeze(&self, key: &str) {
        self.backend.reads.freeze(key);
    }

    /// Says of a missing key what S3 says to a caller who may not list the whole bucket: that it is denied.
    pub fn hide_missing(&self) {
        self.backend.reads.hide_missing();
    }

    /// The path and query of each request that reads, in their order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.backend.asked).clone()
    }

    /// The keys in the bucket, sorted.
    pub fn object_keys(&self) -> Result<Vec<String>, SimulationError> {
        self.storage.keys()
    }

    /// The bytes of an object as they are stored.
    pub fn object_bytes(&self, key: &str) -> Result<Bytes, SimulationError> {
        self.storage.read(key)
    }

    /// Every line of every `.gz` object, in the order of the keys.
    pub fn archive_lines(&self) -> Result<Vec<Value>, SimulationError> {
        let mut lines = Vec::new();
        self.for_each_archive_line(|line| lines.push(line))?;
        Ok(lines)
    }

    /// The same one by one, for an archive that is better not held in memory.
    pub fn for_each_archive_line(
        &self,
        mut take: impl FnMut(Value),
    ) -> Result<(), SimulationError> {
        for key in self.object_keys()?.iter().filter(|key| is_gzip(key)) {
            let unreadable = |error: &dyn fmt::Display| SimulationError::Object {
                key: key.clone(),
                reason: error.to_string(),
            };
            let object = self.object_bytes(key)?;
            for line in BufReader::new(MultiGzDecoder::new(&object[..])).lines() {
                let line = line.map_err(|error| unreadable(&error))?;
                take(serde_json::from_str(&line).map_err(|error| unreadable(&error))?);
            }
        }
        Ok(())
    }

    /// Where the objects are, for Firehose to deliver to.
    pub(crate) fn storage(&self) -> Arc<Storage> {
        Arc::clone(&self.storage)
    }
}

fn is_gzip(key: &str) -> bool {
    Path::new(key)
        .extension()
        .is_some_and(|extension| extension == "gz")
}

/// s3s behind the faults: whether it was a PUT, and the status, to the number of requests.
struct Backend {
    service: S3Service,
    counts: Mutex<BTreeMap<(bool, u16), u64>>,
    heads: Mutex<Vec<(Method, HeaderMap)>>,
    asked: Mutex<Vec<String>>,
    tags: Tags,
    bucket: PathBuf,
    /// s3s-fs looks at a condition first and writes then, in several files: nobody may write or read
    /// between.
    whole: Arc<RwLock<()>>,
    conflicts: AtomicU64,
    is_read_only: AtomicBool,
    region: Mutex<Option<String>>,
    ignores_conditions: AtomicBool,
    reads: Reads,
}

impl Backend {
    /// The redirect to the bucket's region, for a request that is signed for another one.
    fn redirect(&self, headers: &HeaderMap) -> Option<Response<Bytes>> {
        let region = lock(&self.region).clone()?;
        let signed = headers.get(AUTHORIZATION)?.to_str().ok()?;
        if signed.contains(&format!("/{region}/s3/")) {
            return None;
        }
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        let status = StatusCode::MOVED_PERMANENTLY;
        let mut response = refused(status, "PermanentRedirect", message);
        let region = HeaderValue::from_str(&region).ok()?;
        response.headers_mut().insert("x-amz-bucket-region", region);
        Some(response)
    }

    /// What a write with a condition is refused with before s3s-fs looks at the condition.
    fn refused(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let one = |left: u64| left.checked_sub(1);
        let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
        if self.conflicts.fetch_update(set, get, one).is_ok() {
            return Some(self.refusal(StatusCode::CONFLICT));
        }
        let key = request.uri().path().strip_prefix(&format!("/{BUCKET}/"))?;
        let path = self.bucket.join(key);
        if self.ignores_conditions.load(Ordering::SeqCst) {
            // Where there is nothing, `If-None-Match` holds.
            std::fs::remove_file(path).ok();
            return None;
        }
        // s3s-fs says 412 there.
        let is_absent = request.headers().contains_key(IF_MATCH) && !path.exists();
        let message = "The specified key does not exist.";
        is_absent.then(|| refused(StatusCode::NOT_FOUND, "NoSuchKey", message))
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Backend")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Answer for Backend {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        // s3s knows the header and leaves it to its backend, and s3s-fs knows no owners.
        let expected = request.headers().get("x-amz-expected-bucket-owner");
        if expected.is_some_and(|expected| expected != OWNER) {
            return self.refusal(StatusCode::FORBIDDEN);
        }
        if let Some(redirect) = self.redirect(request.headers()) {
            return redirect;
        }
        if let Some(answer) = self.tags.answer(&request) {
            return answer;
        }
        if let Some(refused) = self.reads.refused(&request, &self.bucket) {
            return refused;
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let is_listing = (request.uri().query()).is_some_and(|it| it.contains("list-type=2"));
        let is_write = request.method() == Method::PUT;
        if is_write && self.is_read_only.load(Ordering::SeqCst) {
            return self.refusal(StatusCode::FORBIDDEN);
        }
        let is_conditional = [IF_MATCH, IF_NONE_MATCH]
            .iter()
            .any(|name| request.headers().contains_key(name));
        let (mut alone, mut beside) = (None, None);
        if is_write && is_conditional {
            alone = Some(Arc::clone(&self.whole).write_owned().await);
            if let Some(refused) = self.refused(&request) {
                return refused;
            }
        } else {
            beside = Some(Arc::clone(&self.whole).read_owned().await);
        }
        let service = self.service.clone();
        // A write is done or not, also for a client that goes away meanwhile.
        let answered = tokio::spawn(async move {
            let _held = (alone, beside);
            let response = service.call(request.map(s3s::Body::from)).await.ok()?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.ok()?;
            Some(Response::from_parts(head, body.to_bytes()))
        });
        match answered.await {
            Ok(Some(mut response)) => {
                self.tags.observe(&method, &path, &mut response);
                if is_listing {
                    response = self.reads.listing(response);
                }
                response
            }
            _ => self.refusal(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        let (code, message) = match status.as_u16() {
            403 => ("AccessDenied", "Access Denied"),
            404 => ("NoSuchBucket", "The specified bucket does not exist"),
            409 => (
                "ConditionalRequestConflict",
                "A conflicting operation occurred during a conditional write to this object.",
            ),
            413 => (
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
            ),
            429 | 503 => ("SlowDown", "Please reduce your request rate."),
            400..500 => ("InvalidRequest", "The request is not valid."),
            _ => (
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
        };
        refused(status, code, message)
    }

    fn observe(&self, request: &Parts, status: Option<StatusCode>) {
        let key = (
            request.method == Method::PUT,
            status.map_or(0, |status| status.as_u16()),
        );
        *lock(&self.counts).entry(key).or_default() += 1;
        if request.method == Method::GET {
            lock(&self.asked).push(request.uri.to_string());
        }
        lock(&self.heads).push((request.method.clone(), request.headers.clone()));
    }
}

/// An error in S3's form.
fn refused(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message><RequestId>{}</RequestId></Error>",
        Uuid::new_v4().simple()
    );
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
