//! `CloudWatch`: what functions did, as far as an installer asks.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use crate::Place;
use crate::cbor;
use crate::identity::Caller;
use crate::refusal::Refusal;

const MOST_QUERIES: usize = 500;
const PATH: &str = "/service/GraniteServiceVersion20100801/operation/GetMetricData";

/// A metric of Lambda's, by function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Invocations that ended in an error.
    Errors,
    Invocations,
}

impl Metric {
    fn named(name: &str) -> Option<Self> {
        match name {
            "Errors" => Some(Self::Errors),
            "Invocations" => Some(Self::Invocations),
            _ => None,
        }
    }
}

/// By place, function and metric: the sum over whatever time is asked for.
#[derive(Debug, Default)]
pub(crate) struct Metrics(BTreeMap<(Place, String, Metric), f64>);

/// What a path asks for.
pub(crate) fn operation(path: &str) -> Option<(&'static str, String)> {
    (path == PATH).then(|| ("GetMetricData", String::new()))
}

impl Metrics {
    pub(crate) fn set(
        &mut self,
        place: &Place,
        function: &str,
        metric: Metric,
        value: Option<f64>,
    ) {
        let key = (place.clone(), function.to_owned(), metric);
        match value {
            Some(value) => self.0.insert(key, value),
            None => self.0.remove(&key),
        };
    }

    pub(crate) fn answer(&self, caller: &Caller, body: &[u8]) -> Result<Response<Bytes>, Refusal> {
        let invalid = |message: String| Refusal::bad("ValidationError", message);
        let body = cbor::decoded(body).ok_or_else(|| invalid("the body is no CBOR".to_owned()))?;
        let queries = (body["MetricDataQueries"].as_array()).map_or(&[][..], Vec::as_slice);
        if queries.len() > MOST_QUERIES {
            return Err(invalid(format!(
                "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
            )));
        }
        let results = queries.iter().map(|query| {
            let value = self.value(caller, query)?;
            let instants: Vec<&Value> = value.iter().map(|_| &body["StartTime"]).collect();
            Ok(json!({
                "Id": query["Id"], "Label": query["Label"].as_str().or(query["MetricStat"]["Metric"]["MetricName"].as_str()),
                "Timestamps": instants, "Values": value.as_slice(), "StatusCode": "Complete",
            }))
        });
        let results = results.collect::<Result<Vec<Value>, Refusal>>()?;
        let answer = json!({ "MetricDataResults": results, "Messages": [] });
        let mut response = Response::new(Bytes::from(cbor::encoded(&answer)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cbor"));
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        Ok(response)
    }

    /// None where nothing happened, or nothing is known of what is asked for.
    fn value(&self, caller: &Caller, query: &Value) -> Result<Option<f64>, Refusal> {
        if query["Expression"].is_string() {
            return Err(Refusal::unknown("metric expressions"));
        }
        let stat = &query["MetricStat"];
        let metric = &stat["Metric"];
        if stat["Stat"] != "Sum" {
            return Err(Refusal::unknown(&format!("the statistic {}", stat["Stat"])));
        }
        // A function's versions have series of their own, by another set of dimensions.
        let dimensions = metric["Dimensions"].as_array();
        let function = match dimensions.map_or(&[][..], Vec::as_slice) {
            [dimension] if dimension["Name"] == "FunctionName" => dimension["Value"].as_str(),
            _ => None,
        };
        let known = (metric["Namespace"] == "AWS/Lambda")
            .then(|| Metric::named(metric["MetricName"].as_str()?))
            .flatten();
        let (Some(function), Some(metric)) = (function, known) else {
            return Ok(None);
        };
        let account = query["AccountId"].as_str();
        let place = Place::new(
            account.unwrap_or(&caller.place.account),
            &caller.place.region,
        );
        let key = (place, function.to_owned(), metric);
        Ok(self.0.get(&key).copied())
    }
}
