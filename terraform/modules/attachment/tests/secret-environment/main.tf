# A caller whose whole environment is a secret.

variable "own" {
  description = "The function's own environment."
  type        = map(string)
  sensitive   = true
}

module "attachment" {
  source = "../.."

  region                = "eu-west-1"
  layer_arn             = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  fallback              = { s3_bucket = "archive-bucket" }
  environment_variables = var.own
}

output "environment_variables" {
  description = "What the module returns."
  value       = module.attachment.environment_variables
  sensitive   = true
}
