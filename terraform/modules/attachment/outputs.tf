output "layers" {
  description = "The value for the function's `layers`: its own in their order, with Backstop's."
  value       = local.layers

  precondition {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", var.region))
    error_message = "For ${local.function}, region \"${var.region}\" is not the name of a region: write a name such as eu-west-1."
  }
  precondition {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "For ${local.function}, architecture \"${var.architecture}\" is neither x86_64 nor arm64."
  }
  precondition {
    condition     = contains(["Zip", "Image"], var.package_type)
    error_message = "For ${local.function}, package_type \"${var.package_type}\" is neither Zip nor Image."
  }
  precondition {
    condition     = var.layer_arn == null || local.is_arn
    error_message = "For ${local.function}, layer_arn is not the ARN of a layer version: write arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION, with the version."
  }
  precondition {
    condition     = length(local.odd_layers) == 0
    error_message = "For ${local.function}, layers has entries that are not ARNs of layer versions, ${join(", ", local.odd_layers)}: write arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION, with the version."
  }
  precondition {
    condition     = !var.enabled || !local.takes_layers || var.layer_arn != null
    error_message = "For ${local.function}, layer_arn is not set: give the ARN that the module layer or layer-lookup returns. For a container image set package_type to Image."
  }
  precondition {
    condition     = local.takes_layers || length(var.layers) == 0
    error_message = "For ${local.function}, package_type is Image and layers is not empty: Lambda adds no layers to container images. Remove the layers."
  }
  precondition {
    condition     = !local.gets_layer || length(local.layers) <= 5
    error_message = "With Backstop ${local.function} would have ${length(local.layers)} layers, and Lambda allows 5: put two of your own into one layer, or put the extension into one of them."
  }
  precondition {
    condition     = !local.gets_layer || !local.is_arn || local.layer_region == var.region
    error_message = "For ${local.function} in ${var.region} the layer is in ${local.layer_region}, and a function takes only layers of its own region: give the layer of ${var.region}."
  }
  precondition {
    condition     = !local.gets_layer || local.layer_architecture == var.architecture
    error_message = "For ${local.function} on ${var.architecture} the layer is for ${local.layer_architecture}, and the extension could not start: give the layer for ${var.architecture}."
  }
}

output "environment_variables" {
  description = "The function's variables, with Backstop's; the function's own win. For a module that creates functions; in an `aws_lambda_function` use `environment`."
  value       = local.environment_variables

  precondition {
    condition     = length(local.odd_names) == 0
    error_message = "For ${local.function}, environment_variables has names that Lambda refuses, ${join(", ", local.odd_names)}: begin each with a letter, continue with letters, digits and underscores, and use at least two characters."
  }
  precondition {
    condition     = length(local.odd_tags.form) == 0
    error_message = "For ${local.function}, transforms.tags has a key that is empty, contains a comma or an equals sign, or begins or ends with a space, or a value with a comma: correct ${join(", ", local.odd_tags.form)}."
  }
  precondition {
    condition     = length(local.odd_tags.taken) == 0
    error_message = "For ${local.function}, transforms.tags sets attributes that every record already has: remove ${join(", ", local.odd_tags.taken)}."
  }
  precondition {
    condition     = length(local.odd_tags.quoted) == 0
    error_message = "For ${local.function}, transforms.tags has a key or a value that contains a line break, or begins or ends with a quote, or a key with a separator: correct ${join(", ", local.odd_tags.quoted)}."
  }
  precondition {
    condition     = length(local.odd_tags.joined) == 0
    error_message = "For ${local.function}, transforms.tags has a value with more than one pair in it, in ${join(", ", local.odd_tags.joined)}: give each pair its own key."
  }
  precondition {
    condition     = !var.enabled || local.has_sink
    error_message = "For ${local.function} neither primary nor fallback is set, so nothing could be delivered: set primary.url, primary.backend, fallback.firehose_stream or fallback.s3_bucket."
  }
  precondition {
    condition     = !var.enabled || var.fallback.s3_bucket != null || !local.has_s3_settings
    error_message = "For ${local.function}, fallback sets S3 options but no s3_bucket: set it, or remove s3_prefix, s3_region, s3_kms_key_id, s3_expected_bucket_owner and \"s3\" in order."
  }
  precondition {
    condition     = !var.enabled || var.fallback.firehose_stream != null || !local.names_firehose
    error_message = "For ${local.function}, fallback.order names firehose but there is no firehose_stream: set it, or remove \"firehose\" from order."
  }
  precondition {
    condition     = !var.enabled || !local.has_token || !contains([for name in nonsensitive(keys(local.headers)) : lower(name)], local.own_token_header)
    error_message = "For ${local.function}, primary_token and the header ${local.own_token_header} in primary_headers set the same header: keep one of the two."
  }
  precondition {
    condition     = !var.enabled || local.token_sources <= 1
    error_message = "For ${local.function}, the token of the primary is named in several ways: keep one of primary_token, primary_token_secret_arn, primary_token_ssm_parameter and primary_token_kms."
  }
  precondition {
    condition     = !var.enabled || var.primary_token_kms == null || var.primary_token_kms_key_id != null
    error_message = "For ${local.function}, primary_token_kms is set without primary_token_kms_key_id, so the policy could not allow the decryption: set it to the key's id or ARN."
  }
  precondition {
    condition     = !var.enabled || length(local.backend_problems) == 0
    error_message = "For ${local.function}, ${join("; ", local.backend_problems)}."
  }
  precondition {
    condition     = !var.enabled || length(local.option_problems) == 0
    error_message = "For ${local.function}, primary.options is not valid: ${join("; ", distinct(local.option_problems))}."
  }
  precondition {
    condition     = !var.enabled || var.primary != null || !(local.has_token || local.has_headers)
    error_message = "For ${local.function} primary_token or primary_headers is set, but no primary: set primary.url or primary.backend."
  }
  precondition {
    condition     = !var.enabled || local.environment_bytes <= 4096
    error_message = "With Backstop the environment of ${local.function} would have ${local.environment_bytes} bytes as JSON, and Lambda allows 4096: shorten it, or move values of your own to Parameter Store."
  }
}

output "environment" {
  description = "For `dynamic \"environment\"` of an `aws_lambda_function`: one element with the variables, or none if there are no variables. An empty block can be a change in every plan."
  value       = [for variables in [local.environment_variables] : variables if local.has_environment]
}

output "has_policy" {
  description = "Whether there is a policy, for `count` and `attach_policy_json`. Known in the plan if the names of bucket and stream are, such as those of the module `archive`. For a bucket by `.id` of a resource that does not exist yet, write `true`."
  value       = local.has_policy
}

output "policy_json" {
  description = "The policy that the function's role needs, as JSON; null if `has_policy` is false."
  value       = local.policy_json

  precondition {
    condition     = !var.enabled || !local.key_is_alias || length(var.fallback.kms_key_arns) > 0
    error_message = "For ${local.function}, fallback.s3_kms_key_id is an alias, and a policy cannot grant an alias: give the key's ARN in fallback.kms_key_arns as well."
  }
}

output "warnings" {
  description = "Settings that work but may not be what you mean, as sentences; empty if there are none."
  value       = local.warnings
}
