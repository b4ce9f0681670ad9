# The roles have the statements of permissions.json, as those of the CDK library have.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-west-1", name = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/it/1" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/it/1" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/it/1/2" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_service_discovery_service" {
    defaults = { arn = "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-1" }
  }
}

variables {
  cluster_arn      = "arn:aws:ecs:eu-west-1:123456789012:cluster/main"
  vpc_id           = "vpc-1"
  subnet_ids       = ["subnet-1", "subnet-2"]
  image            = "otel/opentelemetry-collector-contrib@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gateway-abcdef"
  primary          = { url = "https://otlp.example.com" }
  archive          = { bucket_name = "my-archive" }
  load_balancer = {
    subnet_ids      = ["subnet-1", "subnet-2"]
    certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    allowed_cidrs   = ["10.0.0.0/8"]
  }
}

run "of_the_smallest" {
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.execution.policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).smallest.start)
    error_message = aws_iam_role_policy.execution.policy
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.task["worker"].policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).smallest.worker)
    error_message = aws_iam_role_policy.task["worker"].policy
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.task["aggregator"].policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).smallest.aggregator)
    error_message = aws_iam_role_policy.task["aggregator"].policy
  }
}

run "of_everything" {
  variables {
    name  = "shop"
    image = "444455556666.dkr.ecr.eu-central-1.amazonaws.com/mirror/collector@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    # A field of it is ECS's to take; the permission is on the secret.
    token_secret_arn          = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gateway-abcdef:token::"
    previous_token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:previous-abcdef"
    secret_kms_key_arns       = ["arn:aws:kms:eu-west-1:123456789012:key/2"]
    primary                   = { url = "https://otlp.example.com", authorization_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:backend-abcdef" }
    archive                   = { bucket_name = "my-archive", prefix = "a/b", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.execution.policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).everything.start)
    error_message = aws_iam_role_policy.execution.policy
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.task["worker"].policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).everything.worker)
    error_message = aws_iam_role_policy.task["worker"].policy
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.task["aggregator"].policy).Statement) == jsonencode(jsondecode(file("tests/permissions.json")).everything.aggregator)
    error_message = aws_iam_role_policy.task["aggregator"].policy
  }
}
