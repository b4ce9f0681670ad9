//! What each call does, if nothing stands against it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::Value;

use crate::identity::{Caller, Service};
use crate::layers::LayerArn;
use crate::organizations;
use crate::paging::{Page, query};
use crate::refusal::{Protocol, Refusal};
use crate::routes::Operation;
use crate::{Place, State};

/// What Lambda's lists have on a page at most.
const PAGE: usize = 50;

impl State {
    /// Does what is asked.
    pub(crate) fn answer(
        &mut self,
        caller: &Caller,
        operation: &Operation,
        subject: &str,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let place = &caller.place;
        if self.is_expired {
            return Err(Refusal::expired());
        }
        if self.is_denied(operation.name(), subject) {
            let action = format!("{}:{}", caller.service.prefix(), operation.name());
            let resource = resource(caller, operation.name(), subject);
            return Err(Refusal::not_permitted(&action, &resource));
        }
        if self.down.contains(&place.region) && !caller.service.is_global() {
            return Err(Refusal::for_status(StatusCode::SERVICE_UNAVAILABLE));
        }
        if !caller.service.is_global() && !self.regions.has(place) {
            return Err(Refusal::unrecognized());
        }
        let bytes = request.body();
        let body = || serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let name = operation.name();
        let answer = match caller.service {
            Service::Lambda => {
                if let Some(quota) = &mut self.quota
                    && !quota.allows(place, name)
                {
                    return Err(Refusal::too_many());
                }
                return self.lambda(caller, operation, subject, request);
            }
            Service::Account => {
                let body = body();
                let account = body["AccountId"].as_str().unwrap_or(&place.account);
                self.regions.list(account, &body)
            }
            Service::CloudWatch => return self.metrics.answer(caller, bytes),
            Service::Iam => return self.iam.answer(&place.account, (name, subject), bytes),
            Service::Organizations => {
                let organization = self.organization_of(&place.account);
                let organization = organization.ok_or_else(organizations::none)?;
                organization.answer(caller, name, &body())?
            }
            Service::SecretsManager => self.parameters.secret(place, name, subject)?,
            Service::Ssm => self.parameters.parameter(place, subject)?,
            Service::Sts => return self.sts.answer(caller, name, bytes),
            Service::Tagging => self.functions.tagged(place, &body())?,
        };
        Ok(reply(StatusCode::OK, caller.service.protocol(), &answer))
    }

    fn is_denied(&self, operation: &str, subject: &str) -> bool {
        let denied = self.denied.get(operation);
        denied.is_some_and(|prefix| subject.starts_with(prefix))
    }

