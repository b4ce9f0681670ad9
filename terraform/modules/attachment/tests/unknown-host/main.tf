# A caller whose backend is made in the same plan.

resource "terraform_data" "host" {
  input = "logs.example.com"
}

module "attachment" {
  source = "../.."

  name      = "orders"
  region    = "eu-west-1"
  layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  fallback  = { s3_bucket = "archive-bucket" }
  primary   = { backend = "victorialogs", backend_options = { host = terraform_data.host.output } }
}

output "names" {
  description = "Of the variables, whose values may be known after apply only."
  value       = keys(module.attachment.environment_variables)
}
