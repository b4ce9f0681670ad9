# The role has the statements of permissions.json, as that of the CDK library has.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:backstop-controller" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:backstop-controller", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/backstop-controller" }
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
  package = { s3 = { bucket = "artefacts", key = "controller-arm64.zip" } }
  wanted  = { ssm_parameter = "/backstop/wanted" }
  state   = { bucket = "state" }
}

run "of_the_smallest" {
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.this.policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).smallest)
    error_message = aws_iam_role_policy.this.policy
  }
}

run "of_everything" {
  variables {
    mode              = "enforce"
    wanted            = { s3 = { bucket = "config", key = "backstop.toml" } }
    state             = { bucket = "state", prefix = "fleet", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
    schedule          = "rate(1 hour)"
    events            = { cloudtrail = true }
    switch_parameter  = "/backstop/switch"
    assume_role_arns  = ["arn:aws:iam::*:role/BackstopInstaller"]
    secret_arns       = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-abcdef"]
    kms_key_arns      = ["arn:aws:kms:eu-west-1:123456789012:key/3"]
    queue_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/2"

    environment_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/4"]
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.this.policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).everything)
    error_message = aws_iam_role_policy.this.policy
  }
}
