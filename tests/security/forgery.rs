//! What a function logs is text, no matter who wrote it: never structure, a header or a key.

use std::time::Duration;

use backstop_simulator::traffic::FunctionRecord;
use backstop_simulator::{Environment, Fault, Invocation};
use backstop_tests::World;
use serde_json::{Value, json};

/// Texts that would mean something elsewhere.
fn texts() -> Vec<String> {
    [
        // Our own lines are not sent round; a function's line that looks like one is.
        r#"{"backstop":{"level":"ERROR","message":"hidden"}}"#,
        r#"{"backstop":{"ledger":{"received":0}}}"#,
        // Events of the platform, the end of the array, another element.
        r#"{"time":"t","type":"platform.runtimeDone","record":{"requestId":"x"}}"#,
        r#""}],[{"time":"t","type":"function","record":"#,
        "one\ntwo\r\nthree\u{2028}four\u{0}five\u{1b}[31m",
        "HTTP/1.1 200 OK\r\nx-injected: yes\r\n\r\n",
        "../../../etc/passwd",
        "${jndi:ldap://127.0.0.1/a} $(id) `id` %s%n {{7*7}} '; DROP TABLE logs; --",
    ]
    .map(str::to_owned)
    .into()
}

async fn log(environment: &Environment) {
    let lines = texts().into_iter().map(FunctionRecord::from);
    let invocation = Invocation {
        lines: lines.collect(),
        duration: Duration::from_millis(15),
        ..Invocation::default()
    };
    environment.invoke(invocation).await.unwrap();
}

/// Each text is the record of one line of type `function`.
#[track_caller]
fn assert_each_is_one_record(lines: &[Value]) {
    for text in texts() {
        let same = |line: &&Value| line["record"] == json!(text) && line["type"] == "function";
        assert_eq!(lines.iter().filter(same).count(), 1, "{text:?}");
    }
    let functions = lines.iter().filter(|line| line["type"] == "function");
    assert_eq!(functions.count(), texts().len());
}

#[tokio::test]
async fn whatever_a_function_logs_is_one_record_of_text_at_the_primary() {
    let world = World::start().await.unwrap();
    world.intake.keep_lines(true);
    let environment = world.environment().start().await.unwrap();
    log(&environment).await;
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_nothing_lost();
    let lines = world.intake.lines();
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_each_is_one_record(&lines);
}

#[tokio::test]
async fn whatever_a_function_logs_is_one_line_of_the_archive_and_in_no_key() {
    let world = World::start().await.unwrap();
    let down = Some(Fault::Status(503));
    world.intake.set_fault(down).await.unwrap();
    world.firehose.set_fault(down).await.unwrap();
    let environment = world.environment().start().await.unwrap();
    log(&environment).await;
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_nothing_lost();
    assert_each_is_one_record(&outcome.archived);
    let folder = "backstop/v1/account=123456789012/region=us-east-1/function=orders/dt=";
    for key in world.s3.object_keys().unwrap() {
        assert!(key.starts_with(folder), "{key}");
    }
}
