//! The archive as a `CloudFormation` template, for those on neither Terraform nor CDK.
//!
//! Invariants: resources, names and defaults are those of `terraform/modules/archive`; the layout of
//! keys is that of the archive, version 1; nothing denies a request that names no encryption, because
//! the extension names none unless a key is set. Pure: a [`Template`] becomes a value, and the value
//! text. Must not: ask AWS anything.

mod input;
mod lifecycle;
mod yaml;

use serde_json::{Map, Value, json};

pub use input::{KeyArn, Name, Prefix, bucket_name, log_retention};
pub use lifecycle::Lifecycle;
pub use yaml::deployable;

/// What S3 accepts.
const MOST_BUCKET_CHARACTERS: usize = 63;
/// `-`, an account, `-`, and a region as long as the longest, `ap-southeast-99`.
const ACCOUNT_AND_REGION: usize = 1 + 12 + 1 + 15;
const LOG_STREAM: &str = "DestinationDelivery";

/// What the archive is made of.
#[derive(Debug, Clone)]
pub struct Template {
    /// The stream's, and the beginning of the others.
    pub name: Name,
    /// The bucket's; made from name, account and region if there is none.
    pub bucket_name: Option<String>,
    /// Of the archive's keys.
    pub prefix: Prefix,
    /// Instead of S3's own keys.
    pub kms_key_arn: Option<KeyArn>,
    /// Whether old versions of objects are kept.
    pub versioning: bool,
    /// What happens to objects as they age.
    pub lifecycle: Lifecycle,
    /// The delivery stream; none if functions write only to the bucket.
    pub stream: Option<Stream>,
}

/// The delivery stream's settings.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Firehose writes an object when it has this much,
    pub buffer_mb: u32,
    /// or after this time.
    pub buffer_seconds: u32,
    /// How long `CloudWatch` keeps the stream's errors.
    pub log_retention_days: u32,
}

