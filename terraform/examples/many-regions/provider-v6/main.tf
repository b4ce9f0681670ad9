# The layer in many regions by version 6 of the provider, whose resources have a region each: one provider.

provider "aws" {
  region = "eu-west-1"
}

module "layer" {
  source = "../../../modules/layer-multi-region"

  regions      = var.regions
  release      = var.release
  architecture = "arm64"
  package      = { path = var.layer_zip }
}
