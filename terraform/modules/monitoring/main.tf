# Alarms on what the extension counts and on the archive. The table is shared with the CDK library, by a test.

data "aws_region" "current" {}

locals {
  kinds = jsondecode(file("${path.module}/alarms.json"))

  # What the extension counts is there for each function and, without a dimension, for all of the region.
  functions = length(var.function_names) == 0 ? { "" = {} } : {
    for name in var.function_names : "-${name}" => { FunctionName = name }
  }
  on_records = {
    for pair in setproduct([for key, kind in local.kinds : key if kind.namespace == "Backstop"], keys(local.functions)) :
    "${pair[0]}${pair[1]}" => {
      kind       = pair[0]
      dimensions = local.functions[pair[1]]
      threshold  = try(var.alarms.thresholds[pair[0]], local.kinds[pair[0]].threshold)
      period     = try(var.alarms.period_seconds, null)
      periods    = 1
    }
  }
  on_stream = var.firehose_stream_name == null ? {} : {
    firehose-failed = {
      kind       = "firehose-failed"
      dimensions = { DeliveryStreamName = var.firehose_stream_name }
      threshold  = local.kinds["firehose-failed"].threshold
      period     = try(var.alarms.period_seconds, null)
      periods    = 1
    }
  }
  on_bucket = var.archive == null ? {} : {
    archive-not-replayed = {
      kind       = "archive-not-replayed"
      dimensions = { BucketName = var.archive.bucket_name, StorageType = "AllStorageTypes" }
      threshold  = local.kinds["archive-not-replayed"].threshold
      # S3 reports it once a day.
      period  = 86400
      periods = var.archive.not_replayed_days
    }
  }
  alarms = var.alarms == null ? {} : merge(local.on_records, local.on_stream, local.on_bucket)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = local.kinds[each.value.kind].description
  namespace           = local.kinds[each.value.kind].namespace
  metric_name         = local.kinds[each.value.kind].metric
  dimensions          = each.value.dimensions
  statistic           = local.kinds[each.value.kind].statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = local.kinds[each.value.kind].comparison
  threshold           = each.value.threshold
  # What is zero is not reported.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarms.actions
  ok_actions         = var.alarms.actions
  tags               = var.tags
}
