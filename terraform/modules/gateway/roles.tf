# What ECS does to start a task, and what the collector may do.

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

locals {
  # An image of ECR, which ECS pulls with the role; other registries ask for nothing.
  ecr = try(regex("^(?P<account>[0-9]{12})[.]dkr[.]ecr[.](?P<region>[a-z0-9-]+)[.]amazonaws[.]com(?:[.]cn)?/(?P<repository>[^:@]+)", var.image), null)

  start_statements = concat(
    [
      {
        Sid    = "Logs"
        Effect = "Allow"
        Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
        # Known before the resources are there, so that a plan shows the policies.
        Resource = ["arn:${data.aws_partition.current.partition}:logs:${local.region}:${data.aws_caller_identity.current.account_id}:log-group:${aws_cloudwatch_log_group.this.name}:*"]
      },
      {
        Sid    = "ReadSecrets"
        Effect = "Allow"
        Action = ["secretsmanager:GetSecretValue"]
        # Without the field that ECS may take of one.
        Resource = sort(distinct([for arn in local.secrets : join(":", slice(split(":", arn), 0, 7))]))
      },
    ],
    length(var.secret_kms_key_arns) == 0 ? [] : [{
      Sid       = "DecryptSecrets"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = sort(var.secret_kms_key_arns)
      Condition = { StringLike = { "kms:ViaService" = "secretsmanager.*" } }
    }],
    local.ecr == null ? [] : [
      {
        Sid    = "PullToken"
        Effect = "Allow"
        Action = ["ecr:GetAuthorizationToken"]
        # It knows no resource.
        Resource = ["*"]
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = ["arn:${data.aws_partition.current.partition}:ecr:${try(local.ecr.region, "")}:${try(local.ecr.account, "")}:repository/${try(local.ecr.repository, "")}"]
      },
    ],
  )
  objects = "arn:${data.aws_partition.current.partition}:s3:::${var.archive.bucket_name}/${var.archive.prefix}"
  # Neither tier may write what the other writes, or what functions write below the same prefix.
  written = {
    worker     = ["${local.objects}/v1/stream=gateway/*"]
    aggregator = ["${local.objects}/undelivered-otlp/*", "${local.objects}/undelivered/*"]
  }
  task_statements = { for tier, objects in local.written : tier => concat(
    [{
      Sid    = "Archive"
      Effect = "Allow"
      # A large object is written in parts, which are removed again if one fails.
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = objects
    }],
    [for arn in var.archive.kms_key_arn[*] : {
      Sid    = "EncryptObjects"
      Effect = "Allow"
      # Decrypt is for an object in parts. The role reads no object.
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [arn]
      Condition = { StringLike = { "kms:ViaService" = "s3.*" } }
    }],
  ) }
  assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role" "execution" {
  name_prefix        = "${substr(var.name, 0, 20)}-execution-"
  assume_role_policy = local.assume
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.start_statements })
}

resource "aws_iam_role" "task" {
  for_each = local.written

  name_prefix        = "${substr(var.name, 0, 20)}-${each.key}-"
  assume_role_policy = local.assume
  tags               = var.tags
}

resource "aws_iam_role_policy" "task" {
  for_each = local.written

  name   = "archive"
  role   = aws_iam_role.task[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.task_statements[each.key] })
}
