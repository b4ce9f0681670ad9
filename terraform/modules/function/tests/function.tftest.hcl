# The function with what the module attachment returns, and without.

mock_provider "aws" {
  # OpenTofu's mocks make up what is known after apply in the plan already.
  mock_resource "aws_s3_bucket" {
    defaults = { id = "telemetry-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/orders-function" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/orders" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1", name = "eu-west-1" }
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

run "the_function_has_layer_environment_and_leave_to_write" {
  assert {
    condition     = aws_lambda_function.this.layers == tolist(["arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"])
    error_message = jsonencode(aws_lambda_function.this.layers)
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables == tomap({ BACKSTOP_S3_BUCKET = "archive-bucket" })
    error_message = jsonencode(aws_lambda_function.this.environment)
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : statement.Sid => statement.Resource[0] } == {
      Logs            = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/orders:*"
      BackstopArchive = "arn:aws:s3:::archive-bucket/backstop/v1/*"
    }
    error_message = aws_iam_role_policy.function.policy
  }
  assert {
    condition     = output.name == "orders" && output.role_name == "orders-function" && length(output.warnings) == 0
    error_message = jsonencode(output.warnings)
  }
}

run "everything_is_handed_on" {
  variables {
    architecture          = "arm64"
    layer_arn             = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:3"
    layers                = ["arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1"]
    environment_variables = { TABLE = "orders" }
    primary               = { url = "https://logs.example.com/v1" }
    primary_token         = "hunter2"
    primary_headers       = { X-Tenant = "a" }
    flush                 = { strategy = "end" }
    transforms            = { tags = { team = "orders" } }
    log_level             = "info"
    metrics               = "emf"
    policies              = { table = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
    tags                  = { team = "shop" }
  }
  assert {
    condition     = length(aws_lambda_function.this.layers) == 2 && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = jsonencode(aws_lambda_function.this.layers)
  }
  assert {
    condition = nonsensitive(aws_lambda_function.this.environment[0].variables) == tomap({
      BACKSTOP_FLUSH_STRATEGY  = "end"
      BACKSTOP_LOG_LEVEL       = "info"
      BACKSTOP_METRICS         = "emf"
      BACKSTOP_PRIMARY_HEADERS = "X-Tenant=a"
      BACKSTOP_PRIMARY_TOKEN   = "hunter2"
      BACKSTOP_PRIMARY_URL     = "https://logs.example.com/v1"
      BACKSTOP_S3_BUCKET       = "archive-bucket"
      BACKSTOP_TAGS            = "team=orders"
      TABLE                    = "orders"
    })
    error_message = "a setting is lost on its way"
  }
  assert {
    condition     = keys(aws_iam_role_policy.own) == ["table"] && length(output.warnings) == 1
    error_message = jsonencode(output.warnings)
  }
}

run "switched_off_there_is_no_trace_of_it" {
  variables {
    enabled = false
  }
  assert {
    condition     = length(aws_lambda_function.this.layers) == 0 && length(aws_lambda_function.this.environment) == 0 && length(jsondecode(aws_iam_role_policy.function.policy).Statement) == 1
    error_message = jsonencode(aws_lambda_function.this.layers)
  }
}

run "without_a_fallback_it_may_write_to_none" {
  variables {
    primary  = { url = "https://logs.example.com/v1" }
    fallback = {}
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.function.policy).Statement) == 1
    error_message = aws_iam_role_policy.function.policy
  }
}

run "an_image_has_no_layer_handler_or_runtime" {
  variables {
    package   = { image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders@sha256:81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" }
    handler   = null
    runtime   = null
    layer_arn = null
  }
  assert {
    condition     = aws_lambda_function.this.package_type == "Image" && length(aws_lambda_function.this.layers) == 0 && aws_lambda_function.this.filename == null
    error_message = aws_lambda_function.this.package_type
  }
}

run "a_zip_comes_from_s3_too" {
  variables {
    package = { s3 = { bucket = "code", key = "orders.zip", object_version = "v1" } }
  }
  assert {
    condition     = aws_lambda_function.this.s3_bucket == "code" && aws_lambda_function.this.s3_object_version == "v1" && aws_lambda_function.this.filename == null
    error_message = aws_lambda_function.this.s3_bucket
  }
}

run "a_fallback_may_be_known_after_apply_only" {
  command = plan
  module {
    source = "./tests/unknown"
  }
  assert {
    condition     = output.name == "orders"
    error_message = output.name
  }
}
