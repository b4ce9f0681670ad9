# One layer for an organisation: published in one account, attached in others. Providers are made from the
# accounts' roles; the archive is in the account of the functions, so that no bucket policy crosses accounts.

provider "aws" {
  alias  = "tooling"
  region = var.region

  assume_role {
    role_arn = "arn:aws:iam::${var.tooling_account_id}:role/${var.role_name}"
  }
}

provider "aws" {
  alias  = "workload"
  region = var.region

  assume_role {
    role_arn = "arn:aws:iam::${var.workload_account_id}:role/${var.role_name}"
  }
}

module "layer" {
  source    = "../../modules/layer"
  providers = { aws = aws.tooling }

  release      = var.release
  architecture = "arm64"
  package      = { path = var.layer_zip }
  share_with   = { organization_id = var.organization_id }
}

module "archive" {
  source    = "../../modules/archive"
  providers = { aws = aws.workload }

  name = "backstop"
}

module "function" {
  source    = "../../modules/function"
  providers = { aws = aws.workload }

  name         = "orders"
  architecture = "arm64"
  package      = { path = var.function_zip }
  handler      = "index.handler"
  runtime      = "nodejs22.x"

  layer_arn = module.layer.arn
  primary   = { url = var.primary_url }
  fallback  = module.archive.fallback
}
