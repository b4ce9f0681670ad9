# What is refused, each for its own reason.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1", name = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

run "too_long_a_name" {
  command = plan
  variables {
    name = "n2345678901234567890123456789012345678901234567890123456"
  }
  expect_failures = [var.name]
}

run "a_name_with_a_dot" {
  command = plan
  variables {
    name = "back.stop"
  }
  expect_failures = [var.name]
}

run "a_bucket_name_in_capitals" {
  command = plan
  variables {
    bucket_name = "Archive"
  }
  expect_failures = [var.bucket_name]
}

run "a_bucket_name_with_two_dots" {
  command = plan
  variables {
    bucket_name = "my..archive"
  }
  expect_failures = [var.bucket_name]
}

run "a_bucket_name_that_is_an_address" {
  command = plan
  variables {
    bucket_name = "192.168.0.1"
  }
  expect_failures = [var.bucket_name]
}

# NAME-ACCOUNT-REGION has 64 characters.
run "a_name_too_long_for_the_bucket" {
  command = plan
  variables {
    name = join("", [for number in range(41) : "x"])
  }
  expect_failures = [aws_s3_bucket.this]
}

run "an_action_that_is_null" {
  command = plan
  variables {
    alarms = { actions = [null] }
  }
  expect_failures = [var.alarms]
}

run "an_empty_prefix" {
  command = plan
  variables {
    prefix = ""
  }
  expect_failures = [var.prefix]
}

run "a_prefix_that_ends_with_a_slash" {
  command = plan
  variables {
    prefix = "backstop/"
  }
  expect_failures = [var.prefix]
}

run "an_alias_as_key" {
  command = plan
  variables {
    encryption = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/logs" }
  }
  expect_failures = [var.encryption]
}

run "half_a_day" {
  command = plan
  variables {
    lifecycle_rules = { expiration_days = 100.5 }
  }
  expect_failures = [var.lifecycle_rules]
}

run "no_day" {
  command = plan
  variables {
    lifecycle_rules = { noncurrent_days = 0 }
  }
  expect_failures = [var.lifecycle_rules]
}

run "infrequent_access_too_early" {
  command = plan
  variables {
    lifecycle_rules = { infrequent_access_days = 29 }
  }
  expect_failures = [var.lifecycle_rules]
}

run "glacier_before_infrequent_access" {
  command = plan
  variables {
    lifecycle_rules = { infrequent_access_days = 30, glacier_instant_days = 59 }
  }
  expect_failures = [var.lifecycle_rules]
}

run "expiry_before_the_cheaper_class" {
  command = plan
  variables {
    lifecycle_rules = { glacier_instant_days = 90, expiration_days = 90 }
  }
  expect_failures = [var.lifecycle_rules]
}

run "too_small_a_buffer" {
  command = plan
  variables {
    firehose = { buffer_mb = 0 }
  }
  expect_failures = [var.firehose]
}

run "too_large_a_buffer" {
  command = plan
  variables {
    firehose = { buffer_mb = 129 }
  }
  expect_failures = [var.firehose]
}

run "too_long_a_buffer" {
  command = plan
  variables {
    firehose = { buffer_seconds = 901 }
  }
  expect_failures = [var.firehose]
}

run "a_buffer_of_less_than_no_time" {
  command = plan
  variables {
    firehose = { buffer_seconds = -1 }
  }
  expect_failures = [var.firehose]
}

run "a_retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    firehose = { log_retention_days = 31 }
  }
  expect_failures = [var.firehose]
}

run "an_action_that_is_no_arn" {
  command = plan
  variables {
    alarms = { actions = ["ops@example.com"] }
  }
  expect_failures = [var.alarms]
}

run "a_period_of_half_a_minute" {
  command = plan
  variables {
    alarms = { period_seconds = 30 }
  }
  expect_failures = [var.alarms]
}

run "a_period_of_a_minute_and_a_half" {
  command = plan
  variables {
    alarms = { period_seconds = 90 }
  }
  expect_failures = [var.alarms]
}

run "a_period_of_two_days" {
  command = plan
  variables {
    alarms = { period_seconds = 172800 }
  }
  expect_failures = [var.alarms]
}

run "a_first_day_that_is_none" {
  command = plan
  variables {
    athena = { first_day = "01.02.2026" }
  }
  expect_failures = [var.athena]
}

run "an_account_that_is_none" {
  command = plan
  variables {
    athena = { accounts = ["1234"] }
  }
  expect_failures = [var.athena]
}

run "a_region_that_is_none" {
  command = plan
  variables {
    athena = { regions = ["Ireland"] }
  }
  expect_failures = [var.athena]
}

run "a_tag_of_awss" {
  command = plan
  variables {
    tags = { "aws:name" = "x" }
  }
  expect_failures = [var.tags]
}
