# What is refused, each for its own reason.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-west-1", name = "eu-west-1" }
  }
}

run "a_name_with_a_space" {
  command = plan
  variables {
    name = "back stop"
  }
  expect_failures = [var.name]
}

run "an_arn_for_a_function" {
  command = plan
  variables {
    function_names = ["arn:aws:lambda:eu-west-1:123456789012:function:orders"]
  }
  expect_failures = [var.function_names]
}

run "a_function_twice" {
  command = plan
  variables {
    function_names = ["orders", "orders"]
  }
  expect_failures = [var.function_names]
}

run "too_many_functions" {
  command = plan
  variables {
    function_names = [for number in range(31) : "f${number}"]
  }
  expect_failures = [var.function_names]
}

run "an_action_that_is_none" {
  command = plan
  variables {
    alarms = { actions = ["ops@example.com"] }
  }
  expect_failures = [var.alarms]
}

run "a_period_between_minutes" {
  command = plan
  variables {
    alarms = { period_seconds = 90 }
  }
  expect_failures = [var.alarms]
}

run "a_threshold_of_no_alarm" {
  command = plan
  variables {
    alarms = { thresholds = { diverted = 1 } }
  }
  expect_failures = [var.alarms]
}

run "a_threshold_below_zero" {
  command = plan
  variables {
    alarms = { thresholds = { dead-letters = -1 } }
  }
  expect_failures = [var.alarms]
}

run "an_arn_for_a_stream" {
  command = plan
  variables {
    firehose_stream_name = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/records"
  }
  expect_failures = [var.firehose_stream_name]
}

run "a_bucket_in_capitals" {
  command = plan
  variables {
    archive = { bucket_name = "Archive" }
  }
  expect_failures = [var.archive]
}

run "days_beyond_a_week" {
  command = plan
  variables {
    archive = { bucket_name = "my-archive", not_replayed_days = 8 }
  }
  expect_failures = [var.archive]
}

run "a_tag_of_awss" {
  command = plan
  variables {
    tags = { "aws:team" = "shop" }
  }
  expect_failures = [var.tags]
}
