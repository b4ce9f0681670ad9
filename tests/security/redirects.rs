//! A redirect leads nowhere: not the primary's token, not a signature of AWS, not even a record.

use backstop_simulator::{FakeIntake, Fault};
use backstop_tests::{World, in_parallel};

use crate::run;

#[tokio::test]
async fn no_sink_follows_a_redirect_to_another_host() {
    let runs = [301, 302, 303, 307, 308]
        .into_iter()
        .map(|status| async move {
            let world = World::start().await.unwrap();
            let elsewhere = FakeIntake::start_plaintext().await.unwrap();
            let redirect = Some(Fault::Redirect(status, elsewhere.address()));
            world.intake.set_fault(redirect).await.unwrap();
            world.firehose.set_fault(redirect).await.unwrap();
            world.s3.set_fault(redirect).await.unwrap();
            let environment = world
                .environment()
                .env("BACKSTOP_PRIMARY_TOKEN", "t0ken-value");
            let outcome = run(&world, environment).await;
            outcome.assert_adds_up();
            for (sink, requests) in [
                ("https", world.intake.requests()),
                ("firehose", world.firehose.requests()),
                ("s3", world.s3.requests()),
            ] {
                let codes: Vec<u16> = requests.into_keys().collect();
                assert_eq!(codes, [status], "{sink} was asked");
                assert_eq!(outcome.delivered(sink), 0);
            }
            let followed = elsewhere.requests();
            assert!(followed.is_empty(), "{status}: {followed:?}");
            assert!(
                outcome
                    .stderr()
                    .contains("redirects, which is not followed"),
                "{}",
                outcome.stderr()
            );
        });
    in_parallel(runs).await;
}
