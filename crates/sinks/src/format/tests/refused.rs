//! What a receiver refuses, or drops after its success, is written otherwise.

use super::*;

/// New Relic drops a log with an array among its attributes, after it took the request; `OTel`'s SDKs give a process's
/// arguments as one.
#[test]
fn new_relic_gets_no_array_of_a_resource() {
    let fragment = event("function", r#""x""#);
    let mut item = item(1, &fragment);
    item.resource = Bytes::from_static(
        br#"{"faas.name":"f","process.command_args":["node","x"],"deep":{"a":[1]},"plain":{"a":"[1]"},"n":7,"text":"[]"}"#,
    );
    let format = logs_of(&primary(Name::NewRelic, FormatOptions::default()));
    let (plain, _) = body(&*format, &[item], Compression::None);
    let body: serde_json::Value = serde_json::from_slice(&plain).expect("it is JSON");
    let attributes = &body[0]["common"]["attributes"];
    for (name, value) in [
        (
            "process.command_args",
            serde_json::Value::from(r#"["node","x"]"#),
        ),
        ("deep", r#"{"a":[1]}"#.into()),
        ("n", 7.into()),
        ("text", "[]".into()),
    ] {
        assert_eq!(attributes[name], value, "{name}: {body}");
    }
}

/// Loki refuses a line whose metadata is above 64 KB, whatever is in it.
#[test]
fn what_is_said_of_a_lokis_line_is_less_than_it_takes() {
    let tags = (0..100).map(|at| format!(r#","tag{at}":"{}""#, "ü".repeat(3000)));
    let resource = format!(r#"{{"faas.name":"f"{}}}"#, tags.collect::<String>());
    let id = "i".repeat(5_000);
    let record = format!(r#"{{"requestId":"{id}","message":"m"}}"#);
    let fragment = event("function", &record);
    let mut item = item(1, &fragment);
    item.resource = Bytes::from(resource);
    let format = logs_of(&primary(Name::Loki, json()));
    let (plain, written) = body(&*format, &[item], Compression::None);
    assert_eq!(written.unfit, []);
    let body: serde_json::Value = serde_json::from_slice(&plain).expect("it is JSON");
    let metadata = body["streams"][0]["values"][0][2]
        .as_object()
        .expect("it has some");
    let size: usize = metadata
        .iter()
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
        .sum();
    assert!((40_000..64_000).contains(&size), "{size}");
}

/// What is nested deeper is read by no receiver; it arrives as text.
#[test]
fn what_is_nested_deep_is_no_deeper_message_than_receivers_read() {
    for (levels, is_text) in [(20, false), (21, true), (126, true)] {
        let value = format!("{}7{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        for record in [
            format!(r#"{{"deep":{value}}}"#),
            format!(r#"{{"deep":[{value}]}}"#),
        ] {
            let levels_of_arrays = usize::from(record.contains('['));
            let is_text = is_text || levels + levels_of_arrays > 20;
            for options in [FormatOptions::default(), json()] {
                let is_json = options.is_json;
                let format = logs_of(&primary(Name::Otlp, options));
                let fragments = [event("function", &record)];
                let (plain, _) = body(&*format, &items(&fragments), Compression::None);
                let stored = super::decode::decode(Name::Otlp, is_json, &plain).remove(0);
                let deep = &stored.whole["attributes"]["deep"];
                assert_eq!(
                    deep.is_string(),
                    is_text,
                    "{levels} {is_json} {}",
                    stored.whole
                );
            }
        }
    }
}
