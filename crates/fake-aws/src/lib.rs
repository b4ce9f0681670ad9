//! A Lambda control plane for many accounts and regions, as strict as the real one where it hurts.
//!
//! What emulators let pass is enforced here: `RevisionId`, updates that take their time and refuse a
//! second one meanwhile, the shared quota of requests, five layers, 4 KB of environment, 5,120 bytes of
//! request, 250 MB unpacked, layers of other accounts only where they are shared, code signing, an
//! environment that cannot be decrypted.
//!
//! A request is taken apart by `identity` and `routes`, held or failed by `hooks` and `chance`, and done
//! by `dispatch`. Of Lambda's own, `spec`, `functions`, `versions`, `configuration`, `signing`, `layers`,
//! `sharing` and `content` hold the state and its rules, `quota` and `storage` the limits; beside it are `sts`, `iam` with
//! its `policy`, `organizations`, `regions`, `tagging`, `metrics` and `parameters`. `form`, `cbor`,
//! `paging` and `refusal` are how they speak; `control` is what a test sets.
//!
//! Who calls is read from the signature's credential scope, which is not verified: the account is the
//! last twelve characters of the access key, the region that of the scope. It stands on the HTTP server of
//! `crates/simulator`, and no product links it: it is for tests. Invariant: a call that is
//! refused changes nothing. Must not guess: an operation it does not know is an error that names it.

mod cbor;
mod chance;
mod configuration;
mod content;
mod control;
mod dispatch;
mod form;
mod function;
mod functions;
mod hooks;
mod iam;
mod identity;
mod invoke;
mod layers;
mod metrics;
mod organizations;
mod paging;
mod parameters;
mod policy;
mod quota;
mod refusal;
mod regions;
mod routes;
mod sharing;
mod signing;
mod spec;
mod storage;
mod sts;
mod tagging;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use backstop_simulator::SimulationError;
use backstop_simulator::server::{Answer, FaultServer};
use backstop_simulator::sync::lock;
pub use chance::Faults;
use functions::Functions;
use hooks::Hooks;
pub use hooks::{Held, Moment};
use iam::Iam;
use identity::Caller;
use invoke::Invoker;
pub use invoke::{Invocation, Invoked};
use layers::Layers;
pub use metrics::Metric;
use metrics::Metrics;
pub use organizations::Organization;
use parameters::Parameters;
use quota::Quota;
use refusal::{Protocol, Refusal};
use regions::Regions;
use routes::Operation;
pub use spec::{FunctionSpec, KeyAccess, PackageType, Signing};
pub use sts::Assumed;
use sts::Sts;

/// An account and a region: what has a quota, functions and layers of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
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

