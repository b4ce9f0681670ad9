# The tasks, their configuration and their doors.

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
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/backstop/it" }
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
  token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gateway-abc"
  primary          = { url = "https://otlp.example.com" }
  archive          = { bucket_name = "my-archive" }
  load_balancer = {
    subnet_ids      = ["subnet-1", "subnet-2"]
    certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    allowed_cidrs   = ["10.0.0.0/8"]
  }
}

run "the_smallest" {
  assert {
    condition     = alltrue([for task in aws_ecs_task_definition.this : jsondecode(task.container_definitions)[0].readonlyRootFilesystem])
    error_message = "a task can write to its image"
  }
  assert {
    condition     = length(jsondecode(aws_ecs_task_definition.this["worker"].container_definitions)[0].command) == 3 && length(jsondecode(aws_ecs_task_definition.this["aggregator"].container_definitions)[0].command) == 2
    error_message = aws_ecs_task_definition.this["worker"].container_definitions
  }
  assert {
    # ECS takes 64 KiB.
    condition     = alltrue([for task in aws_ecs_task_definition.this : length(task.container_definitions) < 60000])
    error_message = "a task definition is too large"
  }
  assert {
    condition     = alltrue([for secret in jsondecode(aws_ecs_task_definition.this["worker"].container_definitions)[0].secrets : secret.valueFrom == var.token_secret_arn])
    error_message = "both tokens are the one there is"
  }
  assert {
    condition     = aws_ecs_service.aggregator.desired_count == 1 && aws_ecs_service.aggregator.deployment_maximum_percent == 100
    error_message = "two aggregators would split what is folded"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.aggregator.referenced_security_group_id == aws_security_group.worker.id
    error_message = "more than workers can reach the aggregator"
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.this["refused"].pattern == "\"Exporting failed. Rejecting data\" -\"otlp_http/primary\" -\"awss3/undelivered\""
    error_message = aws_cloudwatch_log_metric_filter.this["refused"].pattern
  }
  assert {
    condition     = sort(keys(output.alarm_arns)) == tolist(["dropped", "memory", "refused", "undelivered", "waiting"])
    error_message = jsonencode(output.alarm_arns)
  }
  assert {
    # What the primary refuses is no drop, and is not without an alarm either.
    condition = (
      strcontains(aws_cloudwatch_log_metric_filter.this["undelivered"].pattern, "Rejecting data\" \"otlp_http/primary\"")
      && strcontains(aws_cloudwatch_log_metric_filter.this["dropped"].pattern, "-\"otlp_http/primary\"")
      && aws_cloudwatch_metric_alarm.this["waiting"].evaluation_periods == 3
    )
    error_message = "an alarm is blind, or fires at each deployment"
  }
  assert {
    # Else Terraform replaces both tiers at once, and what the workers hold for the aggregator goes with their disks.
    condition     = aws_ecs_service.aggregator.wait_for_steady_state
    error_message = "workers are replaced before there is an aggregator"
  }
}

run "everything" {
  variables {
    name                      = "shop"
    presets                   = ["insights", "cost", "security"]
    preset_settings           = { GATEWAY_SAMPLE_PERCENT = "10", GATEWAY_FOLD_INTERVAL = "1m" }
    image                     = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/copies/otelcol@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    secret_kms_key_arns       = ["arn:aws:kms:eu-west-1:123456789012:key/2"]
    previous_token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:previous-abc"
    primary = {
      url                      = "https://otlp.example.com"
      authorization_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:backend-abc"
      patience                 = "30s"
    }
    archive    = { bucket_name = "my-archive", prefix = "a/b", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
    workers    = { count = 4 }
    alarms     = null
    aggregator = { cpu = 2048, memory = 4096 }
    tags       = { team = "shop" }
  }
  assert {
    # common, worker, archive, and three presets.
    condition     = length(jsondecode(aws_ecs_task_definition.this["worker"].container_definitions)[0].command) == 6
    error_message = jsonencode(jsondecode(aws_ecs_task_definition.this["worker"].container_definitions)[0].command)
  }
  assert {
    # common, aggregator, cost, insights and the header of the primary: security has nothing for this tier.
    condition     = length(jsondecode(aws_ecs_task_definition.this["aggregator"].container_definitions)[0].command) == 5
    error_message = jsonencode(jsondecode(aws_ecs_task_definition.this["aggregator"].container_definitions)[0].command)
  }
  assert {
    condition     = alltrue([for task in aws_ecs_task_definition.this : length(task.container_definitions) < 60000])
    error_message = "a task definition is too large"
  }
  assert {
    condition     = aws_ecs_service.worker.desired_count == 4 && length(output.alarm_arns) == 0
    error_message = "the numbers"
  }
}
