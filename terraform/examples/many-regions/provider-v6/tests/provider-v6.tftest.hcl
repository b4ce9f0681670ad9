# One provider for all regions. The provider is a schema of our own: see tests/stub-provider.

mock_provider "aws" {
  mock_resource "aws_lambda_layer_version" {
    defaults = { version = "4" }
  }
}

variables {
  layer_zip = "../../../tests/fixtures/package"
}

run "each_region_has_its_layer" {
  assert {
    condition     = keys(output.arns) == ["eu-central-1", "eu-west-1", "us-east-1"]
    error_message = jsonencode(output.arns)
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

run "a_region_that_is_none" {
  command = plan
  variables {
    regions = ["Ireland"]
  }
  expect_failures = [var.regions]
}
