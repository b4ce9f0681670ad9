//! How the command reaches AWS: endpoints that are typed, proxies, and listings that never end.

use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use backstop_fake_aws::{FunctionSpec, Place};
use tokio::process::Command;

use crate::stage::{Finished, Stage, here};
use backstop_simulator::LittleServer;

/// A proxy that refuses everything, and the lines with which it was asked.
fn proxy() -> (String, Receiver<String>) {
    let (reported, asked) = channel();
    let server = LittleServer::start(move |path| {
        reported.send(path.to_owned()).ok();
        (403, String::new(), String::new())
    });
    (server.endpoint(), asked)
}

async fn status(stage: &Stage, variables: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let mut command = stage.backstop(&[&["status"], arguments].concat());
    command
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_MAX_ATTEMPTS", "1");
    command.envs(variables.iter().copied());
    command.output().await.unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_typed_is_preferred_to_those_of_the_environment() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let nowhere = "http://127.0.0.1:1";
    let variables: Vec<(&str, &str)> = ["", "_LAMBDA", "_STS", "_ACCOUNT", "_IAM"]
        .iter()
        .map(|it| match *it {
            "" => ("AWS_ENDPOINT_URL", nowhere),
            "_LAMBDA" => ("AWS_ENDPOINT_URL_LAMBDA", nowhere),
            "_STS" => ("AWS_ENDPOINT_URL_STS", nowhere),
            "_ACCOUNT" => ("AWS_ENDPOINT_URL_ACCOUNT", nowhere),
            _ => ("AWS_ENDPOINT_URL_IAM", nowhere),
        })
        .collect();
    let endpoint = stage.plane.endpoint();
    let finished = status(&stage, &variables, &["--endpoint-url", &endpoint]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    assert!(
        finished.stdout.contains("0 of 1 function"),
        "{}",
        finished.snapshot()
    );
}

/// To AWS there is a way through the proxy alone: what it is asked for is what would have been asked.
#[tokio::test(flavor = "multi_thread")]
async fn calls_go_through_the_proxy_that_is_set_unless_a_host_is_excepted() {
    let stage = Stage::set().await;
    for (variable, endpoint, asked_for) in [
        ("HTTPS_PROXY", None, "sts.eu-west-1.amazonaws.com:443"),
        ("all_proxy", None, "sts.eu-west-1.amazonaws.com:443"),
        (
            "HTTP_PROXY",
            Some("http://plane.invalid"),
            "http://plane.invalid/",
        ),
    ] {
        let (address, asked) = proxy();
        let address = address.replace("http://", "http://me:p%40ss@");
        let mut arguments = vec!["--timeout", "5"];
        arguments.extend(endpoint.iter().flat_map(|it| ["--endpoint-url", *it]));
        let finished = status(&stage, &[(variable, &address)], &arguments).await;
        assert_eq!(finished.code, Some(1), "{}", finished.snapshot());
        assert!(
            !finished.snapshot().contains("p%40ss"),
            "{}",
            finished.snapshot()
        );
        let first = asked.recv_timeout(Duration::from_secs(10));
        assert_eq!(
            first.as_deref(),
            Ok(asked_for),
            "{variable}: {}",
            finished.snapshot()
        );
    }
    // Directly, where there is nobody.
    let (address, asked) = proxy();
    let variables = [
        ("HTTP_PROXY", address.as_str()),
        ("NO_PROXY", "plane.invalid"),
    ];
    let finished = status(
        &stage,
        &variables,
        &["--endpoint-url", "http://plane.invalid"],
    )
    .await;
    assert_eq!(finished.code, Some(1), "{}", finished.snapshot());
    assert!(asked.try_recv().is_err(), "{}", finished.snapshot());
    // On this machine nobody asks a proxy.
    let (address, asked) = proxy();
    let endpoint = stage.plane.endpoint();
    let finished = status(
        &stage,
        &[("HTTP_PROXY", &address)],
        &["--endpoint-url", &endpoint],
    )
    .await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    assert!(asked.try_recv().is_err());
    let finished = status(
        &stage,
        &[("HTTPS_PROXY", "socks5://me:hunter2@host:1")],
        &[],
    )
    .await;
    assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
    assert!(
        !finished.stderr.contains("hunter2"),
        "{}",
        finished.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_repeats_its_token_is_ended() {
    let stage = Stage::set().await;
    let identity = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
                    <Arn>arn:aws:iam::111122223333:user/me</Arn><Account>111122223333</Account>\
                    </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let server = LittleServer::start(move |path| {
        if path.contains("/functions") {
            (
                200,
                String::new(),
                r#"{"Functions":[],"NextMarker":"again"}"#.to_owned(),
            )
        } else {
            (
                200,
                "content-type: text/xml\r\n".to_owned(),
                identity.to_owned(),
            )
        }
    });
    let finished = status(&stage, &[], &["--endpoint-url", &server.endpoint()]).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    assert!(
        finished.stdout.contains("repeats a continuation token"),
        "{}",
        finished.snapshot()
    );
}

/// Each account and region has a quota of its own, so all are asked at the same time.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn few_open_files_are_enough_for_many_places() {
    let accounts: Vec<String> = (0..10)
        .map(|it| format!("{:012}", 111_122_223_333_u64 + it))
        .collect();
    let regions = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2"];
    let places = accounts
        .iter()
        .flat_map(|account| regions.map(|region| Place::new(account, region)));
    let places: Vec<Place> = places.collect();
    let stage = Stage::in_places(&places[..4]).await;
    stage.plane.set_latency(Duration::from_millis(100));
    for place in &places {
        stage.add(place, "orders", 16, &FunctionSpec::default());
    }
    let mut command = Command::new("sh");
    let backstop = stage.backstop(&[]);
    let backstop = backstop.as_std();
    command
        .args(["-c", "ulimit -n 80 && exec \"$0\" \"$@\""])
        .arg(backstop.get_program())
        .args([
            "plan",
            "--all",
            "--role",
            "Operator",
            "--accounts",
            &accounts.join(","),
            "--regions",
        ])
        .args([
            &regions.join(","),
            "--rate",
            "10000",
            "--read-rate",
            "10000",
            "--output",
            "json",
        ])
        .env_clear()
        .current_dir(stage.directory.path())
        .kill_on_drop(true);
    for layer in stage.layers.values() {
        command.args(["--layer", layer]);
    }
    for (name, value) in backstop.get_envs() {
        command.env(name, value.expect("none is taken out"));
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let files = format!("/proc/{}/fd", child.id().unwrap());
    let finished = child.wait_with_output();
    tokio::pin!(finished);
    let mut most = 0;
    let finished: Finished = loop {
        tokio::select! {
            finished = &mut finished => break finished.unwrap().into(),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        most = most.max(std::fs::read_dir(&files).map_or(0, Iterator::count));
    };
    let plan = finished.json();
    let functions = plan["functions"].as_array().map(Vec::len);
    assert_eq!(functions, Some(640), "{}", finished.stderr);
    assert_eq!(plan["skipped"], serde_json::json!([]));
    assert!((20..75).contains(&most), "{most} files were open");
}
