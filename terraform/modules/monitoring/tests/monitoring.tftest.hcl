# The alarms and the dashboard.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-west-1", name = "eu-west-1" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:mocked" }
  }
}

run "one_alarm_of_each_kind_watches_the_region" {
  assert {
    condition     = sort(keys(output.alarm_arns)) == tolist(["dead-letters", "records-diverted", "records-dropped"])
    error_message = jsonencode(keys(output.alarm_arns))
  }
  assert {
    condition = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) :
      alarm.namespace == "Backstop" && alarm.statistic == "Sum" && length(coalesce(alarm.dimensions, {})) == 0
      && alarm.threshold == 0 && alarm.period == 300 && alarm.comparison_operator == "GreaterThanThreshold"
    && alarm.treat_missing_data == "notBreaching"])
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this)
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["records-diverted"].alarm_name == "backstop-records-diverted" && aws_cloudwatch_metric_alarm.this["records-diverted"].metric_name == "Diverted"
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this["records-diverted"])
  }
  assert {
    condition     = output.dashboard_name == "backstop"
    error_message = jsonencode(output.dashboard_name)
  }
}

run "all_there_can_be" {
  variables {
    name                 = "shop"
    function_names       = ["orders", "payments"]
    firehose_stream_name = "records"
    archive              = { bucket_name = "my-archive", not_replayed_days = 3 }
    alarms = {
      actions        = ["arn:aws:sns:eu-west-1:123456789012:ops"]
      period_seconds = 600
      thresholds     = { records-diverted = 100 }
    }
    tags = { team = "shop" }
  }
  assert {
    condition     = length(output.alarm_arns) == 8
    error_message = jsonencode(keys(output.alarm_arns))
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["records-diverted-orders"].dimensions == tomap({ FunctionName = "orders" })
      && aws_cloudwatch_metric_alarm.this["records-diverted-orders"].threshold == 100
      && aws_cloudwatch_metric_alarm.this["records-dropped-orders"].threshold == 0
      && aws_cloudwatch_metric_alarm.this["dead-letters-payments"].alarm_name == "shop-dead-letters-payments"
    )
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this["records-diverted-orders"])
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["firehose-failed"].dimensions == tomap({ DeliveryStreamName = "records" })
      && aws_cloudwatch_metric_alarm.this["firehose-failed"].threshold == 1
      && aws_cloudwatch_metric_alarm.this["firehose-failed"].period == 600
    )
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this["firehose-failed"])
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["archive-not-replayed"].dimensions == tomap({ BucketName = "my-archive", StorageType = "AllStorageTypes" })
      && aws_cloudwatch_metric_alarm.this["archive-not-replayed"].period == 86400
      && aws_cloudwatch_metric_alarm.this["archive-not-replayed"].evaluation_periods == 3
    )
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this["archive-not-replayed"])
  }
  assert {
    condition = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) :
      alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:ops"]) && alarm.ok_actions == alarm.alarm_actions && alarm.tags == tomap({ team = "shop" })
    ])
    error_message = "each alarm notifies, and has the tags"
  }
  # An alarm widget and eight graphs, all within the width of 24, each of these functions only.
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets) == 9
    error_message = aws_cloudwatch_dashboard.this[0].dashboard_body
  }
  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      widget.x + widget.width <= 24 && (widget.type == "alarm" ? length(widget.properties.alarms) == 8 :
    alltrue([for metric in widget.properties.metrics : strcontains(metric[0].expression, "FunctionName=(\"orders\" OR \"payments\")")]))])
    error_message = aws_cloudwatch_dashboard.this[0].dashboard_body
  }
}

# A search has room for 1,024 characters, and an id is there once in a graph.
run "thirty_functions_with_the_longest_names_fit" {
  variables {
    function_names = [for number in range(30) : format("%064d", number)]
  }
  assert {
    condition = alltrue(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
    [for metric in try(widget.properties.metrics, []) : length(metric[0].expression) <= 1024]]))
    error_message = aws_cloudwatch_dashboard.this[0].dashboard_body
  }
  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      widget.type == "alarm" ? true : (
        length(distinct([for metric in widget.properties.metrics : metric[0].id])) == length(widget.properties.metrics)
        && alltrue([for number in range(30) : strcontains(jsonencode(widget.properties.metrics), format("%064d", number))])
    )])
    error_message = aws_cloudwatch_dashboard.this[0].dashboard_body
  }
}

run "what_is_not_asked_for_is_not_made" {
  variables {
    alarms    = null
    dashboard = false
  }
  assert {
    condition     = length(output.alarm_arns) == 0 && output.dashboard_name == null
    error_message = jsonencode(output.alarm_arns)
  }
}

run "a_dashboard_without_alarms" {
  variables {
    alarms = null
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets) == 8
    error_message = aws_cloudwatch_dashboard.this[0].dashboard_body
  }
}
