# The layer in many regions by OpenTofu's `for_each` on a provider, which Terraform does not have.

provider "aws" {
  alias    = "by_region"
  for_each = setunion(var.regions, var.regions_to_leave)
  region   = each.value
}

module "layer" {
  source    = "../../../modules/layer"
  for_each  = var.regions
  providers = { aws = aws.by_region[each.value] }

  release      = var.release
  architecture = "arm64"
  package      = { path = var.layer_zip }
}
