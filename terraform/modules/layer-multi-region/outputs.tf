output "arns" {
  description = "The ARN of the layer version in each region."
  value       = { for region, layer in aws_lambda_layer_version.this : region => layer.arn }
}

output "versions" {
  description = "The number of the version in each region. The numbers differ; the release in the name does not."
  value       = { for region, layer in aws_lambda_layer_version.this : region => tonumber(layer.version) }
}

output "sha256" {
  description = "The checksum of the zip, in hexadecimal."
  value       = local.sha256
}

output "name" {
  description = "The name of the layer, `backstop-extension-ARCHITECTURE-MAJOR-MINOR-PATCH`."
  value       = local.name
}
