# The collector's own log says what was dropped, refused and not taken: ECS has nothing that reads its metrics.

locals {
  # What these two fail to send stays in the queue before them.
  others = "-\"otlp_http/primary\" -\"awss3/undelivered\""
  alarms = var.alarms == null ? {} : {
    dropped = {
      pattern     = "\"Exporting failed. Dropping data\" ${local.others}"
      periods     = 1
      description = "The gateway dropped records after an error that is not retried: replay the archive of this time."
    }
    refused = {
      pattern     = "\"Exporting failed. Rejecting data\" ${local.others}"
      periods     = 1
      description = "A queue of the gateway is full, and functions divert to their own fallback."
    }
    memory = {
      pattern     = "\"Refusing data\""
      periods     = 1
      description = "A task of the gateway is short of memory and refuses: functions divert, or a queue grows."
    }
    undelivered = {
      pattern     = "\"Exporting failed. Rejecting data\" \"otlp_http/primary\""
      periods     = 1
      description = "The primary did not take records, which are in S3 below undelivered/: replay them once it does."
    }
    waiting = {
      # A deployment replaces the aggregator, which takes one or two periods.
      pattern     = "\"Exporting failed. Will retry\" -\"otlp_http/primary\""
      periods     = 3
      description = "A queue of the gateway waits for the aggregator or for S3, and is lost with its task."
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
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # What is zero is not reported.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarms.actions
  ok_actions         = var.alarms.actions
  tags               = var.tags
}
