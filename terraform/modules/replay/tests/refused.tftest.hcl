# What is refused, each for its own reason. Arguments of the primary are those of the module attachment.

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
  package = { s3 = { bucket = "artefacts", key = "replay-function-arm64.zip" } }
  archive = { s3_bucket = "archive" }
  primary = { url = "https://intake.example.com/v1/logs" }
}


run "a_name_with_a_dot" {
  command = plan
  variables {
    name = "back.stop"
  }
  expect_failures = [var.name]
}

run "two_packages" {
  command = plan
  variables {
    package = { path = "a.zip", s3 = { bucket = "b", key = "k" } }
  }
  expect_failures = [var.package]
}

run "a_bucket_in_capitals" {
  command = plan
  variables {
    archive = { s3_bucket = "Archive" }
  }
  expect_failures = [var.archive]
}

run "a_prefix_that_ends_with_a_slash" {
  command = plan
  variables {
    archive = { s3_bucket = "archive", s3_prefix = "a/" }
  }
  expect_failures = [var.archive]
}

run "an_alias_of_a_key" {
  command = plan
  variables {
    archive = { s3_bucket = "archive", kms_key_arns = ["alias/a"] }
  }
  expect_failures = [var.archive]
}

run "an_architecture_that_is_unknown" {
  command = plan
  variables {
    architecture = "riscv"
  }
  expect_failures = [var.architecture]
}

run "too_little_memory" {
  command = plan
  variables {
    memory_mb = 128
  }
  expect_failures = [var.memory_mb]
}

run "too_short_a_timeout" {
  command = plan
  variables {
    timeout_seconds = 10
  }
  expect_failures = [var.timeout_seconds]
}

run "a_mark_that_is_unknown" {
  command = plan
  variables {
    replay = { after = "burn" }
  }
  expect_failures = [var.replay]
}

run "one_function" {
  command = plan
  variables {
    replay = { functions = 1 }
  }
  expect_failures = [var.replay]
}

run "a_batch_that_is_too_large" {
  command = plan
  variables {
    replay = { batch_size = 11 }
  }
  expect_failures = [var.replay]
}

run "a_pause_that_is_too_long" {
  command = plan
  variables {
    replay = { retry_seconds = 3601 }
  }
  expect_failures = [var.replay]
}

run "requests_of_no_records" {
  command = plan
  variables {
    replay = { batch_records = 0 }
  }
  expect_failures = [var.replay]
}

run "more_objects_than_a_probe_holds" {
  command = plan
  variables {
    schedule = { max_objects = 250001 }
  }
  expect_failures = [var.schedule]
}

run "a_rate_in_words" {
  command = plan
  variables {
    replay = { rate = "fast" }
  }
  expect_failures = [var.replay]
}

run "no_receives" {
  command = plan
  variables {
    queue = { max_receives = 0 }
  }
  expect_failures = [var.queue]
}

run "an_alias_for_the_queue" {
  command = plan
  variables {
    queue = { kms_key_arn = "alias/a" }
  }
  expect_failures = [var.queue]
}

run "a_schedule_in_words" {
  command = plan
  variables {
    schedule = { rate = "hourly" }
  }
  expect_failures = [var.schedule]
}

run "a_cap_of_nothing" {
  command = plan
  variables {
    schedule = { max_objects = 0 }
  }
  expect_failures = [var.schedule]
}

run "more_hours_than_an_alarm_sees" {
  command = plan
  variables {
    alarms = { not_empty_hours = 25 }
  }
  expect_failures = [var.alarms]
}

run "a_stop_at_nothing" {
  command = plan
  variables {
    alarms = { stop_at_dead_letters = 0 }
  }
  expect_failures = [var.alarms]
}

run "a_map_without_functions" {
  command = plan
  variables {
    distributed_map = { functions = 0 }
  }
  expect_failures = [var.distributed_map]
}

run "more_than_all_tolerated" {
  command = plan
  variables {
    distributed_map = { tolerated_failure_percentage = 101 }
  }
  expect_failures = [var.distributed_map]
}

run "a_retention_that_cloudwatch_has_not" {
  command = plan
  variables {
    log_retention_days = 10
  }
  expect_failures = [var.log_retention_days]
}

run "a_tag_of_aws" {
  command = plan
  variables {
    tags = { "aws:x" = "y" }
  }
  expect_failures = [var.tags]
}
