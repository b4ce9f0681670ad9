# An image, which is named by its digest.

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
  primary_url = "https://logs.example.com/v1"
  image_uri   = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders@sha256:81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01"
}

run "the_function_runs_the_image" {
  assert {
    condition     = output.function_name == "backstop-image" && output.replay_from == "s3://backstop-image-123456789012-eu-west-1/backstop"
    error_message = output.function_name
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

run "an_image_by_tag" {
  command = plan
  variables {
    image_uri = "orders:latest"
  }
  expect_failures = [var.image_uri]
}
