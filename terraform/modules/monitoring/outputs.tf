output "alarm_arns" {
  description = "The ARNs of the alarms, by `records-diverted` and the like; with `function_names` by `records-diverted-FUNCTION`."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "dashboard_name" {
  description = "The name of the dashboard; null if there is none."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}
