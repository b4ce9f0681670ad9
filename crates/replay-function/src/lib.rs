//! The replay as a Lambda function.
//!
//! In the order in which an invocation meets them: `event` says what is asked for, `app` has the clients and
//! replays objects by [`backstop_replay`], `messages` and `items` are the two engines (a queue, a Distributed
//! Map), `refusal` tells a reason to stop from one bad object, `breaker` stops
//! all environments, `probe` looks (`scan`) and begins, `state` is what is remembered, `report` the
//! line in the log.
//!
//! Invariants: an object is acknowledged only once all of it is at the primary or it is in the dead-letter
//! queue with its reason; a primary that is down, or refuses the credentials, costs no object its place in the
//! queue; what is held does not grow with an object. Must not: print anything but its report.

mod app;
mod aws;
mod breaker;
mod event;
mod items;
mod messages;
mod probe;
mod refusal;
mod report;
mod scan;
mod settings;
mod state;

use backstop_config::{ProcessEnvironment, Settings as Extension};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};

use app::{App, stop_before};
use aws::Clients;
use event::{Event, Message};
use report::Report;
use settings::Settings;
use state::Halted;

/// The function: what it is set to do, or why it cannot.
#[derive(Debug)]
pub struct Function(Result<App, String>);

impl Function {
    /// As the environment of this process says.
    pub fn of_environment() -> Self {
        let settings = Settings::of(&ProcessEnvironment);
        Self(match settings {
            Ok(settings) => Ok(App::new(settings)),
            Err(error) => Err(format!("{error:#}")),
        })
    }

    /// Handles an invocation.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let (event, Context { deadline, .. }) = event.into_parts();
        let event = Event::parse(event).map_err(|problem| failure("Event", problem))?;
        let app = match &self.0 {
            Ok(app) => app,
            Err(problem) => return unset(&event, problem).await,
        };
        let error = |error: anyhow::Error| failure("Error", &format!("{error:#}"));
        match event {
            Event::Messages(messages) => {
                let stop = stop_before(deadline, None);
                Ok(app.messages(&messages, &stop).await)
            }
            Event::Items(items) => app.items(items, &stop_before(deadline, None)).await,
            Event::Probe => app.probe(deadline, true).await.map_err(error),
            Event::Resume => app.probe(deadline, false).await.map_err(error),
            Event::Halt(reason) => {
                let is_new = app.trip(&Halted::by_hand(&reason)).await.map_err(error)?;
                let answer = json!({ "outcome": "stopped", "reason": reason, "isNew": is_new });
                Report::of(&app.settings.function)
                    .say("halt", answer.clone())
                    .write();
                Ok(answer)
            }
            Event::Nothing => Ok(json!({ "outcome": "nothing" })),
        }
    }
}

/// A function that is set wrongly would receive each message until the dead-letter queue has it: it asks for
/// no more of them.
async fn unset(event: &Event, problem: &str) -> Result<Value, Diagnostic> {
    if let Event::Messages(messages) = event {
        let (extension, _) = Extension::resolve(&ProcessEnvironment);
        let name = &extension.function.name;
        let clients = Clients::new(&extension.aws, &extension.aws.region, &ProcessEnvironment);
        let arn = messages.first().map_or("", |it: &Message| &it.queue_arn);
        if let Err(error) = breaker::set_mapping(&clients.lambda, name, arn, false).await {
            return Err(failure("Configuration", &format!("{problem}\n{error:#}")));
        }
    }
    Err(failure("Configuration", problem))
}

fn failure(kind: &str, message: &str) -> Diagnostic {
    Diagnostic {
        error_type: kind.to_owned(),
        error_message: message.to_owned(),
    }
}
