//! The least that an extension can be, as the baseline of `scripts/bench process`: it listens, registers,
//! subscribes, and asks for events until the last one. What the telemetry says it never looks at.
//!
//! The same runtime and the same HTTP library as the real one, so that the ratio is what ours adds.

use std::convert::Infallible;
use std::env;
use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(listen(listener));
    let host = env::var("AWS_LAMBDA_RUNTIME_API")?;
    let (mut api, connection) = handshake(TokioIo::new(TcpStream::connect(&host).await?)).await?;
    tokio::spawn(connection);

    let executable = env::current_exe()?;
    let name = executable.file_name().unwrap_or_default();
    let register = Request::post("/2020-01-01/extension/register")
        .header("host", &host)
        // Lambda knows an extension by its file's name.
        .header("lambda-extension-name", name.as_encoded_bytes())
        .body(r#"{"events":["INVOKE","SHUTDOWN"]}"#.into())?;
    let (id, _) = call(&mut api, register).await?;
    let subscribe = Request::put("/2022-07-01/telemetry")
        .header("host", &host)
        .header("lambda-extension-identifier", &id)
        .body(Full::from(format!(
            r#"{{"schemaVersion":"2025-01-29","types":["platform","function","extension"],"buffering":{{"maxItems":1000,"maxBytes":262144,"timeoutMs":25}},"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}"}}}}"#
        )))?;
    call(&mut api, subscribe).await?;
    loop {
        let next = Request::get("/2020-01-01/extension/event/next")
            .header("host", &host)
            .header("lambda-extension-identifier", &id)
            .body(Full::default())?;
        let (_, event) = call(&mut api, next).await?;
        if event.windows(8).any(|window| window == b"SHUTDOWN") {
            return Ok(());
        }
    }
}

/// The identifier in the answer, and its body.
async fn call(
    api: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(String, Bytes), Failure> {
    api.ready().await?;
    let (head, body) = api.send_request(request).await?.into_parts();
    if !head.status.is_success() {
        return Err(head.status.to_string().into());
    }
    let id = head.headers.get("lambda-extension-identifier");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    Ok((id.to_owned(), body.collect().await?.to_bytes()))
}

async fn listen(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let answer = service_fn(|request: Request<hyper::body::Incoming>| async {
            request.collect().await.ok();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        tokio::spawn(
            server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
        );
    }
}
