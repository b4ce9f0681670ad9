//! A sink whose answers a test sets: the tests of the chain script it, and the model draws at
//! random what it does.
//!
//! It knows records by a number, which the test chooses. What the sink has, and whether the chain heard of it,
//! goes to a [`Witness`].
//!
//! Invariants: a sink has a record exactly if the witness was told; what was heard was taken before. No
//! network, and no time but tokio's.

mod behaviour;
mod layout;

use std::ops::Range;
use std::time::Duration;

use backstop_delivery::{Answer, Cause, Departure, Failure, PartAnswer, Verdict};
use tokio::sync::oneshot;
use tokio::time::sleep;

pub use behaviour::{SinkBehaviour, Which};
pub use layout::Layout;

/// Sees what a sink does with records.
pub trait Witness: Clone + Send + Sync + 'static {
    /// The sink has these from now on. Where they stand among all that it has.
    fn take(&self, numbers: &[u64]) -> Range<usize>;

    /// The answer with which the sink said so was read.
    fn hear(&self, taken: Range<usize>);

    /// The sink refused these, and no others with them.
    fn refuse(&self, numbers: &[u64]);
}

/// The records of a request, by number.
#[derive(Debug, Clone)]
pub struct Request {
    /// Those of each part that the sink takes or refuses as a whole.
    pub units: Vec<Vec<u64>>,
    /// Whether each of those is a record, and the answer says so.
    pub of_records: bool,
    /// How long the test has run.
    pub elapsed: Duration,
}

impl Request {
    fn numbers(&self) -> Vec<u64> {
        self.units.concat()
    }

    /// What a sink says of each unit.
    fn each(&self, answers: Vec<PartAnswer>, code: u16) -> Answer {
        if self.of_records {
            return Answer::Records {
                records: answers,
                refused: Some(Box::new(Cause::of_status(code, None))),
                waiting: None,
            };
        }
        Answer::Parts {
            parts: answers,
            code,
            detail: None,
        }
    }

    /// Those of the units of which this was said.
    fn of(&self, answers: &[PartAnswer], wanted: &[PartAnswer]) -> Vec<u64> {
        let both = self.units.iter().zip(answers);
        let those = both.filter(|(_, answer)| wanted.contains(answer));
        those.flat_map(|(unit, _)| unit.iter().copied()).collect()
    }
}

/// What the sink says to a request.
pub async fn answer<W: Witness>(behaviour: SinkBehaviour, request: Request, witness: &W) -> Answer {
    let numbers = request.numbers();
    let behaviour = behaviour.at(request.elapsed);
    if !matches!(behaviour, SinkBehaviour::Unreached) {
        Departure::current().leave();
    }
    match behaviour {
        SinkBehaviour::Status(code) => status(code, &numbers, witness),
        SinkBehaviour::After(wait, code) => {
            sleep(wait).await;
            status(code, &numbers, witness)
        }
        SinkBehaviour::RetryAfter(code, after) => Answer::Status {
            code,
            retry_after: Some(after),
            detail: None,
        },
        SinkBehaviour::Judged(verdict, code) => {
            if verdict == Verdict::Delivered {
                witness.hear(witness.take(&numbers));
            }
            Answer::Judged {
                verdict,
                code,
                detail: None,
            }
        }
        SinkBehaviour::Nothing(failure) => Answer::None(failure),
        SinkBehaviour::Breaks { after, has_taken } => {
            sleep(after).await;
            if has_taken {
                witness.take(&numbers);
            }
            Answer::None(Failure::Reset)
        }
        SinkBehaviour::Hang | SinkBehaviour::Unreached | SinkBehaviour::DownIn(..) => {
            std::future::pending().await
        }
        SinkBehaviour::Late(wait) => late(wait, numbers, witness).await,
        SinkBehaviour::Unread(wait) => {
            sleep(wait).await;
            let taken = witness.take(&numbers);
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            witness.hear(taken);
            Answer::status(200)
        }
        SinkBehaviour::Each(answers) => each(&request, answers, witness),
        SinkBehaviour::Parts(fate, indices) => {
            let taken = (0..request.units.len()).map(|index| !indices.contains(&index));
            let answers = taken.map(|is_taken| if is_taken { PartAnswer::Taken } else { fate });
            each(&request, answers.collect(), witness)
        }
        SinkBehaviour::Records(answers) => each_record(&numbers, answers, witness),
        SinkBehaviour::Judge { every, after } => {
            sleep(after).await;
            judge(every, &request, witness)
        }
        SinkBehaviour::Names {
            wrong,
            after,
            keeps_before,
        } => {
            sleep(after).await;
            name_one(&wrong, keeps_before, &numbers, witness)
        }
        SinkBehaviour::Unnamed(wrong, after) => {
            sleep(after).await;
            count_refused(&wrong, &numbers, witness)
        }
        SinkBehaviour::Refuses(code, wrong, after) => {
            sleep(after).await;
            if numbers.iter().any(|number| wrong.has(*number)) {
                if let [alone] = numbers[..] {
                    witness.refuse(&[alone]);
                }
                return Answer::status(code);
            }
            status(200, &numbers, witness)
        }
        SinkBehaviour::TooLarge { most, never } => {
            let has_never = never.is_some_and(|never| numbers.contains(&never));
            let code = if numbers.len() > most || has_never {
                413
            } else {
                200
            };
            status(code, &numbers, witness)
        }
    }
}

