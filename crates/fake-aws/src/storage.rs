//! How much code a place stores: of functions, their versions and layers.

use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::routes::Operation;
use crate::{Place, State, content};

/// What every place may store where a test says nothing else.
const USUAL: u64 = 322_122_547_200;

impl State {
    /// As `GetAccountSettings` has it.
    pub(crate) fn account_settings(&self, place: &Place) -> Value {
        json!({
            "AccountLimit": {
                "TotalCodeSize": self.code_storage.unwrap_or(USUAL),
                "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000,
            },
            "AccountUsage": {
                "TotalCodeSize": self.stored(place), "FunctionCount": self.functions.of(place).count(),
            },
        })
    }

    /// Refuses to publish what there is no room for. Nothing is counted unless a test has set a limit.
    pub(crate) fn must_have_room(
        &self,
        place: &Place,
        (operation, subject): (&Operation, &str),
        body: impl FnOnce() -> Value,
    ) -> Result<(), Refusal> {
        let Some(limit) = self.code_storage else {
            return Ok(());
        };
        let more = match operation {
            Operation::PublishVersion => {
                let function = self.functions.named(place, subject);
                function.map_or(0, |function| {
                    content::zipped_size(function.spec.unzipped_bytes)
                })
            }
            // Four characters are three bytes.
            Operation::PublishLayerVersion => {
                let text = body()["Content"]["ZipFile"].as_str().map_or(0, str::len);
                text as u64 / 4 * 3
            }
            _ => return Ok(()),
        };
        if self.stored(place) + more > limit {
            return Err(Refusal::bad(
                "CodeStorageExceededException",
                "Code storage limit exceeded.",
            ));
        }
        Ok(())
    }

    fn stored(&self, place: &Place) -> u64 {
        let functions = self.functions.of(place).map(|(_, function)| {
            let versions = function.versions.values().map(|version| &version.spec);
            std::iter::once(&function.spec)
                .chain(versions)
                .map(|spec| content::zipped_size(spec.unzipped_bytes))
                .sum::<u64>()
        });
        functions.sum::<u64>() + self.layers.stored(place)
    }
}
