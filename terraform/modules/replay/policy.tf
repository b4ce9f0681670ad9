# What the function's role may do: each action is one that the function calls, or that Lambda's poller calls for it.
# crates/replay-function/tests/function/role.rs compares them with the calls that were recorded.

locals {
  objects_arn = "${local.bucket_arn}/${var.archive.s3_prefix}/v1/*"
  marks = {
    tag = [{
      Sid      = "MarkObjects"
      Effect   = "Allow"
      Action   = ["s3:PutObjectTagging"]
      Resource = [local.objects_arn]
    }]
    move = [
      {
        Sid      = "MoveObjects"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:PutObjectTagging"]
        Resource = ["${local.bucket_arn}/${var.archive.s3_prefix}/replayed/v1/*"]
      },
      {
        Sid      = "RemoveObjects"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = [local.objects_arn]
      },
    ]
    delete = [{
      Sid      = "RemoveObjects"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject"]
      Resource = [local.objects_arn]
    }]
    keep = []
  }

  # Of the function's role, and the state machine's.
  archive_key_statements = [for arns in length(var.archive.kms_key_arns) > 0 ? [var.archive.kms_key_arns] : [] : {
    Sid       = "ArchiveKey"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = arns
    Condition = { StringLike = { "kms:ViaService" = "s3.*" } }
  }]

  statements = concat(
    [
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
      },
      {
        Sid      = "ListArchive"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.bucket_arn]
        # A read of a key that is missing has no prefix: with IfExists it is answered with 404, and not with 403.
        Condition = { StringLikeIfExists = { "s3:prefix" = ["${var.archive.s3_prefix}/v1/*", "${local.state_prefix}/*"] } }
      },
      {
        Sid      = "ReadObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectTagging"]
        Resource = [local.objects_arn]
      },
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = ["${local.bucket_arn}/${local.state_prefix}/*"]
      },
      {
        Sid      = "Queue"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility", "sqs:SendMessage"]
        Resource = [aws_sqs_queue.this.arn]
      },
      {
        Sid      = "DeadLetters"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [aws_sqs_queue.dead_letters.arn]
      },
      {
        # It knows no resource.
        Sid      = "FindMapping"
        Effect   = "Allow"
        Action   = ["lambda:ListEventSourceMappings"]
        Resource = ["*"]
      },
      {
        Sid       = "StopMapping"
        Effect    = "Allow"
        Action    = ["lambda:UpdateEventSourceMapping"]
        Resource  = ["arn:${local.partition}:lambda:${local.region}:${local.account_id}:event-source-mapping:*"]
        Condition = { ArnEquals = { "lambda:FunctionArn" = local.function_arn } }
      },
    ],
    jsondecode(jsonencode(local.marks))[var.replay.after],
    local.archive_key_statements,
    [for arn in var.queue.kms_key_arn[*] : {
      Sid       = "QueueKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [arn]
      Condition = { StringLike = { "kms:ViaService" = "sqs.*" } }
    }],
    module.primary.policy_json == null ? [] : jsondecode(module.primary.policy_json).Statement,
  )
}
