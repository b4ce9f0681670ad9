output "arns" {
  description = "The ARN of the layer version in each region."
  value       = module.layer.arns
}
