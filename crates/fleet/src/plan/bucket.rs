//! Checks the archive's bucket: its existence and its region.

use aws_config::Region;
use aws_sdk_lambda::config::http::HttpResponse;
use backstop_config::S3Archive;

use crate::aws::{self, Failure};
use crate::fleet::{Site, in_flight};

/// A bucket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Where; none where S3 does not say.
    pub region: Option<String>,
}

/// Asks S3 for the archive's bucket, with the caller's credentials and not the function's.
pub async fn bucket(site: &Site, archive: Option<&S3Archive>) -> Option<Result<Bucket, Failure>> {
    let archive = archive?;
    let region = Region::new(archive.region.clone());
    let config = site.config.to_builder().region(region).build();
    let _permit = in_flight::permit().await;
    let answer = aws::s3(&config)
        .head_bucket()
        .bucket(&archive.bucket)
        .set_expected_bucket_owner(archive.expected_bucket_owner.clone())
        .send()
        .await;
    Some(match answer {
        Ok(answer) => Ok(Bucket {
            region: answer.bucket_region().map(str::to_owned),
        }),
        Err(error) => {
            // A bucket in another region says so, also to those who may not look into it.
            let headers = error.raw_response().map(HttpResponse::headers);
            let region = headers.and_then(|headers| headers.get("x-amz-bucket-region"));
            match region.filter(|region| *region != archive.region) {
                Some(region) => Ok(Bucket {
                    region: Some(region.to_owned()),
                }),
                None => Err(Failure::of(
                    &format!("looking for the bucket {}", archive.bucket),
                    &error,
                )),
            }
        }
    })
}
