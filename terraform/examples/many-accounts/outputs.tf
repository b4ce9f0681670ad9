output "layer_arn" {
  description = "The ARN of the layer version, for every account of the organization."
  value       = module.layer.arn
}

output "function_arn" {
  description = "The ARN of the function, in the account of the workload."
  value       = module.function.arn
}
