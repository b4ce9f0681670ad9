//! Who may use a layer's version, by the policy that is on it.

use http::StatusCode;
use serde_json::{Value, json};

use crate::Place;
use crate::layers::{LayerArn, Layers, Version, layer_arn};
use crate::refusal::Refusal;

impl Layers {
    pub(crate) fn grant(
        &mut self,
        place: &Place,
        name: &str,
        number: u64,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let arn = format!("{}:{number}", layer_arn(place, name));
        let version = self.version_mut(place, name, number)?;
        let text = |member: &str| body[member].as_str().map(str::to_owned);
        let (Some(id), Some(principal)) = (text("StatementId"), text("Principal")) else {
            return Err(Refusal::invalid("StatementId and Principal are required"));
        };
        if text("Action").as_deref() != Some("lambda:GetLayerVersion") {
            return Err(Refusal::invalid("Action must be lambda:GetLayerVersion"));
        }
        let organization = text("OrganizationId");
        if organization.is_some() && principal != "*" {
            return Err(Refusal::invalid(
                "Principal must be * if an organization is given",
            ));
        }
        if version.policy.contains_key(&id) {
            let message = format!(
                "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
            );
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "ResourceConflictException",
                message,
            ));
        }
        version.policy.insert(id.clone(), (principal, organization));
        version.revision = uuid::Uuid::new_v4().to_string();
        let statement = version.statement(&arn, &id).to_string();
        Ok(json!({ "Statement": statement, "RevisionId": version.revision }))
    }

    pub(crate) fn policy(&self, place: &Place, name: &str, number: u64) -> Result<Value, Refusal> {
        let arn = format!("{}:{number}", layer_arn(place, name));
        let version = self.version(place, name, number)?;
        if version.policy.is_empty() {
            return Err(Refusal::not_found(
                "No policy is associated with the given resource.",
            ));
        }
        let statements: Vec<Value> = (version.policy.keys())
            .map(|id| version.statement(&arn, id))
            .collect();
        let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
        Ok(json!({ "Policy": policy.to_string(), "RevisionId": version.revision }))
    }

    pub(crate) fn revoke(
        &mut self,
        place: &Place,
        name: &str,
        number: u64,
        id: &str,
    ) -> Result<(), Refusal> {
        let version = self.version_mut(place, name, number)?;
        match version.policy.remove(id) {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found(format!(
                "Statement {id} is not found in resource policy."
            ))),
        }
    }

    /// What a function of `caller` may have in its list.
    pub(crate) fn usable(&self, caller: &Place, arn: &LayerArn) -> Result<&Version, Refusal> {
        let shown = format!("{}:{}", arn.layer(), arn.version);
        if arn.place.region != caller.region {
            return Err(Refusal::invalid(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {}.",
                caller.region
            )));
        }
        let is_own = arn.place.account == caller.account;
        let version = (self.by_name.get(&(arn.place.clone(), arn.name.clone())))
            .and_then(|layer| layer.versions.get(&arn.version));
        let organization = self.organizations.get(&caller.account);
        let is_open = |version: &&Version| {
            let may = |(principal, of): &(String, Option<String>)| match of {
                Some(of) => organization == Some(of),
                None => principal == "*" || principal.contains(&caller.account),
            };
            is_own || version.policy.values().any(may)
        };
        match version.filter(is_open) {
            Some(version) => Ok(version),
            None if is_own => Err(Refusal::invalid(format!(
                "Layer version {shown} does not exist."
            ))),
            // What is not there and what is not shared look alike from another account.
            None => Err(Refusal::not_shared("lambda:GetLayerVersion", &shown)),
        }
    }
}

impl Version {
    fn statement(&self, arn: &str, id: &str) -> Value {
        let (principal, organization) = &self.policy[id];
        let principal = if principal == "*" {
            json!("*")
        } else {
            json!({ "AWS": format!("arn:aws:iam::{principal}:root") })
        };
        let mut statement = json!({
            "Sid": id, "Effect": "Allow", "Principal": principal,
            "Action": "lambda:GetLayerVersion", "Resource": arn,
        });
        if let Some(organization) = organization {
            statement["Condition"] =
                json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
        }
        statement
    }
}
