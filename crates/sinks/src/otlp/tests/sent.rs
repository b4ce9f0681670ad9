//! What is sent on of what was received.

use super::*;

#[test]
fn a_redacted_number_is_text_where_any_value_may_be_and_left_out_elsewhere() {
    let record = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"[x]","severityNumber":9,"attributes":[{"key":"a","value":{"intValue":"[x]"}},{"key":"b","value":{"doubleValue":"[x]"}}]}]}]}]}"#;
    let record: Box<RawValue> = serde_json::from_str(record).unwrap();
    let item = ReceivedItem::of(OTLP_LOGS, record.get()).unwrap();
    let mut out = Vec::new();
    item.write(
        &[("log.record.uid", "1-2"), ("a", "not added")],
        false,
        &mut out,
    );
    let mut fields = Fields(&out);
    let Some(Ok((2, Field::Bytes(bytes)))) = fields.next() else {
        panic!("one record")
    };
    let log = LogRecord::decode(bytes).unwrap();
    assert_eq!((log.time_unix_nano, log.severity_number), (0, 9));
    let text = |text: &str| AnyValue {
        value: Some(Any::StringValue(text.to_owned())),
    };
    let expected = [("a", "[x]"), ("b", "[x]"), ("log.record.uid", "1-2")];
    let expected = expected.map(|(name, value)| pair((name.to_owned(), text(value))));
    assert_eq!(log.attributes, expected);
    let mut out = Vec::new();
    item.write(&[("log.record.uid", "1-2")], true, &mut out);
    let json: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["attributes"].as_array().unwrap().len(), 3);
}

#[test]
fn what_is_known_of_the_function_is_added_to_what_its_sdk_says() {
    let record = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"NAME"}},{"key":"faas.name","value":{"stringValue":"own"}}]},"scopeLogs":[{"logRecords":[{}]}]}]}"#;
    for (said, expected) in [("shop", "shop"), ("unknown_service:python", "orders")] {
        let record: Box<RawValue> = serde_json::from_str(&record.replace("NAME", said)).unwrap();
        let item = ReceivedItem::of(OTLP_LOGS, record.get()).unwrap();
        let value = |text: &str| serde_json::json!({"stringValue": text});
        let known = [
            ("service.name", value("orders")),
            ("faas.name", value("orders")),
            ("cloud.provider", value("aws")),
        ];
        let mut out = Output::new(Packing::None, 0);
        wrap(item.shape, &item.around, &known, &[], false, &mut out);
        let request = ExportLogsServiceRequest::decode(&out.finish()[..]).unwrap();
        let resource = request.resource_logs[0].resource.clone().unwrap();
        let mut found: Vec<(String, String)> = resource
            .attributes
            .into_iter()
            .map(|pair| {
                let Some(Any::StringValue(text)) = pair.value.unwrap().value else {
                    panic!()
                };
                (pair.key, text)
            })
            .collect();
        found.sort();
        let expected = [
            ("cloud.provider", "aws"),
            ("faas.name", "own"),
            ("service.name", expected),
        ];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
