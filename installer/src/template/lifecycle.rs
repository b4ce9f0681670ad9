//! What happens to objects as they age, within what S3 accepts.

use serde_json::{Value, json};

/// The steps for objects, in days; a step that is not given is not taken.
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle {
    /// To `STANDARD_IA`.
    pub infrequent_access_days: Option<u32>,
    /// To `GLACIER_IR`.
    pub glacier_instant_days: Option<u32>,
    pub expiration_days: Option<u32>,
    /// Versions that are no longer current are deleted.
    pub noncurrent_days: Option<u32>,
}

impl Lifecycle {
    /// What S3 would refuse in the middle of a deployment.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.infrequent_access_days.is_some_and(|days| days < 30) {
            return Err("--infrequent-access-days is less than the 30 that S3 requires".to_owned());
        }
        if let (Some(first), Some(second)) =
            (self.infrequent_access_days, self.glacier_instant_days)
            && second < first.saturating_add(30)
        {
            return Err(
                "--glacier-instant-days is less than 30 days after --infrequent-access-days, which \
                 S3 requires"
                    .to_owned(),
            );
        }
        let moves = [self.infrequent_access_days, self.glacier_instant_days];
        let last = moves.into_iter().flatten().max();
        if let (Some(end), Some(last)) = (self.expiration_days, last)
            && end <= last
        {
            return Err(
                "--expiration-days is not later than the moves to cheaper classes".to_owned(),
            );
        }
        Ok(())
    }

    /// One rule for everything in the bucket: what Firehose could not deliver as well.
    pub(super) fn rule(&self) -> Value {
        let mut rule = json!({
            "Id": "age",
            "Status": "Enabled",
            "Prefix": "",
            "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 },
        });
        let transitions: Vec<Value> = [
            ("STANDARD_IA", self.infrequent_access_days),
            ("GLACIER_IR", self.glacier_instant_days),
        ]
        .into_iter()
        .filter_map(|(class, days)| {
            Some(json!({ "StorageClass": class, "TransitionInDays": days? }))
        })
        .collect();
        if !transitions.is_empty() {
            rule["Transitions"] = json!(transitions);
        }
        if let Some(days) = self.expiration_days {
            rule["ExpirationInDays"] = json!(days);
        }
        if let Some(days) = self.noncurrent_days {
            rule["NoncurrentVersionExpiration"] = json!({ "NoncurrentDays": days });
        }
        rule
    }
}
