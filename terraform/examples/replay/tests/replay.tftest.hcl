# The archive and its replay fit together.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:backstop-replay" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:mocked" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  package     = "../../tests/fixtures/function.zip"
  primary_url = "https://intake.example.com/v1/logs"
}

run "the_function_replays_the_archive_that_is_made" {
  command = plan
  assert {
    condition     = output.fallback.s3_bucket == "backstop-123456789012-eu-west-1"
    error_message = output.fallback.s3_bucket
  }
}

run "an_address_without_tls" {
  command = plan
  variables {
    primary_url = "http://intake.example.com"
  }
  expect_failures = [var.primary_url]
}
