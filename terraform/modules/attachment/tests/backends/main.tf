# Every backend by its name, and what the module makes of it. cases.json is a copy of what the installer and the CDK
# library are put to.

locals {
  cases = { for position, case in jsondecode(file("${path.module}/cases.json")).accepted : tostring(position) => case }
}

module "attachment" {
  source   = "../.."
  for_each = local.cases

  name          = each.value.backend
  region        = "eu-west-1"
  layer_arn     = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  fallback      = { s3_bucket = "archive-bucket" }
  primary       = { backend = each.value.backend, backend_options = each.value.options }
  primary_token = "t0ken"
}

module "with_headers" {
  source = "../.."

  region          = "eu-west-1"
  layer_arn       = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  primary         = { backend = "honeycomb", backend_options = { region = "eu", dataset = null } }
  primary_token   = "t0ken"
  primary_headers = { X-Team = "payments" }
}

output "headers" {
  description = "What becomes of headers of the user beside those of a backend."
  value       = nonsensitive(module.with_headers.environment_variables["BACKSTOP_PRIMARY_HEADERS"])
}

output "wrong" {
  description = "Cases of which the module makes something else than it should."
  value = [
    for position, case in local.cases : {
      backend = case.backend
      made    = nonsensitive(jsonencode(module.attachment[position].environment_variables))
      } if nonsensitive(jsonencode(module.attachment[position].environment_variables)) != jsonencode({
        for name, value in {
          BACKSTOP_PRIMARY_URL     = case.url
          BACKSTOP_PRIMARY_FORMAT  = case.format
          BACKSTOP_PRIMARY_HEADERS = case.headers
          BACKSTOP_PRIMARY_TOKEN   = case.token
          BACKSTOP_S3_BUCKET       = "archive-bucket"
        } : name => value if value != null
    })
  ]
}

output "count" {
  description = "How many cases there are."
  value       = length(local.cases)
}
