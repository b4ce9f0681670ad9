output "fallback" {
  description = "The value for `fallback` of the modules `attachment` and `function`."
  value = {
    firehose_stream          = local.has_stream ? local.stream_arn : null
    s3_bucket                = local.bucket_name
    s3_prefix                = var.prefix
    s3_expected_bucket_owner = local.account_id
    kms_key_arns             = compact([var.encryption.kms_key_arn])
  }

  # The values are known before the resources are there, so that a plan shows them; but they mean nothing before.
  depends_on = [
    aws_kinesis_firehose_delivery_stream.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
  ]
}

output "bucket_name" {
  description = "The name of the bucket."
  value       = aws_s3_bucket.this.id
}

output "bucket_arn" {
  description = "The ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "stream_arn" {
  description = "The ARN of the delivery stream; null if there is none."
  value       = one(aws_kinesis_firehose_delivery_stream.this[*].arn)
}

output "replay_from" {
  description = "The value for `backstop replay --from`."
  value       = "s3://${local.bucket_name}/${var.prefix}"
}

output "athena_database" {
  description = "The database with the tables `streamed` and `direct`; null if there is none."
  value       = one(aws_glue_catalog_database.this[*].name)
}
