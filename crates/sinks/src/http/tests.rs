//! The client against servers and proxies on loopback that behave as each test says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use backstop_config::Settings;
use backstop_delivery::SystemClock;
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// The proxies of an environment with these variables.
fn proxies(variables: &[(&str, String)]) -> Proxies {
    let environment: std::collections::BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    Settings::resolve(&environment).0.proxies
}

fn client(proxies: Proxies) -> SharedHttp {
    SharedHttp::new(Vec::new(), proxies, Arc::new(SystemClock), |_| {})
}

fn get(uri: &str) -> Request<Bytes> {
    Request::get(uri).body(Bytes::new()).expect("a request")
}

/// A server that answers the head of each connection's first request with these bytes, over and over
/// where `forever`; and what it has heard.
async fn server(answer: &'static str, forever: bool) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let requests = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = head(&mut stream).await;
            requests.lock().expect("no one panics").push(request);
            loop {
                if stream.write_all(answer.as_bytes()).await.is_err() || !forever {
                    break;
                }
            }
        }
    });
    (address, heard)
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_was_asked_for() {
    for (sent, read_bytes) in [(0, 0), (9, 9), (10, 10), (11, 10), (1_000_000, 10)] {
        let body = Full::new(Bytes::from(vec![b'x'; sent]));
        let read = read(body, 10).await.expect("it is in memory");
        assert_eq!(read.len(), read_bytes, "of {sent}");
    }
}

#[tokio::test]
async fn a_few_interim_answers_are_read_past() {
    let answer = concat!(
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    );
    let (address, _) = server(answer, false).await;
    let answer = client(Proxies::default())
        .fetch(get(&format!("http://{address}/")), 100)
        .await;
    let answer = answer.expect("it answers");
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_slice()),
        (200, &b"ok"[..])
    );
}

#[tokio::test]
async fn a_flood_of_interim_answers_ends_the_request_and_the_connection() {
    let (address, _) = server("HTTP/1.1 100 Continue\r\n\r\n", true).await;
    let http = client(Proxies::default());
    // Without a bound neither would this end, nor would anything else on this thread get its turn.
    let answer = http.fetch(get(&format!("http://{address}/")), 100).await;
    assert_eq!(answer.map(|_| ()), Err(Failure::Reset));
}

