# What the quickstart makes, and what it refuses.

mock_provider "aws" {
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
      arn         = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:4"
      version     = "4"
      code_sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE="
    }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
}

variables {
  primary_url  = "https://logs.example.com/v1"
  layer_zip    = "../../tests/fixtures/package"
  function_zip = "../../tests/fixtures/package"
}

run "a_function_with_layer_and_archive" {
  assert {
    condition     = output.function_name == "backstop-quickstart" && output.replay_from == "s3://backstop-quickstart-123456789012-eu-west-1/backstop" && length(output.warnings) == 0
    error_message = jsonencode(output.warnings)
  }
}

run "the_token_is_warned_of" {
  variables {
    primary_token = "hunter2"
  }
  assert {
    condition     = length(output.warnings) == 1
    error_message = jsonencode(output.warnings)
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

run "an_empty_token" {
  command = plan
  variables {
    primary_token = ""
  }
  expect_failures = [var.primary_token]
}
