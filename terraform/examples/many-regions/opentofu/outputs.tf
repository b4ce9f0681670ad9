output "arns" {
  description = "The ARN of the layer version in each region."
  value       = { for region, layer in module.layer : region => layer.arn }
}
