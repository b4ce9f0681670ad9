//! Attach, undo, and what others do meanwhile.

use backstop_testkit::control_plane::FunctionSpec;

use crate::stage::{Stage, here};

#[tokio::test(flavor = "multi_thread")]
async fn attaching_and_undoing_leaves_every_function_as_it_was() {
    let stage = Stage::set().await;
    let theirs = stage.publish(&here(), "zeta", "theirs").await;
    let spec = FunctionSpec {
        layers: vec![theirs],
        environment: [("TABLE".to_owned(), "orders".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 20, &spec);
    let before: Vec<_> = (0..20)
        .map(|number| {
            stage
                .plane
                .configuration(&here(), &format!("orders-{number:03}"))
        })
        .collect();
    let attached = stage.attach(&["orders-*"]).await;
    println!("{}", attached.snapshot());
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let again = stage.attach(&["orders-*"]).await;
    println!("{}", again.snapshot());
    let runs = stage.run(&["runs"]).await;
    println!("{}", runs.snapshot());
    let undone = stage.run(&["undo", &attached.run(), "--yes"]).await;
    println!("{}", undone.snapshot());
    let after: Vec<_> = (0..20)
        .map(|number| {
            stage
                .plane
                .configuration(&here(), &format!("orders-{number:03}"))
        })
        .collect();
    assert_eq!(before, after);
}
