# What makes the function look: events make it soon, and the schedule is what counts on nothing.

locals {
  calls = [for call in ["CreateFunction", "UpdateFunctionConfiguration", "UpdateFunctionCode", "TagResource", "UntagResource"] : { prefix = call }]
  patterns = var.events == null ? {} : merge(
    # Lambda's own events need no trail. Whatever they are called, they are not those of CloudTrail.
    {
      state = jsonencode({
        source        = ["aws.lambda"]
        "detail-type" = [{ "anything-but" = "AWS API Call via CloudTrail" }]
      })
    },
    var.events.cloudtrail ? {
      cloudtrail = jsonencode({
        source        = ["aws.lambda"]
        "detail-type" = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["lambda.amazonaws.com"]
          eventName   = local.calls
          errorCode   = [{ exists = false }]
        }
      })
    } : {},
  )
  rule_arns = { for key, pattern in local.patterns : key => "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${var.name}-${key}" }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.patterns

  name          = "${var.name}-${each.key}"
  description   = "Functions that changed, for ${var.name}."
  event_pattern = each.value
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.patterns

  rule = aws_cloudwatch_event_rule.this[each.key].name
  arn  = aws_sqs_queue.this.arn

  depends_on = [aws_sqs_queue_policy.this]
}

resource "aws_iam_role" "schedule" {
  count = var.schedule == null ? 0 : 1

  name        = "${var.name}-schedule"
  description = "Lets EventBridge Scheduler invoke the function ${var.name}."
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  count = var.schedule == null ? 0 : 1

  name = "invoke"
  role = aws_iam_role.schedule[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Invoke"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [local.function_arn]
    }]
  })
}

resource "aws_scheduler_schedule" "plan" {
  #checkov:skip=CKV_AWS_297:EventBridge Scheduler encrypts it with a key of its own; it holds one word
  count = var.schedule == null ? 0 : 1

  name                = "${var.name}-plan"
  description         = "Plans over everything."
  schedule_expression = var.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule[0].arn
    input    = jsonencode({ action = "plan" })

    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 1800
    }
  }
}
