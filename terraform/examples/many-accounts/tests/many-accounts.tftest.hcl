# A layer of one account, a function of another.

mock_provider "aws" {
  alias = "tooling"
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

mock_provider "aws" {
  alias = "workload"
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
  primary_url         = "https://logs.example.com/v1"
  layer_zip           = "../../tests/fixtures/package"
  function_zip        = "../../tests/fixtures/package"
  tooling_account_id  = "111111111111"
  workload_account_id = "222222222222"
  organization_id     = "o-abcdefghij"
}

run "the_function_takes_the_layer_of_the_other_account" {
  assert {
    condition     = output.layer_arn == "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4" && output.function_arn != null
    error_message = output.layer_arn
  }
}

run "a_region_that_is_none" {
  command = plan
  variables {
    region = "Ireland"
  }
  expect_failures = [var.region]
}

run "an_address_without_scheme" {
  command = plan
  variables {
    primary_url = "logs.example.com"
  }
  expect_failures = [var.primary_url]
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

run "code_that_is_not_there" {
  command = plan
  variables {
    function_zip = "nowhere.zip"
  }
  expect_failures = [var.function_zip]
}

run "a_tooling_account_that_is_none" {
  command = plan
  variables {
    tooling_account_id = "1234"
  }
  expect_failures = [var.tooling_account_id]
}

run "a_workload_account_that_is_none" {
  command = plan
  variables {
    workload_account_id = "1234"
  }
  expect_failures = [var.workload_account_id]
}

run "an_organisation_that_is_none" {
  command = plan
  variables {
    organization_id = "my-org"
  }
  expect_failures = [var.organization_id]
}

run "a_role_that_is_none" {
  command = plan
  variables {
    role_name = "a role"
  }
  expect_failures = [var.role_name]
}
