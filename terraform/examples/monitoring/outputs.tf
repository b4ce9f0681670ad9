output "fallback" {
  description = "The value for `fallback` of the module `attachment`."
  value       = module.archive.fallback
}

output "alarm_arns" {
  description = "The ARNs of the alarms."
  value       = module.monitoring.alarm_arns
}

output "dashboard_name" {
  description = "The name of the dashboard."
  value       = module.monitoring.dashboard_name
}
