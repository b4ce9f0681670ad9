# The dashboard: where records go, what is wrong, and what it costs the functions.

locals {
  region = data.aws_region.current.id

  # In a search, these functions or all. A search has room for 1,024 characters, so for twelve of the longest names.
  named = length(var.function_names) == 0 ? [""] : [
    for names in chunklist(var.function_names, 12) : " FunctionName=(${join(" OR ", [for name in names : "\"${name}\""])})"
  ]
  search = {
    for key, query in {
      received  = ["{Backstop,FunctionName}", "Received", "Sum"]
      diverted  = ["{Backstop,FunctionName}", "Diverted", "Sum"]
      dropped   = ["{Backstop,FunctionName,Reason}", "Dropped", "Sum"]
      dead      = ["{Backstop,FunctionName}", "DeadLetters", "Sum"]
      upstream  = ["{Backstop,FunctionName}", "LostUpstream", "Sum"]
      delivered = ["{Backstop,FunctionName,Sink}", "Delivered", "Sum"]
      open      = ["{Backstop,FunctionName,Sink}", "BreakerOpen", "Maximum"]
      pending   = ["{Backstop,FunctionName}", "Pending", "Maximum"]
      added     = ["{Backstop,FunctionName}", "AddedMilliseconds", "Sum"]
    } : key => [for named in local.named : "SEARCH('${query[0]} MetricName=\"${query[1]}\"${named}', '${query[2]}', 300)"]
  }
  graphs = [
    { title = "Records received, by function", queries = ["received"] },
    { title = "Records delivered, by sink", queries = ["delivered"] },
    { title = "Records diverted to a fallback", queries = ["diverted"] },
    { title = "Records dropped (lost), by reason, and lost before Backstop", queries = ["dropped", "upstream"] },
    { title = "Dead letters", queries = ["dead"] },
    { title = "Circuit breaker open, by sink", queries = ["open"] },
    { title = "Records pending in one environment, at most", queries = ["pending"] },
    { title = "Milliseconds added to invocations", queries = ["added"] },
  ]
  graph_widgets = [
    for at, graph in local.graphs : {
      type   = "metric"
      x      = at % 2 * 12
      y      = 2 + floor(at / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = graph.title
        region  = local.region
        view    = "timeSeries"
        stacked = false
        period  = 300
        metrics = [
          for metric in flatten([
            for query in graph.queries : [
              for at, search in local.search[query] : { expression = search, id = at == 0 ? query : "${query}${at + 1}" }
            ]
          ]) : [metric]
        ]
      }
    }
  ]
  alarm_widgets = length(local.alarms) == 0 ? [] : [{
    type   = "alarm"
    x      = 0
    y      = 0
    width  = 24
    height = 2
    properties = {
      title  = "Alarms"
      alarms = [for key in sort(keys(local.alarms)) : aws_cloudwatch_metric_alarm.this[key].arn]
    }
  }]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = concat(local.alarm_widgets, local.graph_widgets) })
}
