# The command line publishes to every region, and goes on where it was interrupted; Terraform reads what it wrote.
# Nothing here is created, so that a region that is down is no reason for a plan to fail.

module "layer" {
  source   = "../../../modules/layer-lookup"
  for_each = toset(["x86_64", "arm64"])

  backstop_layers = var.backstop_layers
  region          = var.region
  architecture    = each.key
}
