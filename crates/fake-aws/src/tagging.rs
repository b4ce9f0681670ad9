//! The Resource Groups Tagging API: functions by their tags, without Lambda's quota.

use serde_json::{Value, json};

use crate::Place;
use crate::functions::Functions;
use crate::paging::Page;
use crate::refusal::Refusal;

const PAGE: usize = 100;

pub(crate) const OPERATIONS: [&str; 1] = ["GetResources"];

impl Functions {
    /// Those that have or had a tag, as the API does: what was never tagged it does not know.
    pub(crate) fn tagged(&self, place: &Place, body: &Value) -> Result<Value, Refusal> {
        let kinds = body["ResourceTypeFilters"].as_array();
        let is_lambda = |kind: &Value| kind == "lambda" || kind == "lambda:function";
        let is_wanted = kinds.is_none_or(|kinds| kinds.is_empty() || kinds.iter().any(is_lambda));
        let filters = (body["TagFilters"].as_array()).map_or(&[][..], Vec::as_slice);
        if filters
            .iter()
            .any(|filter| filter["Key"].as_str().is_none())
        {
            return Err(Refusal::bad(
                "InvalidParameterException",
                "TagFilters need a Key",
            ));
        }
        let asked = body["ResourcesPerPage"].as_u64();
        let page = Page::new(
            body["PaginationToken"].as_str().map(str::to_owned),
            asked.and_then(|asked| usize::try_from(asked).ok()),
            PAGE,
        );
        let found = (self.of(place))
            .filter(|(_, function)| is_wanted && !function.spec.tags.is_empty())
            .filter(|(_, function)| {
                filters.iter().all(|filter| {
                    let value = function
                        .spec
                        .tags
                        .get(filter["Key"].as_str().unwrap_or_default());
                    let values = filter["Values"].as_array();
                    let is_any = values.is_none_or(Vec::is_empty);
                    value.is_some_and(|value| {
                        is_any || values.is_some_and(|values| values.iter().any(|one| one == value))
                    })
                })
            })
            .map(|(name, function)| {
                let tags: Vec<Value> = (function.spec.tags.iter())
                    .map(|(key, value)| json!({ "Key": key, "Value": value }))
                    .collect();
                let mapping = json!({ "ResourceARN": function.arn, "Tags": tags });
                (name.clone(), mapping)
            });
        let (found, next) = page.of(found);
        // The last page has a token too, an empty one.
        Ok(json!({ "ResourceTagMappingList": found, "PaginationToken": next.unwrap_or_default() }))
    }
}
