# The replay as a function: the function, its role, and its log group.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  # `id` is the region's name in versions 5 and 6 of the provider; `name` is deprecated in 6.
  region    = data.aws_region.current.id
  partition = data.aws_partition.current.partition

  # Known before the resources are there, so that a plan shows the policies.
  function_arn = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${var.name}"
  bucket_arn   = "arn:${local.partition}:s3:::${var.archive.s3_bucket}"
  state_prefix = "${var.archive.s3_prefix}/replay"

  # Only what is set: the rest keeps the function's own default.
  settings = {
    BACKSTOP_S3_BUCKET                    = var.archive.s3_bucket
    BACKSTOP_S3_PREFIX                    = var.archive.s3_prefix
    BACKSTOP_S3_REGION                    = var.archive.s3_region
    BACKSTOP_S3_EXPECTED_BUCKET_OWNER     = var.archive.s3_expected_bucket_owner
    BACKSTOP_REPLAY_QUEUE_URL             = aws_sqs_queue.this.url
    BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL = aws_sqs_queue.dead_letters.url
    BACKSTOP_REPLAY_AFTER                 = var.replay.after
    BACKSTOP_REPLAY_CONCURRENCY           = tostring(var.replay.objects)
    BACKSTOP_REPLAY_BATCH_RECORDS         = try(tostring(var.replay.batch_records), null)
    BACKSTOP_REPLAY_RATE                  = var.replay.rate
    BACKSTOP_REPLAY_RETRY_SECONDS         = try(tostring(var.replay.retry_seconds), null)
    BACKSTOP_REPLAY_MAX_OBJECTS           = try(tostring(var.schedule.max_objects), null)
    BACKSTOP_REPLAY_MAX_BYTES             = try(tostring(var.schedule.max_bytes), null)
    BACKSTOP_REPLAY_SETTLE_SECONDS        = try(tostring(var.schedule.settle_seconds), null)
  }
  environment = merge(module.primary.environment_variables, { for name, value in local.settings : name => value if value != null })
}

# The primary by the same arguments and with the same checks as a function's. Nothing is attached: it has no layer.
module "primary" {
  source = "../attachment"

  name            = var.name
  region          = data.aws_region.current.id
  package_type    = "Image"
  primary         = var.primary
  primary_token   = var.primary_token
  primary_headers = var.primary_headers

  primary_token_secret_arn    = var.primary_token_secret_arn
  primary_token_ssm_parameter = var.primary_token_ssm_parameter
  primary_token_kms           = var.primary_token_kms
  primary_token_kms_key_id    = var.primary_token_kms_key_id
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-function"
  description = "The function ${var.name}, which replays the archive ${var.archive.s3_bucket}."
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "replay"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts it with a key of its own; it holds counts and keys, and no record
  #checkov:skip=CKV_AWS_338:what was replayed is marked in the archive; the retention is an option
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:a line of its log says what each invocation did
  #checkov:skip=CKV_AWS_115:the mapping bounds its concurrency; reserved concurrency takes from others
  #checkov:skip=CKV_AWS_116:the queue has a dead-letter queue; asynchronous invocations are the schedule's, which repeats them
  #checkov:skip=CKV_AWS_117:it reaches S3, SQS and a primary, which need no network of yours
  #checkov:skip=CKV_AWS_173:Lambda encrypts the environment with a key of its own; a token is best given by reference
  #checkov:skip=CKV_AWS_272:code signing wants a signing profile, which is yours
  function_name = var.name
  description   = "Replays the archive ${var.archive.s3_bucket} to its primary."
  role          = aws_iam_role.this.arn
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = var.timeout_seconds
  tags          = var.tags

  filename          = var.package.path
  source_code_hash  = try(filebase64sha256(var.package.path), null)
  s3_bucket         = try(var.package.s3.bucket, null)
  s3_key            = try(var.package.s3.key, null)
  s3_object_version = try(var.package.s3.object_version, null)
  handler           = "bootstrap"
  runtime           = "provided.al2023"

  environment {
    variables = local.environment
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}
