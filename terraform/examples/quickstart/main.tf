# A layer, an archive, and one small function that uses both.

provider "aws" {
  region = var.region
}

module "layer" {
  source = "../../modules/layer"

  release      = var.release
  architecture = "x86_64"
  package      = { path = var.layer_zip }
  # To try it out: `terraform destroy` leaves nothing. Where functions use the layer, let versions stay.
  retain = false
}

module "archive" {
  source = "../../modules/archive"

  name = "backstop-quickstart"
  # To try it out: records go with the bucket.
  force_destroy = true
}

module "function" {
  source = "../../modules/function"

  name    = "backstop-quickstart"
  package = { path = var.function_zip }
  handler = "index.handler"
  runtime = "nodejs22.x"

  layer_arn     = module.layer.arn
  primary       = { url = var.primary_url }
  primary_token = var.primary_token
  fallback      = module.archive.fallback
}
