terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first one with `region` on each resource.
      version = ">= 6.0"
    }
  }
}