/// A success takes everything, and anything else nothing.
fn status(code: u16, numbers: &[u64], witness: &impl Witness) -> Answer {
    if (200..300).contains(&code) {
        witness.hear(witness.take(numbers));
    }
    Answer::status(code)
}

/// Goes on also where nobody listens any more.
async fn late<W: Witness>(wait: Duration, numbers: Vec<u64>, witness: &W) -> Answer {
    let (reply, answer) = oneshot::channel();
    let taking = witness.clone();
    tokio::spawn(async move {
        sleep(wait).await;
        // Not read: what was taken stays unheard.
        drop(reply.send(taking.take(&numbers)));
    });
    match answer.await {
        Ok(taken) => {
            witness.hear(taken);
            Answer::status(200)
        }
        Err(_) => Answer::None(Failure::Reset),
    }
}

/// This of each unit.
fn each(request: &Request, answers: Vec<PartAnswer>, witness: &impl Witness) -> Answer {
    take_units(request, &answers, witness);
    request.each(answers, 503)
}

/// This of each record, whatever the parts are.
fn each_record(numbers: &[u64], answers: Vec<PartAnswer>, witness: &impl Witness) -> Answer {
    let both = numbers.iter().zip(&answers);
    let taken = both.filter(|(_, answer)| **answer == PartAnswer::Taken);
    let taken: Vec<u64> = taken.map(|(number, _)| *number).collect();
    witness.hear(witness.take(&taken));
    Answer::Records {
        records: answers,
        refused: Some(Box::new(Cause::of_status(400, None))),
        waiting: Some(Box::new(Cause::of_status(429, None))),
    }
}

/// The sink also keeps units of which the chain does not hear.
fn take_units(request: &Request, answers: &[PartAnswer], witness: &impl Witness) {
    witness.hear(witness.take(&request.of(answers, &[PartAnswer::Taken])));
    witness.take(&request.of(answers, &[PartAnswer::Unheard]));
}

/// Each unit by itself.
fn judge(every: u64, request: &Request, witness: &impl Witness) -> Answer {
    let judge_one = |unit: &Vec<u64>| {
        let has = |offset: u64| {
            unit.iter()
                .any(|number| (number + offset).is_multiple_of(every))
        };
        match (has(0), has(1)) {
            (true, _) => PartAnswer::Refused,
            (_, true) => PartAnswer::Retry,
            _ => PartAnswer::Taken,
        }
    };
    let answers: Vec<PartAnswer> = request.units.iter().map(judge_one).collect();
    witness.refuse(&request.of(&answers, &[PartAnswer::Refused]));
    take_units(request, &answers, witness);
    request.each(answers, 400)
}

/// Refuses the request for its first wrong record, and says which that is.
fn name_one(wrong: &Which, keeps_before: bool, numbers: &[u64], witness: &impl Witness) -> Answer {
    let Some(index) = numbers.iter().position(|number| wrong.has(*number)) else {
        return status(200, numbers, witness);
    };
    witness.refuse(&numbers[index..=index]);
    if keeps_before {
        witness.take(&numbers[..index]);
    }
    Answer::Named {
        index,
        cause: Box::new(Cause::of_status(400, None)),
    }
}

/// Takes all but the wrong ones, and says how many those are. Nobody can send the others again.
fn count_refused(wrong: &Which, numbers: &[u64], witness: &impl Witness) -> Answer {
    let (refused, rest): (Vec<u64>, Vec<u64>) =
        numbers.iter().partition(|number| wrong.has(**number));
    if refused.is_empty() {
        return status(200, numbers, witness);
    }
    witness.take(&rest);
    witness.refuse(numbers);
    Answer::Unnamed {
        refused: refused.len(),
        code: 200,
    }
}