/// A call that was made, in the order in which they were dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose quota it used.
    pub place: Place,
    /// Such as `UpdateFunctionConfiguration`; `GetContent` for what is behind a signed URL.
    pub operation: &'static str,
    /// What it is about: a function's or a layer's name, a role.
    pub subject: String,
    /// What it was answered with, 0 where it never was.
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
    pub fn start() -> Result<Self, SimulationError> {
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

    /// The configuration as `GetFunction` shows it, less what changes with each write.
    pub fn configuration(&self, place: &Place, function: &str) -> Option<Value> {
        let state = &mut *lock(&self.endpoint.state);
        let function = state.functions.named_mut(place, function)?;
        function.settle();
        Some(function.settled(place, &state.layers))
    }

    /// Every function as it is when nothing is under way, without what changes by itself: its
    /// configuration, tags and aliases. What has the same before and after has not been changed.
    pub fn snapshot(&self) -> BTreeMap<(Place, String), Value> {
        let state = lock(&self.endpoint.state);
        state.functions.snapshot(&state.layers).collect()
    }

    /// How often each function's configuration was updated by a call. Those are left out where it never was.
    pub fn writes(&self) -> BTreeMap<(Place, String), usize> {
        let state = lock(&self.endpoint.state);
        let functions = state.functions.all();
        functions
            .filter(|(_, _, function)| function.writes > 0)
            .map(|(place, name, function)| ((place.clone(), name.clone()), function.writes))
            .collect()
    }

    /// Every role that was assumed, in order.
    pub fn assumed(&self) -> Vec<Assumed> {
        lock(&self.endpoint.state).sts.assumed.clone()
    }

    /// A policy of a role, as it was written.
    pub fn role_policy(&self, account: &str, role: &str, name: &str) -> Option<String> {
        let state = lock(&self.endpoint.state);
        state.iam.policy(account, role, name).cloned()
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
    latency: Duration,
    down: BTreeSet<String>,
    /// Operations, each with how the names begin for which it is denied.
    denied: BTreeMap<String, String>,
    /// Whether all credentials have expired.
    is_expired: bool,
    regions: Regions,
    sts: Sts,
    iam: Iam,
    organizations: Vec<Organization>,
    metrics: Metrics,
    /// What runs the functions, where a test says so.
    invoker: Option<Invoker>,
    parameters: Parameters,
    is_content_expired: bool,
    /// How much code a place may store, where a test says so.
    code_storage: Option<u64>,
    faults: Option<Faults>,
    /// How many calls have come since the faults were set.
    arrived: u64,
    calls: Vec<Call>,
}

impl State {
    fn organization_of(&self, account: &str) -> Option<&Organization> {
        let id = self.layers.organizations.get(account)?;
        self.organizations
            .iter()
            .find(|organization| organization.id() == id)
    }

    /// Deals with a call; none where it is never answered.
    fn call(
        &mut self,
        caller: Caller,
        operation: &Operation,
        subject: String,
        request: &Request<Bytes>,
    ) -> Option<Response<Bytes>> {
        let protocol = caller.service.protocol();
        let fate = self.faults.and_then(|faults| {
            self.arrived += 1;
            faults.fate(self.arrived, operation.is_write())
        });
        let mut response = None;
        if fate.is_none_or(|fate| fate.is_done) {
            let answer = self.answer(&caller, operation, &subject, request);
            response = Some(answer.unwrap_or_else(|refusal| refusal.into_response(protocol)));
        }
        if let Some(fate) = fate {
            response = fate
                .status
                .map(|status| Refusal::for_status(status).into_response(protocol));
        }
        self.calls.push(Call {
            place: caller.place,
            operation: operation.name(),
            subject,
            status: (response.as_ref()).map_or(0, |response| response.status().as_u16()),
        });
        response
    }
}

#[derive(Debug, Default)]
struct Endpoint {
    state: Mutex<State>,
    hooks: Mutex<Hooks>,
}

impl Answer for Endpoint {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        if content::is_content(&request) {
            return lock(&self.state).content(&request);
        }
        let caller = match Caller::of(&request) {
            Ok(caller) => caller,
            Err(refusal) => return refusal.into_response(Protocol::Rest),
        };
        let (operation, subject) = match routes::operation(&caller, &request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal.into_response(caller.service.protocol()),
        };
        let arrival = lock(&self.hooks).arrive(operation.name(), &subject);
        let stops = arrival.act();
        stops.pass(Moment::BeforeItIsDone).await;
        let place = caller.place.clone();
        let mut response = lock(&self.state).call(caller, &operation, subject.clone(), &request);
        if operation == Operation::Invoke
            && response.as_ref().is_some_and(|it| it.status().is_success())
        {
            let invocation = lock(&self.state).invocation(&place, &subject, request.body());
            response = Some(match invocation {
                Ok((invoker, invocation)) => invoker.answer(invocation).await,
                Err(refusal) => refusal.into_response(Protocol::Rest),
            });
        }
        stops.pass(Moment::BeforeItIsAnswered).await;
        let latency = lock(&self.state).latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match response {
            Some(response) => response,
            None => pending().await,
        }
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        Refusal::for_status(status).into_response(Protocol::Rest)
    }

    fn observe(&self, _: &Parts, _: Option<StatusCode>) {
        // What counts is in the log of calls.
    }
}
