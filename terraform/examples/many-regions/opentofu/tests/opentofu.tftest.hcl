# One provider and one layer for each region: for OpenTofu.

mock_provider "aws" {
  alias    = "by_region"
  for_each = toset(["eu-west-1", "eu-central-1", "us-east-1"])
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_lambda_layer_version" {
    defaults = {
      arn         = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      version     = "4"
      code_sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE="
    }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
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

run "a_region_to_leave_that_is_none" {
  command = plan
  variables {
    regions_to_leave = ["Ireland"]
  }
  expect_failures = [var.regions_to_leave]
}
