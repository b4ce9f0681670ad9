//! Roles: assuming one is how a caller becomes another account's.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use super::routes::{Operation, decoded};

/// What a request in the query protocol asks for.
pub(super) fn operation(body: &[u8]) -> Option<(Operation, String)> {
    let text = String::from_utf8_lossy(body).into_owned();
    let parameter = |name: &str| {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| decoded(value))
            .next()
    };
    match parameter("Action")?.as_str() {
        "AssumeRole" => Some((Operation::AssumeRole, parameter("RoleArn")?)),
        "GetCallerIdentity" => Some((Operation::GetCallerIdentity, String::new())),
        _ => None,
    }
}

/// Keys of the role's account, unless its doors are closed.
pub(super) fn assume(role: &str, closed: &BTreeSet<String>) -> Response<Bytes> {
    let account = role.split(':').nth(4).unwrap_or_default();
    if account.len() != 12 || closed.contains(account) {
        return refused(role);
    }
    xml(
        StatusCode::OK,
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
             <AssumedRoleUser><AssumedRoleId>AROA:backstop</AssumedRoleId><Arn>{role}</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
             <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

pub(super) fn identity(account: &str) -> Response<Bytes> {
    xml(
        StatusCode::OK,
        format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{account}:user/operator</Arn><UserId>AIDA</UserId><Account>{account}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    )
}

/// In the form of the query protocol, which is not that of Lambda's.
fn refused(role: &str) -> Response<Bytes> {
    xml(
        StatusCode::FORBIDDEN,
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>AccessDenied</Code><Message>User is not authorized to perform: sts:AssumeRole on resource: {role}</Message>\
             </Error></ErrorResponse>"
        ),
    )
}

fn xml(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
