# The controller as it starts: it reports, and everything that it needs is there.

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
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:backstop-controller" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/mocked" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:mocked" }
  }
}

run "it_reports_about_the_functions_with_the_tag" {
  assert {
    condition     = endswith(output.state, "/controller") && output.function_arn == "arn:aws:lambda:eu-west-1:123456789012:function:backstop-controller"
    error_message = output.state
  }
  assert {
    condition     = strcontains(aws_s3_object.wanted.content, "tags = { backstop = \"on\" }") && strcontains(aws_s3_object.wanted.content, "layer:backstop-extension-arm64-0-1-0:1\"]")
    error_message = aws_s3_object.wanted.content
  }
}

run "a_mode_that_there_is_none_of_is_refused" {
  command = plan
  variables {
    mode = "write"
  }
  expect_failures = [var.mode]
}
