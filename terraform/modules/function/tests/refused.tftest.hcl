# What is refused, each for its own reason. The variables of the module attachment are the same here, word for
# word (tests/test_sources.py), and are tried there.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mocked" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
}

variables {
  name      = "orders"
  package   = { path = "../../tests/fixtures/package" }
  handler   = "index.handler"
  runtime   = "nodejs22.x"
  layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  fallback  = { s3_bucket = "archive-bucket" }
}

run "a_name_with_a_dot" {
  command = plan
  variables {
    name = "or.ders"
  }
  expect_failures = [var.name]
}

run "too_long_a_name" {
  command = plan
  variables {
    name = join("", [for number in range(51) : "x"])
  }
  expect_failures = [var.name]
}

run "too_long_a_description" {
  command = plan
  variables {
    description = join("", [for number in range(257) : "x"])
  }
  expect_failures = [var.description]
}

run "no_package" {
  command = plan
  variables {
    package = {}
  }
  expect_failures = [var.package]
}

run "two_packages" {
  command = plan
  variables {
    package = { path = "../../tests/fixtures/package", image_uri = "x" }
  }
  expect_failures = [var.package]
}

run "a_handler_with_a_space" {
  command = plan
  variables {
    handler = "index handler"
  }
  expect_failures = [var.handler]
}

run "a_runtime_that_is_none" {
  command = plan
  variables {
    runtime = "Node 22"
  }
  expect_failures = [var.runtime]
}

run "too_little_memory" {
  command = plan
  variables {
    memory_mb = 127
  }
  expect_failures = [var.memory_mb]
}

run "too_much_memory" {
  command = plan
  variables {
    memory_mb = 10241
  }
  expect_failures = [var.memory_mb]
}

run "no_timeout" {
  command = plan
  variables {
    timeout_seconds = 0
  }
  expect_failures = [var.timeout_seconds]
}

run "too_long_a_timeout_of_the_function" {
  command = plan
  variables {
    timeout_seconds = 901
  }
  expect_failures = [var.timeout_seconds]
}

run "a_retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}

run "a_policy_that_is_none" {
  command = plan
  variables {
    policies = { table = "allow everything" }
  }
  expect_failures = [var.policies]
}

run "a_policy_with_the_name_of_ours" {
  command = plan
  variables {
    policies = { function = "{\"Statement\":[]}" }
  }
  expect_failures = [var.policies]
}

run "a_tag_of_awss" {
  command = plan
  variables {
    tags = { "aws:name" = "x" }
  }
  expect_failures = [var.tags]
}

run "a_zip_without_handler" {
  command = plan
  variables {
    handler = null
  }
  expect_failures = [aws_lambda_function.this]
}

run "a_zip_without_runtime" {
  command = plan
  variables {
    runtime = null
  }
  expect_failures = [aws_lambda_function.this]
}

run "an_architecture_that_is_none" {
  command = plan
  variables {
    architecture = "amd64"
  }
  expect_failures = [var.architecture]
}
