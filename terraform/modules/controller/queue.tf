# The queue of events: its delay lets a deployment end, and what cannot be planned goes to the dead-letter queue.

locals {
  encryption = var.queue_kms_key_arn
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = local.encryption == null ? true : null
  kms_master_key_id         = local.encryption
  tags                      = var.tags
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  delay_seconds              = try(var.events.delay_seconds, 60)
  message_retention_seconds  = 86400
  visibility_timeout_seconds = 5400
  sqs_managed_sse_enabled    = local.encryption == null ? true : null
  kms_master_key_id          = local.encryption
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })
  tags = var.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.tls_only, { Resource = aws_sqs_queue.dead_letters.arn })]
  })
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [merge(local.tls_only, { Resource = aws_sqs_queue.this.arn })],
      [for arn in values(local.rule_arns) : {
        Sid       = "Events${index(values(local.rule_arns), arn)}"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.this.arn
        Condition = { ArnEquals = { "aws:SourceArn" = arn } }
      }],
    )
  })
}

locals {
  tls_only = {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
}

resource "aws_lambda_event_source_mapping" "this" {
  count = var.events == null ? 0 : 1

  event_source_arn = aws_sqs_queue.this.arn
  function_name    = aws_lambda_function.this.arn
  batch_size       = 100
  # Many events of one deployment are one plan.
  maximum_batching_window_in_seconds = 30

  # The least that there is; the reserved concurrency of 1 holds back the other.
  scaling_config {
    maximum_concurrency = 2
  }
}
