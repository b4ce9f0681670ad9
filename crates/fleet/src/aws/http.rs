//! The HTTP client under every SDK client: which proxy a request goes through, whom TLS trusts, and how
//! much of an answer is read.
//!
//! The proxies are those of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, by the rules of the
//! extension: what is on this machine, the address of the instance's credentials included, is never asked
//! through one. Invariants: of an answer no more than [`MOST_BYTES`] are held, whatever a server sends;
//! only an object of S3 is passed on as it comes. Must not: show a proxy's password.

use std::fmt;
use std::sync::Arc;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use backstop_config::{Proxies, Proxy, Settings, Strings};
use base64::Engine as _;

/// Far more than any answer of the services that are asked; the longest lists have some MiB a page.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How an object of S3 is asked for, and nothing else is.
const STREAMED: &str = "x-id=GetObject";

/// The client of this environment. `trust` is whom TLS trusts.
pub(super) fn client(environment: &impl Strings, trust: tls::TlsContext) -> SharedHttpClient {
    // What is wrong with them was reported before.
    let (settings, _) = Settings::resolve(environment);
    SharedHttpClient::new(Routed::new(settings.proxies, trust))
}

#[derive(Debug, Clone)]
struct Routed {
    proxies: Arc<Proxies>,
    direct: SharedHttpClient,
    http: Option<SharedHttpClient>,
    https: Option<SharedHttpClient>,
}

impl Routed {
    fn new(proxies: Proxies, trust: tls::TlsContext) -> Self {
        // A proxy is asked here for a host that nobody would except.
        let any = |encrypted| proxies.of_any(encrypted).and_then(through);
        Self {
            http: any(false).map(|proxy| client_through(Some(proxy), trust.clone())),
            https: any(true).map(|proxy| client_through(Some(proxy), trust.clone())),
            direct: client_through(None, trust),
            proxies: Arc::new(proxies),
        }
    }
}

fn client_through(proxy: Option<ProxyConfig>, trust: tls::TlsContext) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder();
        builder.set_connector_settings(settings.cloned());
        builder.set_proxy_config(proxy.clone());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .tls_context(trust.clone())
            .build()
    })
}

/// A proxy as the SDK wants it.
fn through(proxy: &Proxy) -> Option<ProxyConfig> {
    let scheme = if proxy.encrypted { "https" } else { "http" };
    let config = ProxyConfig::all(format!("{scheme}://{}:{}", proxy.host, proxy.port)).ok()?;
    let Some(authorization) = &proxy.authorization else {
        return Some(config);
    };
    let encoded = authorization.expose().strip_prefix("Basic ")?;
    let plain = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .ok()?;
    let at = plain.iter().position(|byte| *byte == b':')?;
    // It is put into an address again.
    Some(config.with_basic_auth(
        percent_encoded(&plain[..at]),
        percent_encoded(&plain[at + 1..]),
    ))
}

fn percent_encoded(bytes: &[u8]) -> String {
    let encode = |byte: &u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    bytes.iter().map(encode).collect()
}

impl HttpClient for Routed {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        SharedHttpConnector::new(Route {
            proxies: Arc::clone(&self.proxies),
            direct: connector(&self.direct),
            http: self.http.as_ref().map(connector),
            https: self.https.as_ref().map(connector),
        })
    }
}

struct Route {
    proxies: Arc<Proxies>,
    direct: SharedHttpConnector,
    http: Option<SharedHttpConnector>,
    https: Option<SharedHttpConnector>,
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Route").field(&self.proxies).finish()
    }
}

impl Route {
    fn of(&self, uri: &str) -> &SharedHttpConnector {
        let Some(uri) = uri.parse::<http::Uri>().ok() else {
            return &self.direct;
        };
        let is_encrypted = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let is_proxied = self
            .proxies
            .of(is_encrypted, host, uri.port_u16())
            .is_some();
        let proxied = if is_encrypted {
            &self.https
        } else {
            &self.http
        };
        proxied
            .as_ref()
            .filter(|_| is_proxied)
            .unwrap_or(&self.direct)
    }
}

impl HttpConnector for Route {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_streamed = request.uri().contains(STREAMED);
        let answer = self.of(request.uri()).call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if is_streamed && answer.status().is_success() {
                Ok(answer)
            } else {
                bounded(answer, MOST_BYTES).await
            }
        })
    }
}

/// The answer with its whole body, or an error where that does not end.
async fn bounded(mut answer: HttpResponse, most: usize) -> Result<HttpResponse, ConnectorError> {
    let is_success = answer.status().is_success();
    let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
    let mut body = ByteStream::new(body);
    let mut bytes = Vec::new();
    while let Some(next) = body.next().await {
        match next {
            Ok(next) if bytes.len() + next.len() <= most => bytes.extend_from_slice(&next),
            // The status says enough.
            _ if !is_success => break,
            Ok(_) => {
                let error = format!(
                    "the answer is longer than {} MiB: something other than AWS may have answered, \
                     check the proxy and the AWS endpoint URL",
                    most >> 20
                );
                return Err(ConnectorError::io(error.into()));
            }
            Err(error) => return Err(ConnectorError::io(error.into())),
        }
    }
    *answer.body_mut() = SdkBody::from(bytes);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn routed(variables: &[(&str, &str)]) -> Routed {
        let environment: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (settings, _) = Settings::resolve(&environment);
        Routed::new(settings.proxies, tls::TlsContext::default())
    }

    #[test]
    fn a_proxy_is_taken_with_its_password_and_nobody_shows_that() {
        let proxy = "http://me:p%40ss%3Aw@proxy.internal:3128";
        let routed = routed(&[("HTTPS_PROXY", proxy), ("NO_PROXY", "*.internal")]);
        assert!(routed.https.is_some() && routed.http.is_none());
        let shown = format!("{routed:?}");
        assert!(
            !shown.contains("p@ss") && !shown.contains("p%40ss"),
            "{shown}"
        );
        assert_eq!(percent_encoded(b"p@ss:w\xc3\xa9"), "p%40ss%3Aw%C3%A9");
    }

    #[tokio::test]
    async fn an_answer_is_held_up_to_a_bound_and_a_refusal_keeps_its_status() {
        for (status, body, expected) in [
            (200, "12345", Some("12345")),
            (200, "123456", None),
            (403, "123456", Some("")),
        ] {
            let status = status.try_into().expect("it is a status");
            let answer = bounded(HttpResponse::new(status, SdkBody::from(body)), 5).await;
            let held = answer.ok().and_then(|it| {
                let bytes = it.body().bytes()?.to_vec();
                String::from_utf8(bytes).ok()
            });
            assert_eq!(held.as_deref(), expected, "{status} {body}");
        }
    }
}
