//! Sends one test record to the function's primary with the extension's code, and explains the
//! answer.
//!
//! A token or a header that is kept elsewhere is read with the caller's credentials, not the function's.
//! It leaves from here, not from the function: what the function's network lets out is another check's. Must
//! not: show what the primary said in its own words, which may hold a credential.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use backstop_config::{AwsSettings, Format, Primary, ProcessEnvironment, Settings};
use backstop_delivery::{Answer, Cause, Clock as _, Failure, Role, SystemClock, Verdict};
use backstop_sinks::codec::{LineEncoder, Resource};
use backstop_sinks::secret::Secrets;
use backstop_sinks::{HttpsSink, Ruling, SharedHttp, advice, tables};
use serde_json::json;

use super::Check;
use crate::fleet::Site;
use crate::select::Function;

const NAME: &str = "send";
const LONGEST: Duration = Duration::from_secs(15);

/// Sends it; none where there is no primary to send it to.
pub(super) async fn send(site: &Site, function: &Function, settings: &Settings) -> Option<Check> {
    let primary = match with_secrets(site, function, settings.primary.as_ref()?).await {
        Ok(primary) => primary,
        Err(check) => return Some(check),
    };
    let warning = Arc::new(OnceLock::new());
    let sink = HttpsSink::new(
        http(&warning),
        &primary,
        LineEncoder::new(Resource::default()),
    );
    let (id, line) = record(function);
    let framed = sink.frame(&[&line]);
    let posting = sink.post(&id, framed.body, framed.records);
    let answer = tokio::time::timeout(LONGEST, posting).await;
    let answer = answer.unwrap_or(Answer::None(Failure::TimedOut));
    Some(match warning.get() {
        Some(warning) => Check::unknown(NAME, warning, "fix the file, then run the check again"),
        None => explained(&primary, &id, &answer),
    })
}

/// The primary with what is kept elsewhere.
async fn with_secrets(
    site: &Site,
    function: &Function,
    primary: &Primary,
) -> Result<Primary, Check> {
    if primary.references.is_empty() {
        return Ok(primary.clone());
    }
    let resolved = secrets(site, function)?.resolve(primary).await;
    resolved.map_err(|why| {
        let found = format!("the caller cannot read the primary's token: {why}");
        let next =
            "allow the caller to read it; the checks named token are about the function's role";
        Check::unknown(NAME, found, next)
    })
}

/// Reads what the function refers to, with the caller's credentials and at the caller's endpoints.
pub(super) fn secrets(site: &Site, function: &Function) -> Result<Secrets, Check> {
    let Some(credentials) = site.config.credentials_provider() else {
        return Err(Check::unknown(
            NAME,
            "the caller has no credentials",
            "sign in to AWS, then run the check again",
        ));
    };
    let (here, _) = Settings::resolve(&ProcessEnvironment);
    // What a service has of its own overrides the one for all, which may be typed.
    let endpoint =
        |own: Option<String>| own.or_else(|| site.config.endpoint_url().map(str::to_owned));
    let aws = AwsSettings {
        use_fips: site.config.use_fips().unwrap_or(here.aws.use_fips),
        use_dual_stack: (site.config.use_dual_stack()).unwrap_or(here.aws.use_dual_stack),
        endpoint_secrets_manager: endpoint(here.aws.endpoint_secrets_manager),
        endpoint_ssm: endpoint(here.aws.endpoint_ssm),
        endpoint_kms: endpoint(here.aws.endpoint_kms),
        ..here.aws
    };
    let http = http(&Arc::default());
    Ok(Secrets::new(http, aws, credentials, &function.name))
}

/// As from any other command: by the proxies and certificate authorities of this machine.
fn http(warning: &Arc<OnceLock<String>>) -> SharedHttp {
    let (here, _) = Settings::resolve(&ProcessEnvironment);
    let warning = Arc::clone(warning);
    SharedHttp::new(
        here.ca_files,
        here.proxies,
        Arc::new(SystemClock),
        move |error| drop(warning.set(error.to_string())),
    )
}

/// Its id, and its line.
fn record(function: &Function) -> (String, String) {
    let now = SystemClock.wall();
    let since = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    let id = format!("backstop-doctor-{since}");
    let line = json!({
        "id": id,
        "time": now.rfc3339(),
        "type": "function",
        "record": "A test record of `backstop doctor --send`",
        "resource": {
            "cloud.account.id": function.place.account,
            "cloud.provider": "aws",
            "cloud.region": function.place.region,
            "faas.name": function.name,
        },
    });
    (id, line.to_string())
}

fn explained(primary: &Primary, id: &str, answer: &Answer) -> Check {
    let format = primary.format.as_str();
    let shown = primary.shown_url();
    let cause = answer.cause();
    let because = reason(primary.format, cause);
    let because = because.map_or_else(String::new, |it| format!(": {it}"));
    let verdict = answer.verdict(Role::Primary);
    if verdict == Verdict::Delivered {
        return Check::ok(NAME, format!("{shown} accepted a test record, {id}"));
    }
    if *answer == Answer::None(Failure::Unproven) {
        let found = format!(
            "{shown} answered, but not as a receiver of {format} does: the answer does not prove \
             that it has the test record"
        );
        let next = "check the address: it may belong to a web page, a proxy or another API";
        return Check::problem(NAME, found, next);
    }
    let found = format!("{shown} did not accept a test record: {cause}{because}");
    let next = advice(primary.format, cause).unwrap_or_else(|| advice_on(cause));
    Check::problem(NAME, found, next)
}

/// What to do where the format has no words of its own.
fn advice_on(cause: Cause) -> &'static str {
    match cause.reason {
        "unauthorized" => "check the token: its account, its site and its kind",
        "not_found" => {
            "check the path of BACKSTOP_PRIMARY_URL, and an index or dataset that it names"
        }
        "payment_required" => "check the plan and the quota of the primary's account",
        "redirected" => {
            "set BACKSTOP_PRIMARY_URL to the redirect's target: Backstop follows no redirects"
        }
        "not_accepted" | "rejected" => {
            "check BACKSTOP_PRIMARY_FORMAT: the primary may expect another format"
        }
        "partial" => "look for the reason in the primary's own log: it refused the record",
        "too_large" => "check the limits of the primary, and of a proxy before it",
        "dns" => "check the host of BACKSTOP_PRIMARY_URL",
        // It has answered, so that nothing is wrong with the way to it.
        _ if cause.status.is_some() => "try again later; until then records go to the fallbacks",
        _ => "check the host's name, port and certificate, and that this machine can reach it",
    }
}

/// What the format's table says of a status, unless the answer itself has said more.
fn reason(format: Format, cause: Cause) -> Option<&'static str> {
    let status = cause.status.filter(|_| cause.detail.is_none())?;
    // The table of both, under the name of one.
    let format = match format {
        Format::Json => Format::Ndjson,
        format => format,
    };
    let (_, rows) = tables().into_iter().find(|(name, _)| *name == format)?;
    let row = rows
        .iter()
        .find(|row| (row.from..=row.to).contains(&status))?;
    // Of a success it says when it is one.
    let is_success = (200..=299).contains(&status) && row.ruling == Ruling::Body;
    (!is_success).then_some(row.because)
}
