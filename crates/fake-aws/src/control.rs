//! What a test sets: what there is, who may do what, and what goes wrong.

use std::time::Duration;

use crate::chance::Faults;
use crate::hooks::{Held, Moment};
use crate::invoke::{Invocation, Invoked, Invoker};
use crate::layers::Signature;
use crate::metrics::Metric;
use crate::organizations::Organization;
use crate::quota::Quota;
use crate::spec::FunctionSpec;
use crate::{ControlPlane, Place};
use backstop_simulator::sync::lock;

/// Functions and layers.
impl ControlPlane {
    /// Publishes a version of a layer, for every architecture; its ARN.
    pub fn add_layer(&self, place: &Place, name: &str, file: &str) -> String {
        let mut state = lock(&self.endpoint.state);
        state.layers.add(place, name, file)
    }

    /// Creates a function.
    pub fn add_function(&self, place: &Place, spec: FunctionSpec) {
        let mut state = lock(&self.endpoint.state);
        state.functions.add(place, spec);
    }

    /// Something else changes the function, as a deployment would: its revision is another then.
    pub fn deploy(&self, place: &Place, function: &str, (key, value): (&str, &str)) {
        self.change(place, function, |spec| {
            spec.environment.insert(key.to_owned(), value.to_owned());
        });
    }

    /// Something else changes anything of the function but its name, unchecked.
    pub fn change(&self, place: &Place, function: &str, change: impl FnOnce(&mut FunctionSpec)) {
        let mut state = lock(&self.endpoint.state);
        state.functions.change(place, function, change);
    }

    /// Has functions run by this when they are invoked.
    pub fn set_invoker<F>(&self, run: impl Fn(Invocation) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Invoked> + Send + 'static,
    {
        lock(&self.endpoint.state).invoker = Some(Invoker::new(run));
    }

    /// Something else deletes the function.
    pub fn remove_function(&self, place: &Place, function: &str) {
        lock(&self.endpoint.state).functions.remove(place, function);
    }

    /// Something else publishes a version, which is active at once. Its number, if the function is there.
    pub fn publish_version(&self, place: &Place, function: &str) -> Option<u64> {
        let mut state = lock(&self.endpoint.state);
        let function = state.functions.named_mut(place, function)?;
        Some(function.freeze("", Duration::ZERO))
    }

    /// Something else has an alias lead to a version, and to another one for a share of the invocations.
    pub fn set_alias(
        &self,
        place: &Place,
        function: &str,
        (alias, version): (&str, &str),
        other: Option<(&str, f64)>,
    ) {
        let mut state = lock(&self.endpoint.state);
        if let Some(function) = state.functions.named_mut(place, function) {
            function.set_alias(alias, version, other);
        }
    }

    /// Has a layer's version be signed with this profile.
    pub fn sign_layer(&self, place: &Place, layer: &str, version: u64, profile: &str) {
        let signature = Signature {
            profile: profile.to_owned(),
            job: format!(
                "arn:aws:signer:{}:{}:/signing-jobs/{layer}-{version}",
                place.region, place.account
            ),
        };
        let mut state = lock(&self.endpoint.state);
        state.layers.sign(place, layer, version, signature);
    }

    /// The signing profiles, by the ARNs of their versions, that the place's code signing trusts.
    pub fn allow_publishers(&self, place: &Place, profiles: &[&str]) {
        let profiles = profiles.iter().map(|profile| (*profile).to_owned());
        let mut state = lock(&self.endpoint.state);
        let publishers = &mut state.functions.publishers;
        publishers.insert(place.clone(), profiles.collect());
    }

    /// How much zipped code each place may store: functions, versions and layers together. 300 GiB
    /// without this.
    pub fn set_code_storage(&self, bytes: Option<u64>) {
        lock(&self.endpoint.state).code_storage = bytes;
    }

    /// Has the URLs of code and layers answer 403, as they do ten minutes after they were made.
    pub fn set_content_expired(&self, is_expired: bool) {
        lock(&self.endpoint.state).is_content_expired = is_expired;
    }
}

/// Accounts, regions and roles.
impl ControlPlane {
    /// Puts an account into an organisation: layers shared with it are open to the account.
    pub fn join_organization(&self, account: &str, organization: &str) {
        let mut state = lock(&self.endpoint.state);
        let of = (account.to_owned(), organization.to_owned());
        state.layers.organizations.insert(of.0, of.1);
    }

    /// Founds an organisation, which its accounts join.
    pub fn add_organization(&self, organization: Organization) {
        for account in organization.accounts() {
            self.join_organization(account, organization.id());
        }
        let mut state = lock(&self.endpoint.state);
        state.organizations.push(organization);
    }

    /// The regions that an account opted in to, all of them: `eu-south-2` without this.
    pub fn set_regions(&self, account: &str, opted_in: &[&str]) {
        lock(&self.endpoint.state).regions.enable(account, opted_in);
    }

