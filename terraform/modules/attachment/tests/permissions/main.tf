# The policy for each case of crates/archive/permissions.json: by the module's arguments, and by the function's own variables.

variable "file" {
  description = "The path of permissions.json."
  type        = string
}

locals {
  file  = jsondecode(file(var.file))
  cases = { for each in local.file.cases : each.case => each }
  # A stream or a key that is given without its account: the module does not know it.
  expected = {
    for name, each in local.cases : name => [
      for statement in each.statements : merge(statement, {
        Resource = strcontains(jsonencode(each.environment), trimsuffix(statement.Resource, "-??????")) ? statement.Resource : replace(statement.Resource, ":${local.file.account}:", ":*:")
      })
    ]
  }
  # An alias is refused without the key behind it.
  key_behind  = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  keys_behind = { for name, each in local.cases : name => startswith(try(each.environment.BACKSTOP_S3_KMS_KEY_ID, ""), "alias/") ? [local.key_behind] : [] }

  policies = {
    arguments = { for name, module in module.by_arguments : name => module.policy_json }
    variables = { for name, module in module.by_variables : name => module.policy_json }
  }
}

module "by_arguments" {
  source   = "../.."
  for_each = local.cases

  name      = each.key
  region    = local.file.region
  layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  primary   = { url = "https://logs.example.com/v1" }

  primary_token_secret_arn    = try(each.value.environment.BACKSTOP_PRIMARY_TOKEN_SECRET_ARN, null)
  primary_token_ssm_parameter = try(each.value.environment.BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER, null)
  primary_token_kms           = try(each.value.environment.BACKSTOP_PRIMARY_TOKEN_KMS, null)
  primary_token_kms_key_id    = try(each.value.environment.BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID, null)
  primary_headers             = { for pair in compact(split(",", try(each.value.environment.BACKSTOP_PRIMARY_HEADERS, ""))) : split("=", pair)[0] => split("=", pair)[1] }

  transforms = { config_file = try(each.value.environment.BACKSTOP_CONFIG, null) }

  fallback = {
    order           = try(split(",", each.value.environment.BACKSTOP_FALLBACK), null)
    firehose_stream = try(each.value.environment.BACKSTOP_FIREHOSE_STREAM, null)
    s3_bucket       = try(each.value.environment.BACKSTOP_S3_BUCKET, null)
    s3_prefix       = try(each.value.environment.BACKSTOP_S3_PREFIX, null)
    s3_region       = try(each.value.environment.BACKSTOP_S3_REGION, null)
    s3_kms_key_id   = try(each.value.environment.BACKSTOP_S3_KMS_KEY_ID, null)
    kms_key_arns    = local.keys_behind[each.key]
  }
}

module "by_variables" {
  source   = "../.."
  for_each = local.cases

  name                  = each.key
  region                = local.file.region
  layer_arn             = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  primary               = { url = "https://logs.example.com/v1" }
  environment_variables = each.value.environment
  fallback              = { kms_key_arns = local.keys_behind[each.key] }
}

output "expected" {
  description = "The statements of the file."
  value       = local.expected
}

output "granted" {
  description = "The statements of the module's policies, in the form of the file; what is granted for the key behind an alias is left out."
  value = {
    for how, policies in local.policies : how => {
      for name, policy in policies : name => [
        for statement in try(jsondecode(policy).Statement, []) : merge(
          { Effect = statement.Effect, Action = one(statement.Action), Resource = one(statement.Resource) },
          try({ Condition = statement.Condition }, {}),
        ) if one(statement.Resource) != local.key_behind
      ]
    }
  }
}
