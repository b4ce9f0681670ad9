output "layer_arn" {
  description = "For every account of the organisation."
  value       = module.layer.arn
}

output "function_arn" {
  description = "The ARN of the function, in the account of the workload."
  value       = module.function.arn
}
