output "state" {
  description = "The value for `backstop controller status --state`."
  value       = module.controller.state
}

output "function_arn" {
  description = "The ARN of the controller."
  value       = module.controller.function_arn
}