    fn lambda(
        &mut self,
        caller: &Caller,
        operation: &Operation,
        subject: &str,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        use Operation as Op;
        let place = &caller.place;
        let bytes = request.body();
        let body = || serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let host = request.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let query = |name: &str| query(request, name);
        let most = query("MaxItems").and_then(|text| text.parse().ok());
        let page = Page::new(query("Marker"), most, PAGE);
        let qualifier = query("Qualifier");
        let qualifier = qualifier.as_deref();
        let architecture = query("CompatibleArchitecture");
        self.must_have_room(place, (operation, subject), body)?;
        let may_not_list_tags = self.is_denied("ListTags", subject);
        let (functions, layers) = (&mut self.functions, &mut self.layers);
        let answer = match operation {
            Op::ListFunctions => {
                let is_all = query("FunctionVersion").as_deref() == Some("ALL");
                functions.list(place, &page, is_all, layers)
            }
            Op::GetFunction => {
                let mut answer = functions.get(place, subject, qualifier, (host, layers))?;
                if may_not_list_tags {
                    hide_tags(&mut answer);
                }
                answer
            }
            Op::GetFunctionConfiguration => {
                functions.configuration(place, subject, qualifier, layers)?
            }
            Op::UpdateFunctionConfiguration => functions.update(place, subject, bytes, layers)?,
            // The function runs when no lock is held.
            Op::Invoke => return Ok(Response::new(Bytes::new())),
            Op::DeleteFunction => {
                functions.delete_version(place, subject, qualifier)?;
                return Ok(empty());
            }
            Op::PublishVersion => functions.publish_version(place, subject, &body(), layers)?,
            Op::ListVersionsByFunction => functions.list_versions(place, subject, &page, layers)?,
            Op::ListAliases => {
                let version = query("FunctionVersion");
                functions.list_aliases(place, subject, &page, version.as_deref())?
            }
            Op::ListProvisionedConcurrencyConfigs => functions.list_provisioned(place, subject)?,
            Op::GetRuntimeManagementConfig => functions.runtime_management(place, subject)?,
            Op::GetAlias(alias) => functions.alias(place, subject, alias)?,
            Op::UpdateAlias(alias) => functions.update_alias(place, subject, alias, &body())?,
            Op::GetPolicy => {
                functions.function(place, subject)?;
                return Err(Refusal::not_found(
                    "The resource you requested does not exist.",
                ));
            }
            Op::GetFunctionCodeSigningConfig => functions.code_signing(place, subject)?,
            Op::GetCodeSigningConfig => functions.signing_config(place, subject)?,
            Op::ListCodeSigningConfigs => functions.list_signing_configs(place, &page),
            Op::ListFunctionsByCodeSigningConfig => functions.signed_by(place, subject, &page)?,
            Op::ListTags => functions.tags(place, subject)?,
            Op::ListLayers => layers.list(place, &page, architecture.as_deref()),
            Op::PublishLayerVersion => layers.publish(place, subject, &body(), host)?,
            Op::ListLayerVersions => {
                layers.list_versions(place, subject, &page, architecture.as_deref())
            }
            Op::GetLayerVersion(version) => layers.describe(place, subject, *version, host)?,
            Op::GetLayerVersionByArn => {
                let arn = LayerArn::parse(subject).ok_or_else(|| {
                    Refusal::invalid(format!("{subject} is not a valid layer version ARN."))
                })?;
                layers.usable(place, &arn)?;
                layers.describe(&arn.place, &arn.name, arn.version, host)?
            }
            Op::DeleteLayerVersion(version) => {
                layers.delete(place, subject, *version);
                return Ok(empty());
            }
            Op::AddLayerVersionPermission(version) => {
                layers.grant(place, subject, *version, &body())?
            }
            Op::GetLayerVersionPolicy(version) => layers.policy(place, subject, *version)?,
            Op::RemoveLayerVersionPermission(version, id) => {
                layers.revoke(place, subject, *version, id)?;
                return Ok(empty());
            }
            Op::GetAccountSettings => self.account_settings(place),
            Op::Other(name) => return Err(Refusal::unknown(name)),
        };
        let status = match operation {
            Op::PublishVersion | Op::PublishLayerVersion | Op::AddLayerVersionPermission(_) => {
                StatusCode::CREATED
            }
            _ => StatusCode::OK,
        };
        Ok(reply(status, Protocol::Rest, &answer))
    }
}

/// `GetFunction` still answers a caller without `lambda:ListTags`.
fn hide_tags(answer: &mut Value) {
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("Tags");
        let refused = Refusal::not_permitted("lambda:ListTags", "the function");
        answer.insert("TagsError".to_owned(), refused.tags_error());
    }
}

fn reply(status: StatusCode, protocol: Protocol, answer: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(answer.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(match protocol {
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::Rest | Protocol::Query | Protocol::Cbor => "application/json",
    });
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn empty() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// What a call is about, as a denial names it.
fn resource(caller: &Caller, operation: &str, subject: &str) -> String {
    let Place { account, region } = &caller.place;
    let arn = |kind: &str| format!("arn:aws:lambda:{region}:{account}:{kind}:{subject}");
    match caller.service {
        Service::Iam if operation.contains("Role") => format!("role {subject}"),
        Service::Lambda if subject.is_empty() => "*".to_owned(),
        Service::Lambda if subject.starts_with("arn:") => subject.to_owned(),
        Service::Lambda if operation.contains("Layer") => arn("layer"),
        Service::Lambda => arn("function"),
        _ => subject.to_owned(),
    }
}
