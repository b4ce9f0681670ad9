# What the function's role needs, and no more: to write to the fallbacks. It is what crates/archive/permissions.json says,
# which tests/permissions.tftest.hcl compares.

locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"

  # Rights follow the variables: where the function sets one of these itself, that is where it writes. They name
  # resources and are not secret, whatever else the environment holds.
  own_fallback = {
    for name in ["BACKSTOP_FALLBACK", "BACKSTOP_FIREHOSE_STREAM", "BACKSTOP_S3_BUCKET", "BACKSTOP_S3_PREFIX", "BACKSTOP_S3_REGION", "BACKSTOP_S3_KMS_KEY_ID"] :
    name => try(nonsensitive(local.own_variables[name]), local.own_variables[name]) if contains(local.own_names, name)
  }
  in_force = merge(
    {
      BACKSTOP_FALLBACK        = try(join(",", var.fallback.order), null)
      BACKSTOP_FIREHOSE_STREAM = var.fallback.firehose_stream
      BACKSTOP_S3_BUCKET       = var.fallback.s3_bucket
      BACKSTOP_S3_PREFIX       = var.fallback.s3_prefix
      BACKSTOP_S3_REGION       = var.fallback.s3_region
      BACKSTOP_S3_KMS_KEY_ID   = var.fallback.s3_kms_key_id
    },
    # To the extension an empty variable is one that is not set.
    { for name, value in local.own_fallback : name => value == "" ? null : value },
  )
  stream = local.in_force.BACKSTOP_FIREHOSE_STREAM
  bucket = local.in_force.BACKSTOP_S3_BUCKET
  key_id = local.in_force.BACKSTOP_S3_KMS_KEY_ID

  # A fallback that is not in the order is not used, and gets nothing.
  used       = [for name in split(",", coalesce(local.in_force.BACKSTOP_FALLBACK, "firehose,s3")) : trimspace(name)]
  has_stream = var.enabled && local.stream != null && contains(local.used, "firehose")
  has_bucket = var.enabled && local.bucket != null && contains(local.used, "s3")

  # Of a stream that is given by name the account is not known here. A role cannot reach another account's
  # stream by this, as streams have no policies that would let it in.
  stream_arn = try(startswith(local.stream, "arn:"), false) ? local.stream : "arn:${local.partition}:firehose:${var.region}:*:deliverystream/${coalesce(local.stream, "unset")}"
  bucket_arn = try(startswith(local.bucket, "arn:"), false) ? local.bucket : "arn:${local.partition}:s3:::${coalesce(local.bucket, "unset")}"
  prefix     = trim(coalesce(local.in_force.BACKSTOP_S3_PREFIX, "backstop"), "/")

  # A policy cannot grant an alias: a user who names one gives its key in kms_key_arns.
  key_is_alias = can(regex("(^|:)alias/", local.key_id))
  named_key_arns = [
    for key in compact([local.key_id]) : startswith(key, "arn:") ? key : "arn:${local.partition}:kms:${coalesce(local.in_force.BACKSTOP_S3_REGION, var.region)}:*:key/${key}" if !local.key_is_alias
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

  has_policy = local.has_stream || local.has_bucket
  policy_json = !local.has_policy ? null : jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, local.key_statements)
  })
}
