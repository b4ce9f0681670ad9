//! What to do about an answer, in the words of its format: for the commands that send on a person's behalf.
//!
//! Invariants: a sentence is this program's own, and what a receiver sent only chooses it; each names what to
//! change, as an imperative without an end. `None` where the status means here what it means everywhere.

use backstop_config::Format as Name;
use backstop_delivery::Cause;

/// What to do about this answer of a receiver of `format`.
pub fn advice(format: Name, cause: Cause) -> Option<&'static str> {
    let code = cause.detail.and_then(|detail| detail.code());
    // How an answer that refused some records and took others is called.
    let is_partial = cause.reason == "partial";
    match (format, code, cause.status) {
        (Name::Splunk, Some(code), _) => splunk(code),
        (Name::Elastic, Some(code), _) => elastic(code),
        (Name::Elastic, None, Some(400 | 406)) => {
            Some("check that a bulk API answers at the address: its path ends in `_bulk`")
        }
        (Name::Loki, _, Some(status)) => loki(status),
        (Name::Otlp, _, Some(200..=299)) if is_partial => Some(
            "look for the reason in the receiver's own log: its answer counts refused records \
             (`partial_success`)",
        ),
        (Name::Otlp, _, Some(400 | 406 | 415)) => Some(
            "check that the address takes OTLP over HTTP, and `encoding` in \
             BACKSTOP_PRIMARY_OPTIONS: some receivers take only protobuf",
        ),
        (Name::Ndjson | Name::Json, _, Some(200..=299)) if is_partial => Some(
            "check the dataset and its limit of fields: the receiver's answer counts refused \
             records (`failed`)",
        ),
        _ => None,
    }
}

/// By Splunk's code. Those that are not here are about the load or the receiver's state.
fn splunk(code: &str) -> Option<&'static str> {
    Some(match code {
        "Token disabled" => "enable the token in Splunk, or use another",
        "Incorrect index" => {
            "allow the token this index in Splunk, or name one that it allows with `index` in \
             BACKSTOP_PRIMARY_OPTIONS"
        }
        "Data channel is missing" => {
            "turn off indexer acknowledgment for the token, or let the header \
             X-Splunk-Request-Channel pass: Backstop sends it, and something before Splunk drops it"
        }
        "Invalid data channel" => {
            "turn off indexer acknowledgment for the token, or remove a header \
             X-Splunk-Request-Channel of your own: Splunk takes only a GUID"
        }
        "ACK is disabled" => {
            "check the address: the path of events is `/services/collector/event`, and that of \
             acknowledgments takes none"
        }
        "Query string authorization is not enabled" => {
            "give the token as the primary's token, and not in the query of the address"
        }
        "No data"
        | "Invalid data format"
        | "Event field is required"
        | "Event field cannot be blank" => {
            "check that the path of the address is `/services/collector/event`, which takes events \
             in JSON"
        }
        "Error in handling indexed fields" => {
            "check the tags: Splunk does not accept them as indexed fields"
        }
        "an unknown code" => {
            "check the token, its channel and its index in Splunk: this code is about one of them"
        }
        _ => return None,
    })
}

/// By Elasticsearch's type of an error. Those that are not here pass.
fn elastic(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "index_not_found_exception" => {
            "create the index or data stream, or name another with `index` in \
             BACKSTOP_PRIMARY_OPTIONS"
        }
        "index_closed_exception" => {
            "open the index, or name another with `index` in BACKSTOP_PRIMARY_OPTIONS"
        }
        "invalid_index_name_exception" => {
            "correct the name of the index: `index` in BACKSTOP_PRIMARY_OPTIONS, or in the address"
        }
        "security_exception" => "allow the API key or the user to create documents in the index",
        "cluster_block_exception" => {
            "remove the block on writes to the index: a full disk sets one"
        }
        "document_parsing_exception"
        | "illegal_argument_exception"
        | "mapper_parsing_exception"
        | "strict_dynamic_mapping_exception" => {
            "check the mapping of the index: it does not accept a field, or its limit of fields is \
             reached"
        }
        _ => return None,
    })
}

