# The controller as a function: the function, its bucket for state, and its log group.

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
  log_group    = "/aws/lambda/${var.name}"

  wanted_parameter = try(var.wanted.ssm_parameter, null)
  settings = {
    CONTROLLER_CONFIG           = local.wanted_parameter != null ? "ssm:${local.wanted_parameter}" : "s3://${var.wanted.s3.bucket}/${var.wanted.s3.key}"
    CONTROLLER_STATE            = "s3://${var.state.bucket}/${var.state.prefix}"
    CONTROLLER_STATE_KMS_KEY_ID = var.state.kms_key_arn
    CONTROLLER_MODE             = var.mode
    CONTROLLER_MAX_WRITES       = tostring(var.max_writes_per_hour)
    CONTROLLER_INCLUDE_MANAGED  = var.include_managed ? "true" : null
    CONTROLLER_NEVER            = length(var.never) == 0 ? null : join(",", var.never)
    CONTROLLER_SWITCH           = var.switch_parameter == null ? null : "ssm:${var.switch_parameter}"
  }
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-function"
  description = "The function ${var.name}, which attaches Backstop in mode ${var.mode}."
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
  name   = "controller"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts it with a key of its own; it holds counts and names, and no value of a variable
  #checkov:skip=CKV_AWS_338:the state has every change; the retention is an option
  name              = local.log_group
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:a line of its log says what each invocation did
  #checkov:skip=CKV_AWS_116:the queue has a dead-letter queue; the schedule repeats a plan
  #checkov:skip=CKV_AWS_117:it reaches APIs of AWS, which need no network of yours
  #checkov:skip=CKV_AWS_173:Lambda encrypts the environment with a key of its own; it holds no secret
  #checkov:skip=CKV_AWS_272:code signing wants a signing profile, which is yours
  function_name = var.name
  description   = "Keeps the functions of the account as backstop.toml wants them: mode ${var.mode}."
  role          = aws_iam_role.this.arn
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = 900
  tags          = var.tags
  # Two at once would write the same functions.
  reserved_concurrent_executions = 1

  filename          = var.package.path
  source_code_hash  = try(filebase64sha256(var.package.path), null)
  s3_bucket         = try(var.package.s3.bucket, null)
  s3_key            = try(var.package.s3.key, null)
  s3_object_version = try(var.package.s3.object_version, null)
  handler           = "bootstrap"
  runtime           = "provided.al2023"

  environment {
    variables = { for name, value in local.settings : name => value if value != null }
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}
