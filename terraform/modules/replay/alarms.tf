# What asks for a person.

locals {
  stops = try(var.alarms.stop_at_dead_letters, null) != null
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  count = var.alarms == null ? 0 : 1

  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Objects could not be replayed. The attribute backstop-reason of each message in ${local.dead_letters_name} says why; to try again, move them back to the queue."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.dead_letters_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

# This one invokes the function, which stops the mapping.
resource "aws_cloudwatch_metric_alarm" "stop" {
  count = local.stops ? 1 : 0

  alarm_name          = "${var.name}-stop"
  alarm_description   = "Too many objects could not be replayed: the replay is stopped. To go on, invoke ${var.name} with {\"mode\": \"resume\"}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.dead_letters_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarms.stop_at_dead_letters
  treat_missing_data  = "notBreaching"
  alarm_actions       = concat([aws_lambda_function.this.arn], var.alarms.actions)
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

resource "aws_lambda_permission" "stop" {
  count = local.stops ? 1 : 0

  statement_id   = "StopByAlarm"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "lambda.alarms.cloudwatch.amazonaws.com"
  source_account = local.account_id
  source_arn     = aws_cloudwatch_metric_alarm.stop[0].arn
}

resource "aws_cloudwatch_metric_alarm" "not_empty" {
  count = var.alarms != null && var.schedule != null ? 1 : 0

  alarm_name          = "${var.name}-archive-not-empty"
  alarm_description   = "The archive has held records that were not replayed for ${var.alarms.not_empty_hours} hours, or the probe has not said so for as long. The log group ${aws_cloudwatch_log_group.this.name} says why."
  namespace           = "Backstop/Replay"
  metric_name         = "UnreplayedObjects"
  dimensions          = { FunctionName = var.name }
  statistic           = "Minimum"
  period              = 3600
  evaluation_periods  = var.alarms.not_empty_hours
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # Without a number the probe does not run, or fails: then nobody knows what the archive holds.
  treat_missing_data = "breaching"
  alarm_actions      = var.alarms.actions
  ok_actions         = var.alarms.actions
  tags               = var.tags
}
