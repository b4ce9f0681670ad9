output "layer_arns" {
  description = "The layer version for each architecture, for `layer_arn` of the modules `attachment` and `function`."
  value       = { for architecture, layer in module.layer : architecture => layer.arn }
}