#[tokio::test]
async fn other_tasks_run_while_a_server_sends_without_a_pause() {
    let (address, _) = server("x", true).await;
    let stream = TcpStream::connect(address).await.expect("it listens");
    let mut stream = super::stream::Socket::new(stream);
    stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("it is written");
    let turns = Arc::new(AtomicUsize::new(0));
    let counting = turns.clone();
    tokio::spawn(async move {
        loop {
            counting.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let mut buffer = vec![0; 16 * 1024];
    let mut total = 0;
    while total < 64 * super::stream::TURN {
        total += stream.read(&mut buffer).await.expect("it goes on");
    }
    assert!(turns.load(Ordering::Relaxed) >= 63, "{turns:?}");
}

#[tokio::test]
async fn a_head_without_an_end_is_given_up() {
    let (address, _) = server(
        "HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        true,
    )
    .await;
    let answer = client(Proxies::default())
        .fetch(get(&format!("http://{address}/")), 100)
        .await;
    assert_eq!(answer.map(|_| ()), Err(Failure::Reset));
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("it is bound").port()
    };
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let plain_address = plain.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            // Whatever comes, and after the hello a word that is none of TLS.
            let mut hello = [0; 4096];
            drop(stream.read(&mut hello).await);
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let http = client(Proxies::default());
    for (uri, failure) in [
        (format!("http://127.0.0.1:{port}/"), Failure::Refused),
        ("http://backstop.invalid/".to_owned(), Failure::Dns),
        (format!("https://{plain_address}/"), Failure::Tls),
    ] {
        let answer = http.fetch(get(&uri), 100).await;
        assert_eq!(answer.map(|_| ()), Err(failure), "{uri}");
    }
}

/// A server that accepts a connection and never answers may have read the request.
#[tokio::test]
async fn a_request_has_left_once_there_is_a_connection_for_it() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("it is bound");
    let reads = async || {
        let (mut stream, _) = silent.accept().await.expect("a connection");
        stream.read_u8().await.expect("something comes");
        stream
    };
    let tunnel = proxies(&[("HTTPS_PROXY", format!("http://{address}"))]);
    for (proxies, uri, has_left) in [
        (Proxies::default(), format!("http://{address}/"), true),
        (Proxies::default(), format!("https://{address}/"), false),
        (tunnel, "https://intake.example.com/".to_owned(), false),
    ] {
        let http = client(proxies);
        let mut request = get(&uri);
        *request.body_mut() = Bytes::from_static(b"records");
        let departure = Departure::default();
        let asking = departure.around(http.fetch(request, 100));
        tokio::select! {
            answer = asking => panic!("{uri}: {answer:?}"),
            _ = reads() => {}
        }
        assert_eq!(departure.has_left(), has_left, "{uri}");
    }
}

#[tokio::test]
async fn a_request_in_plain_http_goes_to_its_proxy_with_its_whole_address_and_the_credentials() {
    let (address, heard) = server(OK, false).await;
    let http = client(proxies(&[(
        "http_proxy",
        format!("user:hunter2@{address}"),
    )]));
    let answer = http
        .fetch(get("http://collector.internal:4318/v1/logs?x=y"), 100)
        .await;
    assert_eq!(answer.expect("it answers").status(), 200);
    let heard = heard.lock().expect("no one panics").join("").to_lowercase();
    assert!(
        heard.starts_with("get http://collector.internal:4318/v1/logs?x=y http/1.1\r\n"),
        "{heard}"
    );
    assert!(
        heard.contains("\r\nproxy-authorization: basic dxnlcjpodw50zxiy\r\n"),
        "{heard}"
    );
    assert!(
        heard.contains("\r\nhost: collector.internal:4318\r\n"),
        "{heard}"
    );
}

#[tokio::test]
async fn a_request_over_tls_goes_through_a_tunnel_and_the_credentials_stay_outside_it() {
    let (address, heard) = server("HTTP/1.1 200 Connection established\r\n\r\nno TLS", false).await;
    let http = client(proxies(&[(
        "HTTPS_PROXY",
        format!(" http://user:hunter2@{address} "),
    )]));
    let answer = http.fetch(get("https://intake.example.com/v1"), 100).await;
    // What follows the tunnel's head is not TLS, and never comes to the request.
    assert!(answer.is_err());
    let heard = heard.lock().expect("no one panics").join("");
    assert_eq!(
        heard,
        format!(
            "CONNECT intake.example.com:443 HTTP/1.1\r\nHost: intake.example.com:443\r\nUser-Agent: {}\r\n\
             Proxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n\r\n",
            OURSELVES.to_str().expect("it is ASCII")
        )
    );
}

#[tokio::test]
async fn a_proxy_that_wants_other_credentials_says_so_and_one_that_fails_is_no_answer() {
    for (answer, expected) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            Ok(407),
        ),
        ("HTTP/1.0 407\r\n\r\n", Ok(407)),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Err(Failure::Refused)),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", Err(Failure::Refused)),
        ("HTTP/1.1 100 Continue\r\n\r\n", Err(Failure::Refused)),
        ("HTTP/1.1 \u{e4}\u{e4}\u{e4}\r\n\r\n", Err(Failure::Refused)),
        ("\r\n\r\n", Err(Failure::Refused)),
        ("", Err(Failure::Refused)),
    ] {
        let (address, _) = server(answer, false).await;
        let http = client(proxies(&[("HTTPS_PROXY", address.to_string())]));
        let outcome = http.fetch(get("https://intake.example.com/"), 100).await;
        let status = outcome.map(|answer| answer.status().as_u16());
        assert_eq!(status, expected, "{answer}");
    }
}

#[tokio::test]
async fn a_proxys_head_without_an_end_is_given_up() {
    let (address, _) = server("HTTP/1.1 200 OK\r\nx: y", true).await;
    let http = client(proxies(&[("HTTPS_PROXY", address.to_string())]));
    let answer = http.fetch(get("https://intake.example.com/"), 100).await;
    assert_eq!(answer.map(|_| ()), Err(Failure::Refused));
}

#[tokio::test]
async fn a_host_among_the_exceptions_is_asked_directly() {
    let (address, heard) = server(OK, false).await;
    let http = client(proxies(&[
        ("http_proxy", address.to_string()),
        ("NO_PROXY", "backstop.invalid".to_owned()),
    ]));
    let answer = http.fetch(get("http://backstop.invalid/"), 100).await;
    assert_eq!(answer.map(|_| ()), Err(Failure::Dns));
    assert_eq!(*heard.lock().expect("no one panics"), [""; 0]);
}

#[test]
fn an_address_that_the_settings_let_through_is_taken_as_it_is() {
    for (address, scheme, host, port) in [
        (
            "https://xn--bcher-kva.example/v1",
            "https",
            "xn--bcher-kva.example",
            None,
        ),
        (
            "HTTPS://intake.example.com:8443/a/../b?x=%2F",
            "https",
            "intake.example.com",
            Some(8443),
        ),
        ("http://[::1]:4318?x", "http", "[::1]", Some(4318)),
    ] {
        let request = get(address);
        let uri = request.uri();
        assert_eq!(
            (uri.scheme_str(), uri.host(), uri.port_u16()),
            (Some(scheme), Some(host), port)
        );
    }
}
