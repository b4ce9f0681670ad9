# Each value that is refused, for the variable that refuses it.

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
}

variables {
  package = { s3 = { bucket = "artefacts", key = "controller-arm64.zip" } }
  wanted  = { ssm_parameter = "/backstop/wanted" }
  state   = { bucket = "state" }
}

run "name" {
  command = plan
  variables {
    name = "no dots."
  }
  expect_failures = [var.name]
}

run "package_of_both" {
  command = plan
  variables {
    package = { path = "a.zip", s3 = { bucket = "b", key = "k" } }
  }
  expect_failures = [var.package]
}

run "wanted_nowhere" {
  command = plan
  variables {
    wanted = {}
  }
  expect_failures = [var.wanted]
}

run "wanted_by_arn" {
  command = plan
  variables {
    wanted = { ssm_parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/a" }
  }
  expect_failures = [var.wanted]
}

run "state_bucket" {
  command = plan
  variables {
    state = { bucket = "s3://state" }
  }
  expect_failures = [var.state]
}

run "state_prefix" {
  command = plan
  variables {
    state = { bucket = "state", prefix = "/a" }
  }
  expect_failures = [var.state]
}

run "state_key" {
  command = plan
  variables {
    state = { bucket = "state", kms_key_arn = "alias/a" }
  }
  expect_failures = [var.state]
}

run "mode" {
  command = plan
  variables {
    mode = "Enforce"
  }
  expect_failures = [var.mode]
}

run "schedule" {
  command = plan
  variables {
    schedule = "hourly"
  }
  expect_failures = [var.schedule]
}

run "delay" {
  command = plan
  variables {
    events = { delay_seconds = 901 }
  }
  expect_failures = [var.events]
}

run "writes" {
  command = plan
  variables {
    max_writes_per_hour = 0
  }
  expect_failures = [var.max_writes_per_hour]
}

run "never" {
  command = plan
  variables {
    never = ["a.b"]
  }
  expect_failures = [var.never]
}

run "switch" {
  command = plan
  variables {
    switch_parameter = "a b"
  }
  expect_failures = [var.switch_parameter]
}

run "role" {
  command = plan
  variables {
    assume_role_arns = ["BackstopInstaller"]
  }
  expect_failures = [var.assume_role_arns]
}

run "secret" {
  command = plan
  variables {
    secret_arns = ["token"]
  }
  expect_failures = [var.secret_arns]
}

run "key" {
  command = plan
  variables {
    kms_key_arns = ["alias/a"]
  }
  expect_failures = [var.kms_key_arns]
}

run "queue_key" {
  command = plan
  variables {
    queue_kms_key_arn = "alias/a"
  }
  expect_failures = [var.queue_kms_key_arn]
}

run "architecture" {
  command = plan
  variables {
    architecture = "arm"
  }
  expect_failures = [var.architecture]
}

run "memory" {
  command = plan
  variables {
    memory_mb = 128
  }
  expect_failures = [var.memory_mb]
}

run "retention" {
  command = plan
  variables {
    log_retention_days = 2
  }
  expect_failures = [var.log_retention_days]
}

run "environment_key" {
  command = plan
  variables {
    environment_kms_key_arns = ["alias/a"]
  }
  expect_failures = [var.environment_kms_key_arns]
}

run "plan_hours" {
  command = plan
  variables {
    alarms = { plan_hours = 169 }
  }
  expect_failures = [var.alarms]
}

run "plan_hours_of_a_cron_expression" {
  command = plan
  variables {
    schedule = "cron(0 4 * * ? *)"
    alarms   = {}
  }
  expect_failures = [aws_cloudwatch_metric_alarm.no_plan]
}

run "plan_hours_within_the_interval" {
  command = plan
  variables {
    schedule = "rate(7 days)"
    alarms   = {}
  }
  expect_failures = [aws_cloudwatch_metric_alarm.no_plan]
}
