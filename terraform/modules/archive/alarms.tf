# Whether the fallbacks are in use, which is whether a primary has failed.

locals {
  has_stream_alarms = var.alarms != null && local.has_stream
  has_direct_alarm  = try(var.alarms.direct_writes, false)
}

resource "aws_cloudwatch_metric_alarm" "fallback_used" {
  count = local.has_stream_alarms ? 1 : 0

  alarm_name          = "${var.name}-fallback-used"
  alarm_description   = "Functions divert records to the delivery stream ${local.stream_name}: a primary refuses them, is slow or is down."
  namespace           = "AWS/Firehose"
  metric_name         = "IncomingRecords"
  dimensions          = { DeliveryStreamName = local.stream_name }
  statistic           = "Sum"
  period              = var.alarms.period_seconds
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # Without records there are no data points: nothing is wrong.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarms.actions
  ok_actions         = var.alarms.actions
  tags               = var.tags
}

resource "aws_cloudwatch_metric_alarm" "delivery_failed" {
  count = local.has_stream_alarms ? 1 : 0

  alarm_name          = "${var.name}-delivery-failed"
  alarm_description   = "The delivery stream ${local.stream_name} cannot write to the archive. It tries for 24 hours; its log group says why."
  namespace           = "AWS/Firehose"
  metric_name         = "DeliveryToS3.Success"
  dimensions          = { DeliveryStreamName = local.stream_name }
  statistic           = "Minimum"
  period              = var.alarms.period_seconds
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

resource "aws_s3_bucket_metric" "direct" {
  count = local.has_direct_alarm ? 1 : 0

  bucket = aws_s3_bucket.this.id
  name   = "${var.name}-direct"

  # What functions write themselves; the stream's objects are elsewhere.
  filter {
    prefix = "${var.prefix}/v1/account="
  }
}

resource "aws_cloudwatch_metric_alarm" "direct_writes" {
  count = local.has_direct_alarm ? 1 : 0

  alarm_name          = "${var.name}-direct-writes"
  alarm_description   = "Functions write records to the bucket ${local.bucket_name} themselves: a primary fails, and the delivery stream too, or there is none."
  namespace           = "AWS/S3"
  metric_name         = "PutRequests"
  dimensions          = { BucketName = local.bucket_name, FilterId = aws_s3_bucket_metric.direct[0].name }
  statistic           = "Sum"
  period              = var.alarms.period_seconds
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}
