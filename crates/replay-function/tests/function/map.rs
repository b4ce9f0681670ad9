//! Batches of a Distributed Map.

use serde_json::{Value, json};

use crate::stage::{MINUTE, Stage, key};

fn batch(stage: &Stage, keys: &[String]) -> Value {
    let items = keys.iter().map(|key| {
        let size = stage.s3.object_bytes(key).map_or(0, |bytes| bytes.len());
        json!({ "Key": key, "Size": size, "Etag": "\"e\"", "StorageClass": "STANDARD" })
    });
    json!({ "BatchInput": {}, "Items": items.collect::<Vec<_>>() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_succeeds_as_a_whole_or_says_which_objects_are_left() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..6, 3);
    let keys: Vec<String> = (0..6).map(key).collect();
    for turn in 0..2 {
        let answer = stage.invoke(batch(&stage, &keys), MINUTE).await.unwrap();
        assert_eq!(answer["objects"], 6, "{answer}");
        assert_eq!(answer["sent"], if turn == 0 { 18 } else { 0 }, "{answer}");
    }
    stage.assert_once(&ids);

    let damaged = "backstop/v1/account=1/region=r/function=f/dt=2026-01-31/hour=08/d.gz";
    stage.put(damaged, b"foreign\n");
    let failed = stage
        .invoke(batch(&stage, &[damaged.to_owned()]), MINUTE)
        .await
        .unwrap_err();
    assert_eq!(failed["errorType"], "Poison", "{failed}");
    let result: Value = serde_json::from_str(failed["errorMessage"].as_str().unwrap()).unwrap();
    assert_eq!(result["poison"][0]["key"], damaged);

    stage.archive(6..8, 3);
    stage
        .intake
        .require_header(Some(("authorization", "Bearer other")));
    let keys: Vec<String> = (6..8).map(key).collect();
    for _ in 0..2 {
        let failed = stage
            .invoke(batch(&stage, &keys), MINUTE)
            .await
            .unwrap_err();
        assert_eq!(failed["errorType"], "Halted", "{failed}");
    }
    stage.intake.require_header(None);
    assert_eq!(stage.mode("resume").await["outcome"], "resumed");
    assert!(stage.invoke(batch(&stage, &keys), MINUTE).await.is_ok());
}
