# A caller whose bucket and stream are made in the same plan, by other means than the module archive.

resource "aws_s3_bucket" "this" {
  bucket_prefix = "telemetry"
}

resource "terraform_data" "layer" {
  input = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
}

module "function" {
  source = "../.."

  name      = "orders"
  package   = { path = "../../tests/fixtures/package" }
  handler   = "index.handler"
  runtime   = "nodejs22.x"
  layer_arn = terraform_data.layer.output
  fallback  = { s3_bucket = aws_s3_bucket.this.id }
}

output "name" {
  description = "The name of the function."
  value       = module.function.name
}
