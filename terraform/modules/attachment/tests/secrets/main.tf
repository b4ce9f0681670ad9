# A caller that gives secrets: outputs of a root module could not show whether they are hidden.

module "attachment" {
  source = "../.."

  region          = "eu-west-1"
  layer_arn       = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  primary         = { url = "https://logs.example.com/v1" }
  primary_token   = "hunter2"
  primary_headers = { X-Tenant = "a", X-User = "b", X-Unset = null }

  environment_variables = { TABLE = "orders" }
}

# Refused by Terraform itself where anything but the two secrets is hidden.
output "visible" {
  description = "The environment without the secrets."
  value       = { for name, value in module.attachment.environment_variables : name => value if !strcontains(name, "PRIMARY_TOKEN") && !strcontains(name, "HEADERS") }
}

output "hidden" {
  description = "The secrets."
  value       = { for name in ["BACKSTOP_PRIMARY_TOKEN", "BACKSTOP_PRIMARY_HEADERS"] : name => module.attachment.environment_variables[name] }
  sensitive   = true
}

output "warnings" {
  description = "The module's warnings."
  value       = module.attachment.warnings
}
