output "layers" {
  description = "For the function's `layers`: its own in their order, with Backstop's."
  value       = local.layers

  precondition {
    condition     = !var.enabled || !local.takes_layers || var.layer_arn != null
    error_message = "There is no layer_arn: give the ARN that the module layer or layer-lookup returns. For a container image set package_type to Image."
  }
  precondition {
    condition     = local.takes_layers || length(var.layers) == 0
    error_message = "The function is a container image, and layers is not empty: Lambda gives no layers to images."
  }
  precondition {
    condition     = !var.enabled || !local.takes_layers || length(local.layers) <= 5
    error_message = "With Backstop the function would have ${length(local.layers)} layers, and Lambda takes 5: put two of your own into one layer, or put the extension into one of them."
  }
  precondition {
    condition     = !var.enabled || !local.takes_layers || local.layer_region == var.region
    error_message = "The layer is in ${local.layer_region} and the function in ${var.region}: a function takes layers of its own region only."
  }
  precondition {
    condition     = !var.enabled || !local.takes_layers || local.layer_architecture == var.architecture
    error_message = "The layer is for ${local.layer_architecture} and the function runs on ${var.architecture}: the extension could not start."
  }
}

output "environment_variables" {
  description = "For the function's `environment`: its own variables, which win, with Backstop's."
  value       = local.environment_variables

  precondition {
    condition     = !var.enabled || local.has_sink
    error_message = "There is neither primary nor fallback, so that nothing could be delivered: give primary.url, fallback.firehose_stream or fallback.s3_bucket."
  }
  precondition {
    condition     = !var.enabled || var.fallback.s3_bucket != null || !local.has_s3_settings
    error_message = "The fallback s3 is spoken of, and there is no bucket: give fallback.s3_bucket, or take s3_prefix, s3_region, s3_kms_key_id, s3_expected_bucket_owner and s3 in order out."
  }
  precondition {
    condition     = !var.enabled || var.fallback.firehose_stream != null || !local.names_firehose
    error_message = "fallback.order names firehose, and there is no stream: give fallback.firehose_stream, or take firehose out."
  }
  precondition {
    condition     = !var.enabled || !local.has_token || !contains([for name in nonsensitive(keys(var.primary_headers)) : lower(name)], "authorization")
    error_message = "primary_token and the header Authorization in primary_headers say the same twice: keep one of the two."
  }
  precondition {
    condition     = !var.enabled || var.primary != null || !(local.has_token || local.has_headers)
    error_message = "There is a primary_token or primary_headers, and no primary: give primary.url."
  }
  precondition {
    condition     = !var.enabled || local.environment_bytes <= 4096
    error_message = "With Backstop the environment would have ${local.environment_bytes} bytes as JSON, and Lambda takes 4096: shorten it, or move values of your own to Parameter Store."
  }
}

output "policy_json" {
  description = "The policy that the function's role needs, as JSON; null where there is no fallback."
  value       = local.policy_json

  precondition {
    condition     = !var.enabled || !local.key_is_alias || length(var.fallback.kms_key_arns) > 0
    error_message = "fallback.s3_kms_key_id is an alias, which grants nothing in a policy: give the key's ARN in fallback.kms_key_arns as well."
  }
}

output "warnings" {
  description = "What works and may not be meant, in sentences; empty where there is nothing to say."
  value       = local.warnings
}