    /// Nobody may call this operation, as of a caller without the permission.
    pub fn deny(&self, operation: &str) {
        self.deny_for(operation, "");
    }

    /// Nobody may call this operation for a function, layer or role whose name begins so, as of a caller whose
    /// permission is for others only.
    pub fn deny_for(&self, operation: &str, prefix: &str) {
        let mut state = lock(&self.endpoint.state);
        state.denied.insert(operation.to_owned(), prefix.to_owned());
    }

    /// Everybody may call it again.
    pub fn allow(&self, operation: &str) {
        lock(&self.endpoint.state).denied.remove(operation);
    }

    /// All credentials have expired, or are valid again.
    pub fn set_expired(&self, is_expired: bool) {
        lock(&self.endpoint.state).is_expired = is_expired;
    }

    /// Nobody may assume a role in this account.
    pub fn deny_roles(&self, account: &str) {
        let mut state = lock(&self.endpoint.state);
        state.sts.closed.insert(account.to_owned());
    }

    /// The account has only these roles to assume, by name. It has any without this.
    pub fn set_roles(&self, account: &str, roles: &[&str]) {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let mut state = lock(&self.endpoint.state);
        state.sts.roles.insert(account.to_owned(), roles);
    }

    /// The account's roles are assumed with this external id only.
    pub fn require_external_id(&self, account: &str, id: &str) {
        let mut state = lock(&self.endpoint.state);
        let of = (account.to_owned(), id.to_owned());
        state.sts.external_ids.insert(of.0, of.1);
    }

    /// Somebody writes a policy into a role.
    pub fn put_role_policy(&self, account: &str, role: &str, name: &str, document: &str) {
        let mut state = lock(&self.endpoint.state);
        state.iam.put(account, role, name, document);
    }

    /// There is no such role. Every other one is there.
    pub fn remove_role(&self, account: &str, role: &str) {
        let mut state = lock(&self.endpoint.state);
        let role = (account.to_owned(), role.to_owned());
        state.iam.missing.insert(role);
    }

    /// Nobody may change what this role may do.
    pub fn guard_role(&self, account: &str, role: &str) {
        let mut state = lock(&self.endpoint.state);
        let role = (account.to_owned(), role.to_owned());
        state.iam.guarded.insert(role);
    }

    /// A secret, in Secrets Manager.
    pub fn set_secret(&self, place: &Place, name: &str, value: &str) {
        let mut state = lock(&self.endpoint.state);
        let secrets = &mut state.parameters.secrets;
        secrets.insert((place.clone(), name.to_owned()), value.to_owned());
    }

    /// A parameter, in Parameter Store.
    pub fn set_parameter(&self, place: &Place, name: &str, value: &str) {
        let mut state = lock(&self.endpoint.state);
        let parameters = &mut state.parameters.parameters;
        parameters.insert((place.clone(), name.to_owned()), value.to_owned());
    }

    /// The sum of a function's metric in whatever time is asked for; none has no datapoint.
    pub fn set_metric(&self, place: &Place, function: &str, metric: Metric, sum: Option<f64>) {
        let mut state = lock(&self.endpoint.state);
        state.metrics.set(place, function, metric, sum);
    }
}

/// What takes time and goes wrong.
impl ControlPlane {
    /// How long an update, or the publishing of a version, is under way before it is done.
    pub fn set_update_time(&self, time: Duration) {
        lock(&self.endpoint.state).functions.update_time = time;
    }

    /// Answers every call after this much longer, as over a network.
    pub fn set_latency(&self, latency: Duration) {
        lock(&self.endpoint.state).latency = latency;
    }

    /// Keeps to a multiple of the real quotas, bursts and rates alike: with 1.0, to 15 requests a second
    /// for everything together, 100 for `GetFunction` and 15 for `GetPolicy`.
    pub fn set_quota(&self, scale: Option<f64>) {
        lock(&self.endpoint.state).quota = scale.map(Quota::scaled);
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

    /// Has a share of the calls fail at random, from now on and the same ones each time.
    pub fn set_faults(&self, faults: Option<Faults>) {
        let mut state = lock(&self.endpoint.state);
        state.faults = faults;
        state.arrived = 0;
    }

    /// Does something when a call comes and before it is looked at: the `number`th of this operation on
    /// this function, role or layer from now on, where 1 is the next.
    ///
    /// The action may use this control plane, by an [`Arc`](std::sync::Arc).
    pub fn before(
        &self,
        operation: &str,
        subject: &str,
        number: usize,
        action: impl FnOnce() + Send + 'static,
    ) {
        let mut hooks = lock(&self.endpoint.hooks);
        hooks.run(operation, subject, number, Box::new(action));
    }

    /// Stops the `number`th call of this operation from now on, until what this gives back is dropped. A
    /// caller that leaves before it is done has asked for nothing.
    pub fn hold(&self, operation: &str, number: usize, moment: Moment) -> Held {
        lock(&self.endpoint.hooks).hold(operation, number, moment)
    }
}
