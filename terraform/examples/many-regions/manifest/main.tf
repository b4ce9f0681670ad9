# The command line publishes to every region, and goes on where it was interrupted; Terraform reads what it wrote.
# Nothing here is created, so that a plan does not fail because a region is down.

module "layer" {
  source   = "../../../modules/layer-lookup"
  for_each = toset(["x86_64", "arm64"])

  backstop_layers = var.backstop_layers
  region          = var.region
  architecture    = each.key
}
