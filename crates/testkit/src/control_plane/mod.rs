//! A Lambda control plane for many accounts and regions, as strict as the real one where it hurts.
//!
//! What emulators let pass is enforced here: `RevisionId`, updates that take their time and refuse a
//! second one meanwhile, the shared quota of requests, five layers, 4 KB of environment, 5,120 bytes of
//! request, 250 MB unpacked, layers of other accounts only where they are shared, code signing, an
//! environment that cannot be decrypted. `layers` and `functions` hold the state and its rules,
//! `routes` the API's paths, `quota` the pace, `sts` the roles.
//!
//! Who calls is read from the signature's credential scope, which is not verified: the account is the
//! last twelve characters of the access key, the region that of the scope. Invariant: a call that is
//! refused changes nothing. Must not guess: an operation it does not know is an error that names it.

mod functions;
mod identity;
mod layers;
mod quota;
mod refusal;
mod routes;
mod sts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};

use crate::error::TestkitError;
use crate::server::{Answer, FaultServer};
use crate::sync::lock;
use functions::Functions;
pub use functions::{FunctionSpec, KeyAccess, PackageType, Signing};
use identity::Caller;
use layers::Layers;
use quota::Quota;
use refusal::Refusal;

/// An account and a region: what has a quota, functions and layers of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-west-1`.
    pub region: String,
}

impl Place {
    /// This account in this region.
    pub fn new(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }
}

/// A call that was made, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose quota it used.
    pub place: Place,
    /// Such as `UpdateFunctionConfiguration`.
    pub operation: &'static str,
    /// What it is about: a function's or a layer's name, a role.
    pub subject: String,
    /// What it was answered with.
    pub status: u16,
}

/// A running control plane. Dropping it closes its port.
#[derive(Debug)]
pub struct ControlPlane {
    server: FaultServer,
    endpoint: Arc<Endpoint>,
}

impl ControlPlane {
    /// Starts one without functions, with updates that are done at once and no quota.
    pub fn start() -> Result<Self, TestkitError> {
        let endpoint = Arc::new(Endpoint::default());
        let server = FaultServer::start("the control plane", Arc::clone(&endpoint), None)?;
        Ok(Self { server, endpoint })
    }

    /// For `AWS_ENDPOINT_URL` or `--endpoint-url`.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// An access key of this account.
    pub fn access_key(account: &str) -> String {
        format!("AKIA{account}")
    }

    /// Creates a function.
    pub fn add_function(&self, place: &Place, spec: FunctionSpec) {
        let mut state = lock(&self.endpoint.state);
        state.functions.add(place, spec);
    }

    /// How long an update is under way before it is done.
    pub fn set_update_time(&self, time: Duration) {
        lock(&self.endpoint.state).functions.update_time = time;
    }

    /// Keeps to the real quotas: 15 requests a second for everything together, 100 for `GetFunction`.
    pub fn set_quota(&self, is_kept: bool) {
        lock(&self.endpoint.state).quota = is_kept.then(Quota::default);
    }

    /// A region that answers everything with 503.
    pub fn set_region_down(&self, region: &str, is_down: bool) {
        let mut state = lock(&self.endpoint.state);
        if is_down {
            state.down.insert(region.to_owned());
        } else {
            state.down.remove(region);
        }
    }

    /// Nobody may assume a role in this account.
    pub fn deny_roles(&self, account: &str) {
        let mut state = lock(&self.endpoint.state);
        state.closed.insert(account.to_owned());
    }

    /// Puts an account into an organisation: layers shared with it are open to the account.
    pub fn join_organization(&self, account: &str, organization: &str) {
        let mut state = lock(&self.endpoint.state);
        let of = (account.to_owned(), organization.to_owned());
        state.layers.organizations.insert(of.0, of.1);
    }

    /// Something else changes the function, as a deployment would: its revision is another then.
    pub fn deploy(&self, place: &Place, function: &str, variable: (&str, &str)) {
        let mut state = lock(&self.endpoint.state);
        state.functions.deploy(place, function, variable);
    }

    /// The configuration as `GetFunction` shows it, less what changes with each write.
    pub fn configuration(&self, place: &Place, function: &str) -> Option<serde_json::Value> {
        let mut state = lock(&self.endpoint.state);
        state.functions.settled_configuration(place, function)
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.endpoint.state).calls.clone()
    }

    /// How many of them were of this operation.
    pub fn count(&self, operation: &str) -> usize {
        let state = lock(&self.endpoint.state);
        let calls = state.calls.iter();
        calls.filter(|call| call.operation == operation).count()
    }
}

/// Everything there is.
#[derive(Debug, Default)]
struct State {
    functions: Functions,
    layers: Layers,
    quota: Option<Quota>,
    down: BTreeSet<String>,
    closed: BTreeSet<String>,
    calls: Vec<Call>,
}

#[derive(Debug, Default)]
struct Endpoint {
    state: Mutex<State>,
    counts: Mutex<BTreeMap<u16, u64>>,
}

impl Endpoint {
    fn call(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        let caller = Caller::of(request)?;
        let state = &mut *lock(&self.state);
        let (operation, subject) = routes::operation(&caller, request)?;
        let answer = state.answer(&caller, &operation, &subject, request);
        let status = match &answer {
            Ok(answer) => answer.status(),
            Err(refusal) => refusal.status,
        };
        state.calls.push(Call {
            place: caller.place,
            operation: operation.name(),
            subject,
            status: status.as_u16(),
        });
        answer
    }
}

impl Answer for Endpoint {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.call(&request).unwrap_or_else(Refusal::into_response)
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        Refusal::for_status(status).into_response()
    }

    fn observe(&self, _: &Parts, status: Option<StatusCode>) {
        let status = status.map_or(0, |status| status.as_u16());
        *lock(&self.counts).entry(status).or_default() += 1;
    }
}
