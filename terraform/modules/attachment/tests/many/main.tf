# Several functions by `for_each`, each wrong in its own way: the messages have to say which.

variable "functions" {
  description = "What differs between the functions, by name."
  type = map(object({
    region       = optional(string, "eu-west-1")
    architecture = optional(string)
    package_type = optional(string)
    layer_arn    = optional(string, "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3")
    layers       = optional(list(string))
    variables    = optional(map(string))
    no_layer     = optional(bool, false)
    fallback = optional(object({
      firehose_stream = optional(string)
      s3_bucket       = optional(string)
      s3_prefix       = optional(string)
      s3_kms_key_id   = optional(string)
      order           = optional(list(string))
    }), { s3_bucket = "archive-bucket" })
    primary = optional(object({
      backend         = optional(string)
      backend_options = optional(map(string))
      url             = optional(string)
      format          = optional(string)
      options         = optional(map(string))
    }))
    headers         = optional(map(string))
    token           = optional(string)
    token_parameter = optional(string)
    token_kms       = optional(string)
    tags            = optional(map(string))
  }))
}

module "attachment" {
  source   = "../.."
  for_each = var.functions

  name                  = each.key
  region                = each.value.region
  architecture          = each.value.architecture
  package_type          = each.value.package_type
  layer_arn             = each.value.no_layer ? null : each.value.layer_arn
  layers                = each.value.layers
  environment_variables = each.value.variables
  fallback              = each.value.fallback
  primary               = each.value.primary
  primary_headers       = each.value.headers
  primary_token         = each.value.token

  primary_token_ssm_parameter = each.value.token_parameter
  primary_token_kms           = each.value.token_kms

  transforms = { tags = each.value.tags }
}

output "layers" {
  description = "What the module returns."
  value       = { for name, attachment in module.attachment : name => attachment.layers }
}
