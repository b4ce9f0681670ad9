# A whole small function with Backstop: its role, its log group, and what the module attachment returns.

data "aws_region" "current" {}

locals {
  is_image = var.package.image_uri != null
}

module "attachment" {
  source = "../attachment"

  enabled               = var.enabled
  name                  = var.name
  region                = data.aws_region.current.id
  architecture          = var.architecture
  package_type          = local.is_image ? "Image" : "Zip"
  layer_arn             = var.layer_arn
  layers                = var.layers
  environment_variables = var.environment_variables
  primary               = var.primary
  primary_token         = var.primary_token
  primary_headers       = var.primary_headers

  primary_token_secret_arn    = var.primary_token_secret_arn
  primary_token_ssm_parameter = var.primary_token_ssm_parameter
  primary_token_kms           = var.primary_token_kms
  primary_token_kms_key_id    = var.primary_token_kms_key_id

  fallback   = var.fallback
  flush      = var.flush
  transforms = var.transforms
  log_level  = var.log_level
  metrics    = var.metrics
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-function"
  description = "The function ${var.name}."
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

# Leave to write to this log group, where AWS's own policy would let the function write to any; and to the
# fallbacks. One policy for both: whether there is a second might only be known after apply, which no count can be.
resource "aws_iam_role_policy" "function" {
  name = "function"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
      }],
      module.attachment.policy_json == null ? [] : jsondecode(module.attachment.policy_json).Statement,
    )
  })
}

resource "aws_iam_role_policy" "own" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.this.id
  policy = each.value
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts it with a key of its own; the copy that is kept is the archive's
  #checkov:skip=CKV_AWS_338:the same records are at the primary and in the archive; the retention is an option
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:tracing is the function's owner's choice; a function with more needs takes the module attachment
  #checkov:skip=CKV_AWS_115:so is reserved concurrency, which takes from others
  #checkov:skip=CKV_AWS_116:so is a dead-letter queue, which is for asynchronous invocations only
  #checkov:skip=CKV_AWS_117:so is a network, which most functions are better off without
  #checkov:skip=CKV_AWS_173:Lambda encrypts the environment with a key of its own
  #checkov:skip=CKV_AWS_272:so is code signing, which wants a signing profile
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = var.timeout_seconds
  tags          = var.tags

  package_type      = local.is_image ? "Image" : "Zip"
  image_uri         = var.package.image_uri
  filename          = var.package.path
  source_code_hash  = try(filebase64sha256(var.package.path), null)
  s3_bucket         = try(var.package.s3.bucket, null)
  s3_key            = try(var.package.s3.key, null)
  s3_object_version = try(var.package.s3.object_version, null)
  handler           = var.handler
  runtime           = var.runtime

  layers = module.attachment.layers

  dynamic "environment" {
    for_each = module.attachment.environment
    content {
      variables = environment.value
    }
  }

  lifecycle {
    precondition {
      condition     = local.is_image == (var.handler == null) && local.is_image == (var.runtime == null)
      error_message = "A zip needs handler and runtime, and an image takes neither: set both or remove both."
    }
  }

  # The group is Terraform's before Lambda makes one; and the extension can write before the first invocation.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.function, aws_iam_role_policy.own]
}
