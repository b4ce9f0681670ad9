# A function from a container image. The Dockerfile beside this file puts the extension into it.

provider "aws" {
  region = var.region
}

module "archive" {
  source = "../../modules/archive"

  name = "backstop-image"
}

module "function" {
  source = "../../modules/function"

  name    = "backstop-image"
  package = { image_uri = var.image_uri }

  primary  = { url = var.primary_url }
  fallback = module.archive.fallback
}
