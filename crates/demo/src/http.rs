//! The HTTP client under the demo's S3 client: the extension's, without proxies, as nothing leaves this
//! machine.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use backstop_config::Proxies;
use backstop_delivery::SystemClock;
use backstop_sinks::SharedHttp;
use bytes::Bytes;

/// Far more than an object of the demo.
const MOST_BYTES: usize = 256 * 1024 * 1024;

pub(crate) fn client() -> SharedHttpClient {
    let http = SharedHttp::new(
        Vec::new(),
        Proxies::default(),
        Arc::new(SystemClock),
        |_| {},
    );
    SharedHttpClient::new(Local(http))
}

#[derive(Debug, Clone)]
struct Local(SharedHttp);

impl HttpClient for Local {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Local {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move { call(&http, request).await })
    }
}

async fn call(http: &SharedHttp, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request
        .try_into_http1x()
        .map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body
        .bytes()
        .ok_or_else(|| ConnectorError::user("the request's body is not in memory".into()))?;
    let request = http::Request::from_parts(parts, Bytes::copy_from_slice(body));
    let answer = (http.fetch(request, MOST_BYTES).await)
        .map_err(|failure| ConnectorError::io(format!("no answer: {failure:?}").into()))?;
    HttpResponse::try_from(answer.map(SdkBody::from))
        .map_err(|error| ConnectorError::io(error.into()))
}
