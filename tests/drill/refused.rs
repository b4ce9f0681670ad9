//! What is refused is refused before anything is invoked or changed, with the reason and the way out.

use backstop_fake_aws::{FunctionSpec, Metric};

use crate::Finished;
use crate::stage::{Stage, here};

#[tokio::test(flavor = "multi_thread")]
async fn what_would_prove_nothing_or_hurt_somebody_is_refused() {
    type Spoil = fn(&mut FunctionSpec);
    let cases: [(Spoil, &str); 7] = [
        (
            |it| drop(it.environment.remove("BACKSTOP_S3_BUCKET")),
            "it has no archive, so the drill would lose records: set BACKSTOP_S3_BUCKET",
        ),
        (
            |it| it.reserved_concurrency = Some(0),
            "its reserved concurrency is 0; raise it",
        ),
        (|it| it.layers.clear(), "run `backstop attach orders` first"),
        (
            |it| drop(it.environment.remove("BACKSTOP_PRIMARY_URL")),
            "it has no valid primary",
        ),
        (|it| it.state = Some("Inactive"), "its state is Inactive"),
        (
            |it| {
                it.environment
                    .insert("BACKSTOP_CONFIG".to_owned(), "backstop.env".to_owned());
            },
            "BACKSTOP_CONFIG names a file with settings",
        ),
        (
            |it| it.package_type = backstop_fake_aws::PackageType::Image,
            "a container image",
        ),
    ];
    for (spoil, part) in cases {
        let stage = Stage::set().await;
        stage.plane.change(&here(), "orders", spoil);
        let before = stage.plane.snapshot();
        let refused = Finished::from(stage.drill(&["--yes"]).output().await.unwrap());
        assert_eq!(refused.code, Some(5), "{part}: {refused:?}");
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        assert_eq!(stage.plane.snapshot(), before, "{part}");
        assert_eq!(stage.plane.count("Invoke"), 0, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_and_aliases_are_refused_unless_it_is_said_that_they_may_be() {
    let stage = Stage::set().await;
    let metric = |sum| {
        let plane = &stage.plane;
        plane.set_metric(&here(), "orders", Metric::Invocations, sum);
    };
    metric(Some(7.0));
    let refused = Finished::from(stage.drill(&["--yes"]).output().await.unwrap());
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(
        refused.stderr.contains("7 invocations in the last 3 hours"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("--live"), "{refused:?}");
    let live = stage
        .drill(&["--yes", "--live", "--invocations", "1"])
        .output()
        .await;
    assert_eq!(live.unwrap().status.code(), Some(0));
    metric(None);

    stage.plane.deny("GetMetricData");
    let unknown = Finished::from(stage.drill(&["--yes"]).output().await.unwrap());
    assert_eq!(unknown.code, Some(5), "{unknown:?}");
    assert!(
        unknown.stderr.contains("grant cloudwatch:GetMetricData"),
        "{unknown:?}"
    );
    stage.plane.allow("GetMetricData");

    let alias = stage.run(&["drill", "orders:live", "--yes"]).await;
    assert_eq!(alias.code, Some(5), "{alias:?}");
    assert!(
        alias
            .stderr
            .contains("orders:live runs a published version"),
        "{alias:?}"
    );

    let asked = Finished::from(stage.drill(&[]).output().await.unwrap());
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert!(asked.stderr.contains("give --yes"), "{asked:?}");
}
