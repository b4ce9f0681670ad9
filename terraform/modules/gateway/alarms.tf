# The collector's own log says what was dropped and what was refused: ECS has nothing that reads its metrics.

locals {
  # What these two fail to send stays in the queue before them.
  others = "-\"otlp_http/primary\" -\"awss3/undelivered\""
  alarms = var.alarms == null ? {} : {
    dropped = {
      pattern     = "\"Exporting failed. Dropping data\" ${local.others}"
      description = "The gateway dropped records after an error that is not retried: replay the archive of this time."
    }
    refused = {
      pattern     = "\"Exporting failed. Rejecting data\" ${local.others}"
      description = "A queue of the gateway is full, and functions divert to their own fallback."
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.alarms

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = each.value.pattern

  metric_transformation {
    namespace = "Backstop/Gateway"
    name      = "${var.name}-${each.key}"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "Backstop/Gateway"
  metric_name         = "${var.name}-${each.key}"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # What is zero is not reported.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarms.actions
  ok_actions         = var.alarms.actions
  tags               = var.tags
}
