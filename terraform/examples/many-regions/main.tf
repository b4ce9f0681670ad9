# The layer in three regions by one provider and one module for each: works with every version of Terraform,
# OpenTofu and the provider. What is written three times here is written once in the folders beside this file.

provider "aws" {
  alias  = "ireland"
  region = "eu-west-1"
}

provider "aws" {
  alias  = "frankfurt"
  region = "eu-central-1"
}

provider "aws" {
  alias  = "virginia"
  region = "us-east-1"
}

module "layer_ireland" {
  source    = "../../modules/layer"
  providers = { aws = aws.ireland }

  release      = var.release
  architecture = "arm64"
  package      = { path = var.layer_zip }
  share_with   = { organization_id = var.organization_id }
}

module "layer_frankfurt" {
  source    = "../../modules/layer"
  providers = { aws = aws.frankfurt }

  release      = var.release
  architecture = "arm64"
  package      = { path = var.layer_zip }
  share_with   = { organization_id = var.organization_id }
}

module "layer_virginia" {
  source    = "../../modules/layer"
  providers = { aws = aws.virginia }

  release      = var.release
  architecture = "arm64"
  package      = { path = var.layer_zip }
  share_with   = { organization_id = var.organization_id }
}

locals {
  # In the form of the command line's manifest, so that what reads one reads the other.
  layers = [for layer in [module.layer_ireland, module.layer_frankfurt, module.layer_virginia] : layer.backstop_layers]
}
