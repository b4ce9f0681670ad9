//! Code and layers behind their URLs.

use std::io::Cursor;

use backstop_fake_aws::{FunctionSpec, PackageType};
use serde_json::Value;

use super::{CONFIGURATION, FUNCTION, LAYER, Rig, here, text, zip};

async fn read(rig: &Rig, url: &str, range: Option<&str>) -> (u16, Option<String>, Vec<u8>) {
    let mut request = rig.1.get(url);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let response = request.send().await.unwrap();
    let shown = response.headers().get("content-range");
    let shown = shown.map(|value| value.to_str().unwrap().to_owned());
    (
        response.status().as_u16(),
        shown,
        response.bytes().await.unwrap().to_vec(),
    )
}

async fn location(rig: &Rig) -> String {
    text(&rig.get(FUNCTION).await.1["Code"]["Location"])
}

#[tokio::test]
async fn code_is_a_zip_that_unzips_to_as_much_as_the_function_is_said_to() {
    let unzipped_bytes = 3_000_001;
    let rig = Rig::with(FunctionSpec {
        unzipped_bytes,
        ..FunctionSpec::default()
    });
    let url = location(&rig).await;
    let (status, shown, whole) = read(&rig, &url, None).await;
    assert_eq!((status, shown), (200, None));
    let (_, configuration) = rig.get(CONFIGURATION).await;
    assert_eq!(configuration["CodeSize"], whole.len());
    let mut archive = zip::ZipArchive::new(Cursor::new(&whole)).unwrap();
    let sizes: Vec<u64> = (0..archive.len())
        .map(|index| archive.by_index_raw(index).unwrap().size())
        .collect();
    assert!(sizes.len() > 1);
    assert_eq!(sizes.iter().sum::<u64>(), unzipped_bytes);

    // The directory is at the end, which is all that one has to read.
    let length = whole.len();
    let (status, shown, end) = read(&rig, &url, Some("bytes=-400")).await;
    assert_eq!(status, 206);
    assert_eq!(
        shown.unwrap(),
        format!("bytes {}-{}/{length}", length - 400, length - 1)
    );
    assert_eq!(end, whole[length - 400..]);
    // A version's is what was published.
    rig.0.publish_version(&here(), "orders");
    rig.0
        .change(&here(), "orders", |spec| spec.unzipped_bytes = 9_000_000);
    let (_, version) = rig.get(&format!("{FUNCTION}?Qualifier=1")).await;
    let of_version = text(&version["Code"]["Location"]);
    let (_, shown, _) = read(&rig, &of_version, Some("bytes=0-0")).await;
    assert_eq!(shown.unwrap(), format!("bytes 0-0/{length}"));
    rig.0.change(&here(), "orders", |spec| {
        spec.unzipped_bytes = unzipped_bytes;
    });
    let (status, _, start) = read(&rig, &url, Some("bytes=0-3")).await;
    assert_eq!((status, start.as_slice()), (206, &b"PK\x03\x04"[..]));
    assert_eq!(
        read(&rig, &url, Some(&format!("bytes={length}-"))).await.0,
        416
    );
    assert_eq!(rig.0.count("GetContent"), 5);
}

#[tokio::test]
async fn urls_expire_and_are_for_one_method() {
    let rig = Rig::new();
    let url = location(&rig).await;
    rig.0.set_content_expired(true);
    assert_eq!(read(&rig, &url, None).await.0, 403);
    rig.0.set_content_expired(false);
    assert_eq!(read(&rig, &url, None).await.0, 200);
    assert_eq!(
        rig.1.head(&url).send().await.unwrap().status().as_u16(),
        403
    );
    let gone = url.replace("orders", "others");
    assert_eq!(read(&rig, &gone, None).await.0, 404);
    let statuses: Vec<u16> = (rig.0.calls().into_iter())
        .filter(|call| call.operation == "GetContent")
        .map(|call| call.status)
        .collect();
    assert_eq!(statuses, [403, 200, 403, 404]);
}

#[tokio::test]
async fn a_layer_is_read_as_it_was_published() {
    let rig = Rig::new();
    let (_, published) = rig.publish(&here(), 500).await;
    let url = text(&published["Content"]["Location"]);
    let (status, _, whole) = read(&rig, &url, None).await;
    assert_eq!((status, &whole), (200, &zip(500)));
    assert_eq!(published["Content"]["CodeSize"], whole.len());
    let (status, _, end) = read(&rig, &url, Some("bytes=-22")).await;
    assert_eq!((status, end.as_slice()), (206, &whole[whole.len() - 22..]));
    let (_, read_again) = rig.get(&format!("{LAYER}/1")).await;
    assert_eq!(
        read_again["Content"]["Location"],
        published["Content"]["Location"]
    );
}

#[tokio::test]
async fn the_same_code_has_the_same_hash_and_an_image_has_no_url() {
    let rig = Rig::with(FunctionSpec {
        code: "shared".to_owned(),
        ..FunctionSpec::default()
    });
    for (name, code, package_type) in [
        ("same", "shared", PackageType::Zip),
        ("own", "", PackageType::Zip),
        ("image", "", PackageType::Image),
    ] {
        let spec = FunctionSpec {
            name: name.to_owned(),
            code: code.to_owned(),
            package_type,
            ..FunctionSpec::default()
        };
        rig.0.add_function(&here(), spec);
    }
    let path = |name: &str| FUNCTION.replace("orders", name);
    let (_, orders) = rig.get(FUNCTION).await;
    let (_, same) = rig.get(&path("same")).await;
    let (_, own) = rig.get(&path("own")).await;
    let hash = |function: &Value| text(&function["Configuration"]["CodeSha256"]);
    assert_eq!(hash(&orders), hash(&same));
    assert_ne!(hash(&orders), hash(&own));
    let (_, image) = rig.get(&path("image")).await;
    assert_eq!(
        (&image["Code"]["RepositoryType"], &image["Code"]["Location"]),
        (&"ECR".into(), &Value::Null)
    );
}
