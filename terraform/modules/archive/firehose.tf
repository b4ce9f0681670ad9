# The delivery stream. It writes what it gets, gzipped: the extension ends each line itself.

locals {
  has_stream  = var.firehose != null
  stream_name = var.name
  stream_arn  = "arn:${local.partition}:firehose:${local.region}:${local.account_id}:deliverystream/${local.stream_name}"

  log_group_name  = "/aws/kinesisfirehose/${local.stream_name}"
  log_stream_name = "DestinationDelivery"
}

resource "aws_cloudwatch_log_group" "firehose" {
  #checkov:skip=CKV_AWS_158:it holds why a delivery failed and no record; CloudWatch encrypts it with a key of its own
  #checkov:skip=CKV_AWS_338:why a delivery failed is of no interest a year later; the retention is an option
  count = local.has_stream ? 1 : 0

  name              = local.log_group_name
  retention_in_days = var.firehose.log_retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_log_stream" "firehose" {
  count = local.has_stream ? 1 : 0

  name           = local.log_stream_name
  log_group_name = aws_cloudwatch_log_group.firehose[0].name
}

resource "aws_iam_role" "firehose" {
  count = local.has_stream ? 1 : 0

  name        = "${var.name}-firehose"
  description = "Lets the delivery stream ${local.stream_name} write to the archive."
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Only this stream may use the role, even if another principal passes it on.
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account_id }
        ArnEquals    = { "aws:SourceArn" = local.stream_arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "firehose" {
  count = local.has_stream ? 1 : 0

  name = "archive"
  role = aws_iam_role.firehose[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Bucket"
          Effect   = "Allow"
          Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
          Resource = [local.bucket_arn]
        },
        {
          # What AWS asks for; reading is limited to what the stream itself may write.
          Sid    = "Objects"
          Effect = "Allow"
          Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
          Resource = [
            "${local.bucket_arn}/${var.prefix}/v1/stream=${local.stream_name}/*",
            "${local.bucket_arn}/${var.prefix}-errors/*",
          ]
        },
        {
          Sid      = "OwnErrors"
          Effect   = "Allow"
          Action   = ["logs:PutLogEvents"]
          Resource = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group_name}:log-stream:${local.log_stream_name}"]
        },
      ],
      [for key_arn in var.encryption.kms_key_arn[*] : {
        Sid       = "Key"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [key_arn]
        Condition = { StringLike = { "kms:ViaService" = "s3.*" } }
      }],
    )
  })
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  #checkov:skip=CKV_AWS_241:records are in the stream for minutes, under a key of AWS's; a key of the user's is for where they stay
  count = local.has_stream ? 1 : 0

  name        = local.stream_name
  destination = "extended_s3"
  tags        = var.tags

  # At rest in the stream itself. Not with the bucket's key: Firehose would need a grant on it beyond S3.
  server_side_encryption {
    enabled  = true
    key_type = "AWS_OWNED_CMK"
  }

  extended_s3_configuration {
    role_arn   = aws_iam_role.firehose[0].arn
    bucket_arn = aws_s3_bucket.this.arn

    # The archive's layout, version 1, in UTC. Errors lie apart, so that no replay takes them for records.
    prefix              = "${var.prefix}/v1/stream=${local.stream_name}/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    error_output_prefix = "${var.prefix}-errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    file_extension      = ".ndjson.gz"
    compression_format  = "GZIP"
    buffering_size      = var.firehose.buffer_mb
    buffering_interval  = var.firehose.buffer_seconds

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose[0].name
      log_stream_name = aws_cloudwatch_log_stream.firehose[0].name
    }
  }

  # Firehose tries the role when it is made.
  depends_on = [aws_iam_role_policy.firehose, aws_s3_bucket_policy.this, aws_s3_bucket_server_side_encryption_configuration.this]
}
