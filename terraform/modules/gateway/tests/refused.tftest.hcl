# What is refused, each for its own reason.

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

run "a_name_that_is_too_long" {
  command = plan
  variables {
    name = "a-name-of-more-than-25-letters"
  }
  expect_failures = [var.name]
}

run "a_cluster_by_name" {
  command = plan
  variables {
    cluster_arn = "main"
  }
  expect_failures = [var.cluster_arn]
}

run "a_vpc_by_name" {
  command = plan
  variables {
    vpc_id = "main"
  }
  expect_failures = [var.vpc_id]
}

run "no_subnet" {
  command = plan
  variables {
    subnet_ids = []
  }
  expect_failures = [var.subnet_ids]
}

run "an_image_by_tag" {
  command = plan
  variables {
    image = "otel/opentelemetry-collector-contrib:latest"
  }
  expect_failures = [var.image]
}

run "one_subnet_for_the_load_balancer" {
  command = plan
  variables {
    load_balancer = { subnet_ids = ["subnet-1"], certificate_arn = "arn:aws:acm:x", allowed_cidrs = [] }
  }
  expect_failures = [var.load_balancer]
}

run "a_certificate_by_name" {
  command = plan
  variables {
    load_balancer = { subnet_ids = ["subnet-1", "subnet-2"], certificate_arn = "mine", allowed_cidrs = [] }
  }
  expect_failures = [var.load_balancer]
}

run "a_range_that_is_none" {
  command = plan
  variables {
    load_balancer = { subnet_ids = ["subnet-1", "subnet-2"], certificate_arn = "arn:aws:acm:x", allowed_cidrs = ["all"] }
  }
  expect_failures = [var.load_balancer]
}

run "a_token_itself" {
  command = plan
  variables {
    token_secret_arn = "t0ken"
  }
  expect_failures = [var.token_secret_arn]
}

run "a_previous_token_itself" {
  command = plan
  variables {
    previous_token_secret_arn = "t0ken"
  }
  expect_failures = [var.previous_token_secret_arn]
}

run "a_key_of_a_secret_by_alias" {
  command = plan
  variables {
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/mine"]
  }
  expect_failures = [var.secret_kms_key_arns]
}

run "a_plain_primary" {
  command = plan
  variables {
    primary = { url = "http://otlp.example.com" }
  }
  expect_failures = [var.primary]
}

run "an_authorization_itself" {
  command = plan
  variables {
    primary = { url = "https://otlp.example.com", authorization_secret_arn = "Bearer x" }
  }
  expect_failures = [var.primary]
}

run "too_little_patience" {
  command = plan
  variables {
    primary = { url = "https://otlp.example.com", patience = "4s" }
  }
  expect_failures = [var.primary]
}

run "more_patience_than_a_disk_that_goes_with_its_task" {
  command = plan
  variables {
    primary = { url = "https://otlp.example.com", patience = "1m" }
  }
  expect_failures = [var.primary]
}

run "a_key_of_the_bucket_by_alias" {
  command = plan
  variables {
    archive = { bucket_name = "my-archive", kms_key_arn = "alias/archive" }
  }
  expect_failures = [var.archive]
}

run "a_share_that_is_an_expression" {
  command = plan
  variables {
    preset_settings = { GATEWAY_SAMPLE_PERCENT = "0 or true" }
  }
  expect_failures = [var.preset_settings]
}

run "an_interval_without_a_unit" {
  command = plan
  variables {
    preset_settings = { GATEWAY_FOLD_INTERVAL = "30" }
  }
  expect_failures = [var.preset_settings]
}

run "a_worker_without_memory" {
  command = plan
  variables {
    workers = { memory = 256 }
  }
  expect_failures = [var.workers]
}

run "a_bucket_as_an_address" {
  command = plan
  variables {
    archive = { bucket_name = "s3://my-archive" }
  }
  expect_failures = [var.archive]
}

run "a_prefix_that_begins_with_a_slash" {
  command = plan
  variables {
    archive = { bucket_name = "my-archive", prefix = "/x" }
  }
  expect_failures = [var.archive]
}

run "a_preset_that_is_none" {
  command = plan
  variables {
    presets = ["cheap"]
  }
  expect_failures = [var.presets]
}

run "a_setting_that_is_none" {
  command = plan
  variables {
    preset_settings = { PATH = "/" }
  }
  expect_failures = [var.preset_settings]
}

run "no_worker" {
  command = plan
  variables {
    workers = { count = 0 }
  }
  expect_failures = [var.workers]
}

run "an_aggregator_without_memory" {
  command = plan
  variables {
    aggregator = { memory = 256 }
  }
  expect_failures = [var.aggregator]
}

run "an_action_that_is_none" {
  command = plan
  variables {
    alarms = { actions = ["ops@example.com"] }
  }
  expect_failures = [var.alarms]
}

run "days_that_cloudwatch_does_not_know" {
  command = plan
  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}

run "a_key_by_alias" {
  command = plan
  variables {
    log_kms_key_arn = "alias/logs"
  }
  expect_failures = [var.log_kms_key_arn]
}

run "too_many_tags" {
  command = plan
  variables {
    tags = { for number in range(46) : "t${number}" => "x" }
  }
  expect_failures = [var.tags]
}

run "cost_without_the_raw_archive" {
  command = plan
  variables {
    presets = ["cost"]
    archive = { bucket_name = "my-archive", raw = false }
  }
  expect_failures = [aws_ecs_task_definition.this]
}
