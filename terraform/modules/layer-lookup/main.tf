# What the command line has published, by account, region and architecture.

locals {
  accounts      = keys(var.backstop_layers)
  account_id    = var.account_id != null ? var.account_id : try(one(local.accounts), null)
  has_account   = try(contains(local.accounts, local.account_id), false)
  regions       = try(var.backstop_layers[local.account_id], {})
  has_region    = contains(keys(local.regions), var.region)
  architectures = try(local.regions[var.region], {})
  layer         = try(local.architectures[var.architecture], null)
}
