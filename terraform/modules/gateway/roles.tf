# What ECS does to start a task, and what the collector may do.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "execution" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = local.secrets
  }
  dynamic "statement" {
    for_each = length(var.secret_kms_key_arns) == 0 ? [] : [var.secret_kms_key_arns]
    content {
      actions   = ["kms:Decrypt"]
      resources = statement.value
      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["secretsmanager.*"]
      }
    }
  }
  dynamic "statement" {
    for_each = local.ecr == null ? [] : [local.ecr]
    content {
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = ["arn:${data.aws_partition.current.partition}:ecr:${statement.value[1]}:${statement.value[0]}:repository/${statement.value[2]}"]
    }
  }
  dynamic "statement" {
    for_each = local.ecr == null ? [] : [local.ecr]
    content {
      # Knows no resource.
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"]
    }
  }
}

locals {
  objects = "arn:${data.aws_partition.current.partition}:s3:::${var.archive.bucket_name}/${var.archive.prefix}"
  # Neither tier may write what the other writes, or what functions write below the same prefix.
  written = {
    worker     = ["${local.objects}/v1/stream=gateway/*"]
    aggregator = ["${local.objects}/undelivered/*", "${local.objects}/undelivered-otlp/*"]
  }
  # Of a copy of the image in ECR: region and repository. The official image needs no permission.
  ecr = try(regex("^([0-9]{12})[.]dkr[.]ecr[.]([a-z0-9-]+)[.]amazonaws[.]com(?:[.]cn)?/([a-z0-9./_-]+)@", var.image), null)
}

data "aws_iam_policy_document" "task" {
  for_each = local.written

  # A large object is written in parts, which are removed again if one fails.
  statement {
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = each.value
  }
  dynamic "statement" {
    for_each = var.archive.kms_key_arn == null ? [] : [var.archive.kms_key_arn]
    content {
      # Decrypt is for an object in parts. The role reads no object.
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]
      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*"]
      }
    }
  }
}

data "aws_partition" "current" {}

resource "aws_iam_role" "execution" {
  name_prefix        = "${substr(var.name, 0, 20)}-execution-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

resource "aws_iam_role" "task" {
  for_each = local.written

  name_prefix        = "${substr(var.name, 0, 20)}-${each.key}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "task" {
  for_each = local.written

  name   = "archive"
  role   = aws_iam_role.task[each.key].id
  policy = data.aws_iam_policy_document.task[each.key].json
}