impl Template {
    /// The template, or why there is none.
    pub fn value(&self) -> Result<Value, String> {
        self.lifecycle.check()?;
        let mut resources = Map::new();
        resources.insert("Bucket".to_owned(), self.bucket()?);
        resources.insert("BucketPolicy".to_owned(), self.bucket_policy());
        if let Some(stream) = &self.stream {
            resources.insert("FirehoseLogGroup".to_owned(), self.log_group(stream));
            resources.insert("FirehoseLogStream".to_owned(), log_stream());
            resources.insert("FirehoseRole".to_owned(), self.role());
            resources.insert("DeliveryStream".to_owned(), self.delivery_stream(stream));
        }
        Ok(json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "Backstop's archive: where records go while a primary fails.",
            "Resources": resources,
            "Outputs": self.outputs(),
        }))
    }

    fn bucket(&self) -> Result<Value, String> {
        let name = match &self.bucket_name {
            Some(name) => json!(name),
            None if self.name.len() + ACCOUNT_AND_REGION > MOST_BUCKET_CHARACTERS => {
                return Err(format!(
                    "the bucket's name, {}-ACCOUNT-REGION, can have more than the \
                     {MOST_BUCKET_CHARACTERS} characters that S3 accepts: shorten --name, or give \
                     --bucket-name",
                    self.name
                ));
            }
            None => {
                let name = self.name.to_lowercase().replace('_', "-");
                sub(&format!("{name}-${{AWS::AccountId}}-${{AWS::Region}}"))
            }
        };
        let mut encryption = json!({ "SSEAlgorithm": self.algorithm() });
        if let Some(key) = &self.kms_key_arn {
            encryption["KMSMasterKeyID"] = json!(key.as_str());
        }
        Ok(json!({
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": name,
                "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": true,
                    "BlockPublicPolicy": true,
                    "IgnorePublicAcls": true,
                    "RestrictPublicBuckets": true,
                },
                "BucketEncryption": { "ServerSideEncryptionConfiguration": [{
                    "BucketKeyEnabled": self.kms_key_arn.is_some(),
                    "ServerSideEncryptionByDefault": encryption,
                }] },
                "VersioningConfiguration": {
                    "Status": if self.versioning { "Enabled" } else { "Suspended" },
                },
                "LifecycleConfiguration": { "Rules": [self.lifecycle.rule()] },
            },
        }))
    }

    fn algorithm(&self) -> &'static str {
        match self.kms_key_arn {
            Some(_) => "aws:kms",
            None => "AES256",
        }
    }

    /// Refuses what names another encryption than the bucket's, and not what names none.
    fn bucket_policy(&self) -> Value {
        let objects = sub("${Bucket.Arn}/*");
        let deny = |sid: &str, action: &str, resource: Value, condition: Value| {
            json!({
                "Sid": sid,
                "Effect": "Deny",
                "Principal": "*",
                "Action": action,
                "Resource": resource,
                "Condition": condition,
            })
        };
        let put =
            |sid: &str, condition: Value| deny(sid, "s3:PutObject", objects.clone(), condition);
        let mut statements = vec![
            deny(
                "TlsOnly",
                "s3:*",
                json!([attribute("Bucket"), objects]),
                json!({ "Bool": { "aws:SecureTransport": "false" } }),
            ),
            put(
                "NoOtherEncryption",
                json!({ "StringNotEqualsIfExists": {
                    "s3:x-amz-server-side-encryption": self.algorithm(),
                } }),
            ),
            put(
                "NoKeysOfCallers",
                json!({ "Null": {
                    "s3:x-amz-server-side-encryption-customer-algorithm": "false",
                } }),
            ),
        ];
        if let Some(key) = &self.kms_key_arn {
            let condition = json!({ "StringNotEqualsIfExists": {
                "s3:x-amz-server-side-encryption-aws-kms-key-id": key.as_str(),
            } });
            statements.push(put("NoOtherKey", condition));
        }
        json!({
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": reference("Bucket"),
                "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
            },
        })
    }

    fn log_group_name(&self) -> String {
        format!("/aws/kinesisfirehose/{}", self.name)
    }

    fn log_group(&self, stream: &Stream) -> Value {
        json!({
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": self.log_group_name(),
                "RetentionInDays": stream.log_retention_days,
            },
        })
    }

    /// What lets the stream write to the archive, and nobody else use that.
    fn role(&self) -> Value {
        let (name, prefix) = (&self.name, &self.prefix);
        let stream_arn = sub(&format!(
            "arn:${{AWS::Partition}}:firehose:${{AWS::Region}}:${{AWS::AccountId}}:deliverystream/{name}"
        ));
        let log_stream_arn = sub(&format!(
            "arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{}:log-stream:{LOG_STREAM}",
            self.log_group_name()
        ));
        let mut statements = vec![
            json!({
                "Sid": "Bucket",
                "Effect": "Allow",
                "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                "Resource": [attribute("Bucket")],
            }),
            json!({
                "Sid": "Objects",
                "Effect": "Allow",
                "Action": ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                "Resource": [
                    sub(&format!("${{Bucket.Arn}}/{prefix}/v1/stream={name}/*")),
                    sub(&format!("${{Bucket.Arn}}/{prefix}-errors/*")),
                ],
            }),
            json!({
                "Sid": "OwnErrors",
                "Effect": "Allow",
                "Action": ["logs:PutLogEvents"],
                "Resource": [log_stream_arn],
            }),
        ];
        if let Some(key) = &self.kms_key_arn {
            statements.push(json!({
                "Sid": "Key",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": [key.as_str()],
                "Condition": { "StringLike": { "kms:ViaService": "s3.*" } },
            }));
        }
        json!({
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": format!("{name}-firehose"),
                "Description": format!("Lets the delivery stream {name} write to the archive."),
                "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": "firehose.amazonaws.com" },
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": { "aws:SourceAccount": reference("AWS::AccountId") },
                        "ArnEquals": { "aws:SourceArn": stream_arn },
                    },
                }] },
                "Policies": [{
                    "PolicyName": "archive",
                    "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
                }],
            },
        })
    }

    fn delivery_stream(&self, stream: &Stream) -> Value {
        let (name, prefix) = (&self.name, &self.prefix);
        let hour = "dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/";
        json!({
            "Type": "AWS::KinesisFirehose::DeliveryStream",
            // Firehose tries the role when the stream is made.
            "DependsOn": ["BucketPolicy"],
            "Properties": {
                "DeliveryStreamName": name.as_str(),
                "DeliveryStreamType": "DirectPut",
                "DeliveryStreamEncryptionConfigurationInput": { "KeyType": "AWS_OWNED_CMK" },
                "ExtendedS3DestinationConfiguration": {
                    "RoleARN": attribute("FirehoseRole"),
                    "BucketARN": attribute("Bucket"),
                    "Prefix": format!("{prefix}/v1/stream={name}/{hour}"),
                    "ErrorOutputPrefix": format!("{prefix}-errors/!{{firehose:error-output-type}}/{hour}"),
                    "FileExtension": ".ndjson.gz",
                    "CompressionFormat": "GZIP",
                    "BufferingHints": {
                        "SizeInMBs": stream.buffer_mb,
                        "IntervalInSeconds": stream.buffer_seconds,
                    },
                    "CloudWatchLoggingOptions": {
                        "Enabled": true,
                        "LogGroupName": reference("FirehoseLogGroup"),
                        "LogStreamName": reference("FirehoseLogStream"),
                    },
                },
            },
        })
    }

    /// The settings of functions, each under the name of its variable.
    fn outputs(&self) -> Value {
        let mut outputs = Map::new();
        let mut output = |name: &str, description: &str, value: Value| {
            let output = json!({ "Description": description, "Value": value });
            outputs.insert(name.to_owned(), output);
        };
        if self.stream.is_some() {
            let value = attribute("DeliveryStream");
            output("FirehoseStream", "BACKSTOP_FIREHOSE_STREAM", value);
        }
        output("S3Bucket", "BACKSTOP_S3_BUCKET", reference("Bucket"));
        output(
            "S3Prefix",
            "BACKSTOP_S3_PREFIX",
            json!(self.prefix.as_str()),
        );
        output(
            "S3ExpectedBucketOwner",
            "BACKSTOP_S3_EXPECTED_BUCKET_OWNER",
            reference("AWS::AccountId"),
        );
        if let Some(key) = &self.kms_key_arn {
            let value = json!(key.as_str());
            output("S3KmsKeyId", "BACKSTOP_S3_KMS_KEY_ID", value);
        }
        output("S3Region", "BACKSTOP_S3_REGION", reference("AWS::Region"));
        output(
            "ReplayFrom",
            "The value for `backstop replay --from`",
            sub(&format!("s3://${{Bucket}}/{}", self.prefix)),
        );
        Value::Object(outputs)
    }
}

fn log_stream() -> Value {
    json!({
        "Type": "AWS::Logs::LogStream",
        "Properties": {
            "LogGroupName": reference("FirehoseLogGroup"),
            "LogStreamName": LOG_STREAM,
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

fn attribute(resource: &str) -> Value {
    json!({ "Fn::GetAtt": [resource, "Arn"] })
}

fn sub(text: &str) -> Value {
    json!({ "Fn::Sub": text })
}
