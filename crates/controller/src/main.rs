//! The function's entry point: reads its settings, and answers invocations.
//!
//! Invariants: stdout has one line of metrics for each invocation, also for one whose settings or payload
//! are wrong; a request of `CloudFormation` is always answered; an invocation that failed, or whose events
//! must wait, is an error, so that SQS delivers them again.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backstop_controller::controller::Controller;
use backstop_controller::event::{self, Reply, Request};
use backstop_controller::settings::Settings;
use backstop_controller::{answer, result::metrics_of_failure};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::time::Instant;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve()),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "error: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    // A mistake in the settings is the answer to each invocation: CloudFormation must get one.
    let settings = Settings::read(|name| std::env::var(name).ok());
    let controller = Arc::new(settings.map(Controller::new));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let controller = Arc::clone(&controller);
        // Too large for the stack of every caller.
        async move { Box::pin(handle(&controller, event)).await }
    }))
    .await
}

async fn handle(
    controller: &Result<Controller, String>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let left = (UNIX_EPOCH + Duration::from_millis(event.context.deadline))
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    let deadline = Instant::now() + left;
    let reply = event::reply(&event.payload);
    let name = &event.context.env_config.function_name;
    let done = match controller {
        // Not even the settings are needed for it.
        _ if reply.as_ref().is_some_and(Reply::is_nothing_to_do) => Ok(Done::default()),
        Ok(controller) => invoke(controller, &event.payload, deadline, name).await,
        Err(problem) => Err(problem.clone()),
    };
    let done = done.unwrap_or_else(|problem| {
        let line = json!({ "error": problem });
        write(|now| metrics_of_failure(name, now), &line);
        Done {
            problem: Some(problem),
            ..Done::default()
        }
    });
    if let Some(reply) = reply {
        let body = answer::body(&reply, done.problem.as_deref(), done.has_attached);
        answer::send(&reply, &body).await?;
        // The stack knows: an error would only make Lambda invoke again.
        return Ok(Value::Null);
    }
    match done.problem {
        Some(problem) => Err(problem.into()),
        None => Ok(done.result),
    }
}

/// The result of an invocation, for its caller.
#[derive(Default)]
struct Done {
    result: Value,
    /// Why a caller that waits must not go on, or the events must come again.
    problem: Option<String>,
    /// Whether the resource has attached a function, or may have.
    has_attached: bool,
}

/// An error where it never came to a plan.
async fn invoke(
    controller: &Controller,
    payload: &Value,
    deadline: Instant,
    name: &str,
) -> Result<Done, String> {
    let request = event::read(payload, controller.name())?;
    let outcome = Box::pin(controller.handle(&request, deadline)).await;
    let result = serde_json::to_value(&outcome).unwrap_or_default();
    write(|now| outcome.metrics(name, now), &result);
    Ok(Done {
        problem: match request {
            // The result of a plan is for people; what fails in it has an alarm.
            Request::Everything => outcome.error.clone(),
            Request::Changed(_) => outcome.unfinished(),
            Request::Resource(_) => outcome.problem(),
        },
        has_attached: outcome.has_attached || !outcome.runs.is_empty(),
        result,
    })
}

/// The lines of an invocation: its metrics, and its result.
fn write(metrics: impl Fn(u128) -> Value, result: &Value) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let metrics = metrics(now.as_millis());
    // An invocation does not fail because a line cannot be written.
    writeln!(std::io::stdout(), "{metrics}\n{result}").ok();
}
