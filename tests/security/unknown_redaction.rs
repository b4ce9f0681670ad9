//! A mistake that leaves open what to redact: nothing leaves, and each record is counted.

use std::time::Duration;

use backstop_simulator::traffic::FunctionRecord;
use backstop_simulator::{EnvironmentBuilder, Invocation, ShutdownReason};
use backstop_tests::{Outcome, World};
use serde_json::Value;
use tempfile::TempDir;

use crate::secrets::read_all;

const SECRET: &str = "ann@example.com";
const LINE: &str = "an ordinary line";

fn lines() -> Invocation {
    let lines: Vec<FunctionRecord> = vec![format!("{LINE} of {SECRET}\n").into()];
    Invocation {
        lines,
        duration: Duration::from_millis(15),
        ..Invocation::default()
    }
}

/// Where the mistake is.
#[derive(Debug, Clone)]
enum Mistake {
    Variable(&'static str, String),
    /// In the file that `BACKSTOP_CONFIG` names; `None` where there is none.
    File(Option<Vec<u8>>),
}

fn all() -> Vec<Mistake> {
    let variables = [
        ("BACKSTOP_CONFIG", "ssm:"),
        ("BACKSTOP_CONFIG", "SSM:/team/backstop"),
        ("BACKSTOP_CONFIG", "{{ssm:/team/backstop}}"),
        ("BACKSTOP_CONFIG", "ssm:{{x}}"),
        ("BACKSTOP_CONFIG", "ssm:arn:aws:ssm:eu-west-1"),
        ("BACKSTOP_CONFIG", "/tmp"),
        ("BACKSTOP_REDACT", "e-mail"),
        ("BACKSTOP_REDACT", "card,/ann@(/"),
        ("BACKSTOP_REDACT", "card,/ann@"),
        ("BACKSTOP_REDCT", "email"),
    ];
    let variables = variables.map(|(name, value)| Mistake::Variable(name, value.to_owned()));
    let files = [
        None,
        Some(vec![b'#'; 70_000]),
        Some(b"BACKSTOP_REDACT=email\n\xff".to_vec()),
        Some(b"BACKSTOP_REDACT:email\n".to_vec()),
        Some(b"BACKSTOP_REDACT=card\nBACKSTOP_REDACT=email\n".to_vec()),
        Some(b"BACKSTOP_REDACT=e-mail\n".to_vec()),
        Some(b"BACKSTOP_REDACT=/(/\n".to_vec()),
        Some(b"BACKSTOP_REDCT=email\n".to_vec()),
    ];
    variables
        .into_iter()
        .chain(files.map(Mistake::File))
        .collect()
}

impl Mistake {
    fn in_environment(&self, world: &World, sandbox: &TempDir) -> EnvironmentBuilder {
        let environment = world
            .environment()
            .env("BACKSTOP_LOG_LEVEL", "debug")
            .env("BACKSTOP_INSIGHTS", "true")
            .env("TMPDIR", sandbox.path().display().to_string())
            .temp_dir(sandbox.path());
        match self {
            Self::Variable(name, value) => environment.env(*name, value.clone()),
            Self::File(text) => {
                let path = sandbox.path().join("backstop.env");
                if let Some(text) = text {
                    std::fs::write(&path, text).unwrap();
                }
                environment.env("BACKSTOP_CONFIG", path.display().to_string())
            }
        }
    }
}

/// One environment's life: what its log says, and everything that left it in another way.
async fn lived(
    world: &World,
    environment: EnvironmentBuilder,
    sandbox: &TempDir,
) -> (Outcome, String) {
    let environment = environment.start().await.unwrap();
    for _ in 0..2 {
        environment.invoke(lines()).await.unwrap();
    }
    let mut left = String::new();
    read_all(sandbox.path(), &mut left);
    let outcome = world
        .settle_after(ShutdownReason::Failure, &environment, 0)
        .await
        .unwrap();
    read_all(sandbox.path(), &mut left);
    left.push_str(&world.intake.lines().join("\n"));
    left.extend(outcome.archived.iter().map(Value::to_string));
    (outcome, left)
}

#[tokio::test]
async fn while_it_is_not_known_what_to_redact_nothing_leaves_and_each_record_is_counted() {
    for mistake in all() {
        let world = World::start().await.unwrap();
        world.intake.keep_lines(true);
        let sandbox = TempDir::new().unwrap();
        let environment = mistake.in_environment(&world, &sandbox);
        let (outcome, left) = lived(&world, environment, &sandbox).await;
        outcome.assert_adds_up();
        let stderr = outcome.stderr();
        assert_eq!(outcome.delivered("https"), 0, "{mistake:?}");
        assert!(outcome.dropped("shutdown") >= 2, "{mistake:?}: {stderr}");
        assert_eq!(
            outcome.dropped("shutdown"),
            outcome.ledger("received") - outcome.dropped("own_log"),
            "{mistake:?}: {stderr}"
        );
        let all = format!("{left}{stderr}");
        assert!(
            !all.contains(SECRET) && !all.contains(LINE),
            "{mistake:?}: {all}"
        );
        for words in [
            "nothing is sent until it is corrected",
            "Lost records",
            "none may leave",
        ] {
            assert!(stderr.contains(words), "{mistake:?}: {stderr}");
        }
    }
}

#[tokio::test]
async fn what_the_environment_redacts_is_known_whatever_is_wrong_with_the_file() {
    for mistake in [
        Mistake::Variable("BACKSTOP_CONFIG", "ssm:".to_owned()),
        Mistake::File(None),
        Mistake::File(Some(b"BACKSTOP_REDACT=e-mail\nnonsense".to_vec())),
    ] {
        let world = World::start().await.unwrap();
        world.intake.keep_lines(true);
        let sandbox = TempDir::new().unwrap();
        let environment = mistake
            .in_environment(&world, &sandbox)
            .env("BACKSTOP_REDACT", "email");
        let (outcome, left) = lived(&world, environment, &sandbox).await;
        outcome.assert_adds_up();
        let stderr = outcome.stderr();
        assert!(
            stderr.contains("Invalid configuration"),
            "{mistake:?}: {stderr}"
        );
        assert!(
            left.contains(LINE) && !left.contains(SECRET),
            "{mistake:?}: {left}"
        );
    }
}
