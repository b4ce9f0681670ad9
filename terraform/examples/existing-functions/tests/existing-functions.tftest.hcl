# Which functions are chosen, what they get, and that the others stay as they were.

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
      arn         = "arn:aws:lambda:eu-west-1:123456789012:layer:shared:1"
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
  function_zip = "../../tests/fixtures/package"
  layer_arns   = { x86_64 = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:4", arm64 = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4" }
}

run "functions_are_chosen_by_tag" {
  assert {
    condition     = output.attached == ["orders", "returns"]
    error_message = jsonencode(output.attached)
  }
  assert {
    condition     = aws_lambda_function.this["orders"].layers == tolist(["arn:aws:lambda:eu-west-1:123456789012:layer:shared:1", "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:4"])
    error_message = jsonencode(aws_lambda_function.this["orders"].layers)
  }
  assert {
    condition     = aws_lambda_function.this["returns"].layers == tolist(["arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"])
    error_message = jsonencode(aws_lambda_function.this["returns"].layers)
  }
  assert {
    condition     = aws_lambda_function.this["orders"].environment[0].variables["TABLE"] == "orders" && aws_lambda_function.this["orders"].environment[0].variables["BACKSTOP_TAGS"] == "team=shop"
    error_message = jsonencode(aws_lambda_function.this["orders"].environment)
  }
  assert {
    condition     = length(aws_lambda_function.this["reports"].layers) == 0 && aws_lambda_function.this["reports"].environment[0].variables == tomap({ BUCKET = "reports" })
    error_message = jsonencode(aws_lambda_function.this["reports"].environment)
  }
  assert {
    condition     = keys(aws_iam_role_policy.backstop) == ["orders", "returns"] && length(output.warnings) == 0
    error_message = jsonencode(output.warnings)
  }
}

run "functions_are_chosen_by_name" {
  command = plan
  variables {
    select = { names = ["re*"] }
  }
  assert {
    condition     = output.attached == ["reports", "returns"]
    error_message = jsonencode(output.attached)
  }
}

run "every_tag_must_be_there" {
  command = plan
  variables {
    select = { tags = { telemetry = "backstop", team = "finance" } }
  }
  assert {
    condition     = length(output.attached) == 0
    error_message = jsonencode(output.attached)
  }
}

run "none_is_chosen" {
  variables {
    select = {}
  }
  assert {
    condition     = length(output.attached) == 0 && aws_lambda_function.this["orders"].environment[0].variables == tomap({ TABLE = "orders", LOG_LEVEL = "info" }) && length(aws_lambda_function.this["returns"].environment) == 0
    error_message = jsonencode(output.attached)
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

run "code_that_is_not_there" {
  command = plan
  variables {
    function_zip = "nowhere.zip"
  }
  expect_failures = [var.function_zip]
}

run "a_layer_for_another_architecture" {
  command = plan
  variables {
    layer_arns = { amd64 = "x" }
  }
  expect_failures = [var.layer_arns]
}

run "a_pattern_that_is_none" {
  command = plan
  variables {
    select = { names = ["orders?"] }
  }
  expect_failures = [var.select]
}
