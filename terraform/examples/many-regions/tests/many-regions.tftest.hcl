# The manifest that three providers make together.

mock_provider "aws" {
  alias = "ireland"
  mock_resource "aws_lambda_layer_version" {
    defaults = {
      arn         = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      version     = "4"
      code_sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE="
    }
  }
}

mock_provider "aws" {
  alias = "frankfurt"
  mock_resource "aws_lambda_layer_version" {
    defaults = {
      arn         = "arn:aws:lambda:eu-central-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      version     = "4"
      code_sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE="
    }
  }
}

mock_provider "aws" {
  alias = "virginia"
  mock_resource "aws_lambda_layer_version" {
    defaults = {
      arn         = "arn:aws:lambda:us-east-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      version     = "4"
      code_sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE="
    }
  }
}

variables {
  layer_zip = "../../tests/fixtures/package"
}

run "one_manifest_holds_all_regions" {
  assert {
    condition     = keys(output.backstop_layers) == ["123456789012"] && keys(output.backstop_layers["123456789012"]) == ["eu-central-1", "eu-west-1", "us-east-1"]
    error_message = jsonencode(output.backstop_layers)
  }
  assert {
    condition     = output.backstop_layers["123456789012"]["us-east-1"].arm64.arn == "arn:aws:lambda:us-east-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
    error_message = jsonencode(output.backstop_layers)
  }
}

run "a_release_that_is_none" {
  command = plan
  variables {
    release = "latest"
  }
  expect_failures = [var.release]
}

run "a_layer_that_is_not_there" {
  command = plan
  variables {
    layer_zip = "nowhere.zip"
  }
  expect_failures = [var.layer_zip]
}

run "an_organisation_that_is_none" {
  command = plan
  variables {
    organization_id = "my-org"
  }
  expect_failures = [var.organization_id]
}