fn loki(status: u16) -> Option<&'static str> {
    Some(match status {
        260 => "lift the block on ingestion for the tenant in Loki's limits",
        400 => {
            "look for the reason in Loki's own log: a line is too old, too new, too long or out of \
             order, or the labels exceed a limit (`labels` in BACKSTOP_PRIMARY_OPTIONS)"
        }
        401 => {
            "check the token, and give the tenant in the header X-Scope-OrgID if Loki requires one"
        }
        200..=299 | 422 => {
            "check that the address is that of Loki's push API, which ends in `/loki/api/v1/push`"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use backstop_delivery::{Answer, Detail};

    use super::*;

    fn of(format: Name, status: u16, code: Option<&'static str>) -> Option<&'static str> {
        advice(format, Cause::of_status(status, code.map(Detail::Code)))
    }

    #[test]
    fn a_formats_own_code_or_status_chooses_the_sentence() {
        for (format, status, code, words) in [
            (Name::Splunk, 400, Some("Incorrect index"), "this index"),
            (
                Name::Splunk,
                400,
                Some("Data channel is missing"),
                "X-Splunk-Request-Channel pass",
            ),
            (
                Name::Splunk,
                400,
                Some("Invalid data channel"),
                "only a GUID",
            ),
            (
                Name::Splunk,
                400,
                Some("ACK is disabled"),
                "acknowledgments takes none",
            ),
            (Name::Splunk, 403, Some("Token disabled"), "enable"),
            (Name::Splunk, 400, Some("No data"), "collector/event"),
            (Name::Splunk, 400, Some("an unknown code"), "one of them"),
            (
                Name::Elastic,
                404,
                Some("index_not_found_exception"),
                "create the index",
            ),
            (Name::Elastic, 403, Some("security_exception"), "API key"),
            (
                Name::Elastic,
                403,
                Some("cluster_block_exception"),
                "full disk",
            ),
            (
                Name::Elastic,
                400,
                Some("mapper_parsing_exception"),
                "mapping",
            ),
            (Name::Elastic, 406, None, "_bulk"),
            (Name::Loki, 260, None, "lift the block"),
            (Name::Loki, 299, None, "/loki/api/v1/push"),
            (Name::Loki, 400, None, "too old"),
            (Name::Loki, 401, None, "X-Scope-OrgID"),
            (Name::Otlp, 400, None, "protobuf"),
        ] {
            let said = of(format, status, code).unwrap_or_default();
            assert!(said.contains(words), "{format:?} {status} {code:?}: {said}");
        }
    }

    #[test]
    fn an_answer_that_refused_some_records_is_no_matter_of_the_address() {
        let partial = Answer::Unnamed {
            refused: 1,
            code: 200,
        };
        for (format, words) in [
            (Name::Otlp, "partial_success"),
            (Name::Ndjson, "failed"),
            (Name::Json, "failed"),
        ] {
            let said = advice(format, partial.cause()).unwrap_or_default();
            assert!(said.contains(words), "{format:?}: {said}");
        }
    }

    #[test]
    fn what_means_the_same_everywhere_has_no_words_of_a_format() {
        for (format, status, code) in [
            (Name::Splunk, 404, None),
            (Name::Splunk, 503, Some("Server is busy")),
            (Name::Splunk, 403, Some("Invalid token")),
            (Name::Elastic, 401, None),
            (Name::Elastic, 429, Some("es_rejected_execution_exception")),
            (Name::Loki, 404, None),
            (Name::Loki, 500, None),
            (Name::Otlp, 401, None),
            (Name::Ndjson, 402, None),
            (Name::Datadog, 403, None),
            (Name::NewRelic, 400, None),
        ] {
            assert_eq!(of(format, status, code), None, "{format:?} {status}");
        }
    }
}
