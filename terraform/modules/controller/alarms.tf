# What asks for a person.

locals {
  alarms = var.alarms == null ? {} : merge(
    {
      errors  = { metric = "Errors", text = "A plan failed: the wanted state, the state or an API could not be used. The log group ${local.log_group} says why." }
      failed  = { metric = "Failed", text = "Functions could not be written. `backstop controller status` says which, and why." }
      limited = { metric = "Limited", text = "Functions were written ${var.max_writes_per_hour} times within an hour and are now left: somebody else changes them back. `backstop controller status` says which." }
      skipped = { metric = "Skipped", text = "Accounts, regions, functions or names could not be read. `backstop controller status` says which." }
      stopped = { metric = "Stopped", text = "The switch stops all writes." }
    },
    var.alarms.drift ? { drifted = { metric = "Drifted", text = "Functions differ from what they were given, and the mode ${var.mode} leaves them." } } : {},
  )

  # A rate in hours: rate(30 minutes) is 0.5. Null for a cron expression, which has no one interval.
  rate = try(regex("^rate[(]([0-9]+) (minute|hour|day)s?[)]$", var.schedule), null)
  interval = local.rate == null ? null : tonumber(local.rate[0]) * {
    minute = 1 / 60
    hour   = 1
    day    = 24
  }[local.rate[1]]
  plan_hours = try(coalesce(try(var.alarms.plan_hours, null), local.interval == null ? null : min(168, ceil(3 * local.interval))), null)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = "Backstop/Controller"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = var.name }
  statistic           = "Maximum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

# A function that fails before it counts, or a schedule that does not run.
resource "aws_cloudwatch_metric_alarm" "no_plan" {
  count = var.alarms != null && var.schedule != null ? 1 : 0

  alarm_name          = "${var.name}-no-plan"
  alarm_description   = "No plan over everything has worked for ${coalesce(local.plan_hours, 0)} hours."
  namespace           = "Backstop/Controller"
  metric_name         = "Plans"
  dimensions          = { FunctionName = var.name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = coalesce(local.plan_hours, 1)
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags

  lifecycle {
    precondition {
      condition     = local.plan_hours != null
      error_message = "schedule is a cron expression, from which no interval is known: set alarms.plan_hours to the hours within which a plan must work."
    }
    precondition {
      condition     = local.interval == null ? true : coalesce(local.plan_hours, 0) > local.interval
      error_message = "alarms.plan_hours is not longer than the interval of schedule, so that the alarm would be raised between two plans. It has at most 168 hours: plan more often than once a week."
    }
  }
}

# What ends in no line of metrics: the function ran out of time or memory, or did not start.
resource "aws_cloudwatch_metric_alarm" "invocations" {
  count = var.alarms != null ? 1 : 0

  alarm_name          = "${var.name}-invocations"
  alarm_description   = "Invocations of the function failed. The log group ${local.log_group} says why."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  # Lambda tries a plan three times; one failure for an event that must wait is nothing to look at.
  threshold          = 2
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarms.actions
  ok_actions         = var.alarms.actions
  tags               = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  count = var.alarms != null && var.events != null ? 1 : 0

  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Events could not be planned for. Nothing is lost: the next plan over everything finds what they were about."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
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
