# What the function's role needs, and no more: to write to the fallbacks.

locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"

  has_stream = var.enabled && var.fallback.firehose_stream != null
  has_bucket = var.enabled && var.fallback.s3_bucket != null

  # Of a stream that is given by name the account is not known here. A role cannot reach another account's
  # stream by this, as streams have no policies that would let it in.
  stream_arn = try(startswith(var.fallback.firehose_stream, "arn:"), false) ? var.fallback.firehose_stream : "arn:${local.partition}:firehose:${var.region}:*:deliverystream/${coalesce(var.fallback.firehose_stream, "unset")}"
  bucket_arn = try(startswith(var.fallback.s3_bucket, "arn:"), false) ? var.fallback.s3_bucket : "arn:${local.partition}:s3:::${coalesce(var.fallback.s3_bucket, "unset")}"
  prefix     = trim(coalesce(var.fallback.s3_prefix, "backstop"), "/")

  # An alias grants nothing in a policy: whoever names one gives its key in kms_key_arns.
  key_is_alias = can(regex("(^|:)alias/", var.fallback.s3_kms_key_id))
  named_key_arns = [
    for key in compact([var.fallback.s3_kms_key_id]) : startswith(key, "arn:") ? key : "arn:${local.partition}:kms:${coalesce(var.fallback.s3_region, var.region)}:*:key/${key}" if !local.key_is_alias
  ]
  key_arns = distinct(concat(local.named_key_arns, var.fallback.kms_key_arns))

  statements = concat(
    [for arn in local.has_stream ? [local.stream_arn] : [] : {
      Sid      = "BackstopFirehose"
      Effect   = "Allow"
      Action   = ["firehose:PutRecordBatch"]
      Resource = [arn]
    }],
    [for arn in local.has_bucket ? [local.bucket_arn] : [] : {
      Sid      = "BackstopArchive"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${arn}/${local.prefix}/v1/*"]
    }],
  )
  # Apart from the others, whose objects have no condition.
  key_statements = [for arns in local.has_bucket && length(local.key_arns) > 0 ? [local.key_arns] : [] : {
    Sid       = "BackstopArchiveKey"
    Effect    = "Allow"
    Action    = ["kms:GenerateDataKey"]
    Resource  = arns
    Condition = { StringLike = { "kms:ViaService" = "s3.*" } }
  }]

  policy_json = length(local.statements) == 0 ? null : jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, local.key_statements)
  })
}
