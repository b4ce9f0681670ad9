# What starts a replay without anybody.

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

resource "aws_scheduler_schedule" "probe" {
  #checkov:skip=CKV_AWS_297:EventBridge Scheduler encrypts it with a key of its own; it holds one word
  count = var.schedule == null ? 0 : 1

  name                = "${var.name}-probe"
  description         = "Looks for objects to replay, asks the primary, and begins."
  schedule_expression = var.schedule.rate

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule[0].arn
    input    = jsonencode({ mode = "probe" })

    retry_policy {
      # The next one comes soon.
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }
}
