# What is refused, each for its own reason: by a variable's validation or by an output's precondition.

variables {
  region    = "eu-west-1"
  layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  fallback  = { s3_bucket = "archive-bucket" }
}

run "a_region_that_is_none" {
  command = plan
  variables {
    region = "Ireland"
  }
  expect_failures = [output.layers]
}

run "an_architecture_that_is_none" {
  command = plan
  variables {
    architecture = "amd64"
  }
  expect_failures = [output.layers]
}

run "a_package_type_that_is_none" {
  command = plan
  variables {
    package_type = "zip"
  }
  expect_failures = [output.layers]
}

run "a_layer_arn_without_version" {
  command = plan
  variables {
    layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0"
  }
  expect_failures = [output.layers]
}

run "a_layer_of_the_functions_that_is_none" {
  command = plan
  variables {
    layers = ["arn:aws:lambda:eu-west-1:111111111111:layer:zeta"]
  }
  expect_failures = [output.layers]
}

run "a_name_that_lambda_refuses" {
  command = plan
  variables {
    environment_variables = { "1X" = "y" }
  }
  expect_failures = [output.environment_variables]
}

run "a_layer_of_the_functions_that_is_null" {
  command = plan
  variables {
    layers = [null]
  }
  expect_failures = [output.layers]
}

run "a_bucket_that_is_an_address" {
  command = plan
  variables {
    fallback = { s3_bucket = "192.168.0.1" }
  }
  expect_failures = [var.fallback]
}

run "a_bucket_with_two_dots" {
  command = plan
  variables {
    fallback = { s3_bucket = "arn:aws:s3:::my..archive" }
  }
  expect_failures = [var.fallback]
}

run "an_alias_of_the_functions_own" {
  command = plan
  variables {
    environment_variables = { BACKSTOP_S3_KMS_KEY_ID = "alias/mine" }
  }
  expect_failures = [output.policy_json]
}

run "a_prefix_that_is_a_pattern" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_prefix = "team/*" }
  }
  expect_failures = [var.fallback]
}

run "a_prefix_that_goes_up" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_prefix = "team/../other" }
  }
  expect_failures = [var.fallback]
}

run "an_empty_bucket" {
  command = plan
  variables {
    fallback = { s3_bucket = "" }
  }
  expect_failures = [var.fallback]
}

run "an_empty_log_level" {
  command = plan
  variables {
    log_level = ""
  }
  expect_failures = [var.log_level]
}

run "an_address_that_is_null" {
  command = plan
  variables {
    primary = { url = null }
  }
  expect_failures = [var.primary]
}

run "an_empty_name" {
  command = plan
  variables {
    name = " "
  }
  expect_failures = [var.name]
}

run "an_address_without_scheme" {
  command = plan
  variables {
    primary = { url = "logs.example.com" }
  }
  expect_failures = [var.primary]
}

run "an_address_of_another_scheme" {
  command = plan
  variables {
    primary = { url = "ftp://logs.example.com" }
  }
  expect_failures = [var.primary]
}

run "an_address_with_a_user_name" {
  command = plan
  variables {
    primary = { url = "https://user@logs.example.com" }
  }
  expect_failures = [var.primary]
}

run "an_address_with_a_password" {
  command = plan
  variables {
    primary = { url = "https://user:hunter2@logs.example.com/v1" }
  }
  expect_failures = [var.primary]
}

run "an_address_with_a_fragment" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com/v1#x" }
  }
  expect_failures = [var.primary]
}

run "an_address_with_a_space" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com/a b" }
  }
  expect_failures = [var.primary]
}

run "an_address_without_host" {
  command = plan
  variables {
    primary = { url = "https:///v1" }
  }
  expect_failures = [var.primary]
}

run "plain_http" {
  command = plan
  variables {
    primary = { url = "http://logs.example.com/v1" }
  }
  expect_failures = [var.primary]
}

run "plain_http_of_a_host_that_begins_like_loopback" {
  command = plan
  variables {
    primary = { url = "http://localhost.example.com/v1" }
  }
  expect_failures = [var.primary]
}

run "plain_http_of_a_number_that_begins_like_loopback" {
  command = plan
  variables {
    primary = { url = "http://127.0.0.1.example.com/v1" }
  }
  expect_failures = [var.primary]
}

run "plain_http_that_is_not_allowed" {
  command = plan
  variables {
    primary = { url = "http://logs.example.com/v1", allow_plaintext = false }
  }
  expect_failures = [var.primary]
}

run "a_format_that_is_none" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", format = "syslog" }
  }
  expect_failures = [var.primary]
}

run "a_compression_of_a_later_version" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", compression = "zstd" }
  }
  expect_failures = [var.primary]
}

run "too_short_a_timeout" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", timeout_ms = 99 }
  }
  expect_failures = [var.primary]
}

run "too_long_a_timeout" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", timeout_ms = 60001 }
  }
  expect_failures = [var.primary]
}

run "a_timeout_that_is_not_whole" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", timeout_ms = 100.5 }
  }
  expect_failures = [var.primary]
}

run "an_empty_token" {
  command = plan
  variables {
    primary_token = ""
  }
  expect_failures = [var.primary_token]
}

run "a_token_secret_that_is_no_arn" {
  command = plan
  variables {
    primary                  = { url = "https://logs.example.com/v1" }
    primary_token_secret_arn = "hunter2"
  }
  expect_failures = [var.primary_token_secret_arn]
}

run "a_token_parameter_that_is_none" {
  command = plan
  variables {
    primary                     = { url = "https://logs.example.com/v1" }
    primary_token_ssm_parameter = "hun ter2"
  }
  expect_failures = [var.primary_token_ssm_parameter]
}

run "a_token_for_kms_that_is_not_base64" {
  command = plan
  variables {
    primary                  = { url = "https://logs.example.com/v1" }
    primary_token_kms        = "hunter-2"
    primary_token_kms_key_id = "1234abcd-12ab-34cd-56ef-1234567890ab"
  }
  expect_failures = [var.primary_token_kms]
}

run "a_key_of_the_token_that_is_an_alias" {
  command = plan
  variables {
    primary                  = { url = "https://logs.example.com/v1" }
    primary_token_kms        = "AQIC"
    primary_token_kms_key_id = "alias/token"
  }
  expect_failures = [var.primary_token_kms_key_id]
}

run "a_token_for_kms_without_its_key" {
  command = plan
  variables {
    primary           = { url = "https://logs.example.com/v1" }
    primary_token_kms = "AQIC"
  }
  expect_failures = [output.environment_variables]
}

run "a_token_that_is_named_twice" {
  command = plan
  variables {
    primary                     = { url = "https://logs.example.com/v1" }
    primary_token_secret_arn    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token"
    primary_token_ssm_parameter = "/team/token"
  }
  expect_failures = [output.environment_variables]
}

run "a_token_with_its_scheme" {
  command = plan
  variables {
    primary_token = "Bearer hunter2"
  }
  expect_failures = [var.primary_token]
}

run "a_header_name_that_is_none" {
  command = plan
  variables {
    primary_headers = { "X Tenant" = "a" }
  }
  expect_failures = [var.primary_headers]
}

run "a_header_value_with_a_comma" {
  command = plan
  variables {
    primary_headers = { X-Tenant = "a,b" }
  }
  expect_failures = [var.primary_headers]
}

run "an_empty_header" {
  command = plan
  variables {
    primary_headers = { X-Tenant = "" }
  }
  expect_failures = [var.primary_headers]
}

run "a_header_of_the_extensions" {
  command = plan
  variables {
    primary_headers = { Content-Type = "text/plain" }
  }
  expect_failures = [var.primary_headers]
}

run "a_stream_that_is_none" {
  command = plan
  variables {
    fallback = { firehose_stream = "my stream" }
  }
  expect_failures = [var.fallback]
}

run "an_arn_of_another_kind_of_stream" {
  command = plan
  variables {
    fallback = { firehose_stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/x" }
  }
  expect_failures = [var.fallback]
}

run "a_bucket_that_is_none" {
  command = plan
  variables {
    fallback = { s3_bucket = "Archive" }
  }
  expect_failures = [var.fallback]
}

run "a_prefix_with_a_space" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_prefix = "my logs" }
  }
  expect_failures = [var.fallback]
}

run "a_prefix_of_slashes" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_prefix = "//" }
  }
  expect_failures = [var.fallback]
}

run "a_region_of_the_bucket_that_is_none" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_region = "Ohio" }
  }
  expect_failures = [var.fallback]
}

run "a_key_that_is_none" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_kms_key_id = "my-key" }
  }
  expect_failures = [var.fallback]
}

run "an_owner_that_is_none" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_expected_bucket_owner = "1234" }
  }
  expect_failures = [var.fallback]
}

run "an_order_of_something_else" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", order = ["s3", "sqs"] }
  }
  expect_failures = [var.fallback]
}

run "an_order_that_names_one_twice" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", order = ["s3", "s3"] }
  }
  expect_failures = [var.fallback]
}

run "an_alias_as_key_arn" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/logs"] }
  }
  expect_failures = [var.fallback]
}

run "a_strategy_that_is_none" {
  command = plan
  variables {
    flush = { strategy = "sometimes" }
  }
  expect_failures = [var.flush]
}

run "too_short_an_interval" {
  command = plan
  variables {
    flush = { interval_ms = 99 }
  }
  expect_failures = [var.flush]
}

run "too_long_an_interval" {
  command = plan
  variables {
    flush = { interval_ms = 600001 }
  }
  expect_failures = [var.flush]
}

run "less_than_no_added_time" {
  command = plan
  variables {
    flush = { max_added_ms = -1 }
  }
  expect_failures = [var.flush]
}

run "too_much_added_time" {
  command = plan
  variables {
    flush = { max_added_ms = 10001 }
  }
  expect_failures = [var.flush]
}

run "too_small_a_buffer" {
  command = plan
  variables {
    flush = { buffer_max_bytes = 1048575 }
  }
  expect_failures = [var.flush]
}

run "too_large_a_buffer" {
  command = plan
  variables {
    flush = { buffer_max_bytes = 268435457 }
  }
  expect_failures = [var.flush]
}

run "a_spool_of_less_than_nothing" {
  command = plan
  variables {
    flush = { spool_max_bytes = -1 }
  }
  expect_failures = [var.flush]
}

run "too_large_a_spool" {
  command = plan
  variables {
    flush = { spool_max_bytes = 1073741825 }
  }
  expect_failures = [var.flush]
}

run "a_spool_that_is_not_whole" {
  command = plan
  variables {
    flush = { spool_max_bytes = 1.5 }
  }
  expect_failures = [var.flush]
}

run "a_telemetry_type_that_is_none" {
  command = plan
  variables {
    transforms = { telemetry_types = ["function", "logs"] }
  }
  expect_failures = [var.transforms]
}

run "a_telemetry_type_twice" {
  command = plan
  variables {
    transforms = { telemetry_types = ["function", "function"] }
  }
  expect_failures = [var.transforms]
}

run "a_least_level_that_is_none" {
  command = plan
  variables {
    transforms = { min_level = "loud" }
  }
  expect_failures = [var.transforms]
}

run "a_filter_that_neither_drops_nor_keeps" {
  command = plan
  variables {
    transforms = { filter = ["deny type=x"] }
  }
  expect_failures = [var.transforms]
}

run "an_empty_redaction" {
  command = plan
  variables {
    transforms = { redact = ["email", " "] }
  }
  expect_failures = [var.transforms]
}

run "a_sample_without_a_percent_sign" {
  command = plan
  variables {
    transforms = { sample = "10" }
  }
  expect_failures = [var.transforms]
}

run "invocations_to_keep_that_are_not_known" {
  command = plan
  variables {
    transforms = { sample_keep = ["errors"] }
  }
  expect_failures = [var.transforms]
}

run "a_tag_with_an_equals_sign_in_its_key" {
  command = plan
  variables {
    transforms = { tags = { "a=b" = "c" } }
  }
  expect_failures = [output.environment_variables]
}

run "a_tag_with_a_comma" {
  command = plan
  variables {
    transforms = { tags = { team = "orders,returns" } }
  }
  expect_failures = [output.environment_variables]
}

run "metrics_in_another_format" {
  command = plan
  variables {
    metrics = "statsd"
  }
  expect_failures = [var.metrics]
}

run "a_log_level_that_is_none" {
  command = plan
  variables {
    log_level = "trace"
  }
  expect_failures = [var.log_level]
}

run "no_layer" {
  command = plan
  variables {
    layer_arn = null
  }
  expect_failures = [output.layers]
}

run "layers_of_an_image" {
  command = plan
  variables {
    package_type = "Image"
    layers       = ["arn:aws:lambda:eu-west-1:111111111111:layer:own-1:1"]
  }
  expect_failures = [output.layers]
}

run "a_sixth_layer" {
  command = plan
  variables {
    layers = [for number in range(5) : "arn:aws:lambda:eu-west-1:111111111111:layer:own-${number}:1"]
  }
  expect_failures = [output.layers]
}

run "a_layer_of_another_region" {
  command = plan
  variables {
    region = "eu-central-1"
  }
  expect_failures = [output.layers]
}

run "a_layer_for_the_other_architecture" {
  command = plan
  variables {
    architecture = "arm64"
  }
  expect_failures = [output.layers]
}

run "nowhere_to_deliver" {
  command = plan
  variables {
    fallback = {}
  }
  expect_failures = [output.environment_variables]
}

run "a_prefix_without_a_bucket" {
  command = plan
  variables {
    fallback = { firehose_stream = "backstop", s3_prefix = "x" }
  }
  expect_failures = [output.environment_variables]
}

run "a_region_without_a_bucket" {
  command = plan
  variables {
    fallback = { firehose_stream = "backstop", s3_region = "us-east-2" }
  }
  expect_failures = [output.environment_variables]
}

run "a_key_without_a_bucket" {
  command = plan
  variables {
    fallback = { firehose_stream = "backstop", s3_kms_key_id = "11111111-2222-3333-4444-555555555555" }
  }
  expect_failures = [output.environment_variables]
}

run "an_owner_without_a_bucket" {
  command = plan
  variables {
    fallback = { firehose_stream = "backstop", s3_expected_bucket_owner = "123456789012" }
  }
  expect_failures = [output.environment_variables]
}

run "an_order_without_a_bucket" {
  command = plan
  variables {
    fallback = { firehose_stream = "backstop", order = ["firehose", "s3"] }
  }
  expect_failures = [output.environment_variables]
}

run "an_order_without_a_stream" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", order = ["firehose", "s3"] }
  }
  expect_failures = [output.environment_variables]
}

run "more_than_four_kilobytes_of_environment" {
  command = plan
  variables {
    # One byte more than what is accepted.
    environment_variables = { X1 = "é€<>&xx${join("", [for number in range(1010) : "xxxx"])}" }
  }
  expect_failures = [output.environment_variables]
}

run "an_alias_without_its_key" {
  command = plan
  variables {
    fallback = { s3_bucket = "archive-bucket", s3_kms_key_id = "alias/logs" }
  }
  expect_failures = [output.policy_json]
}

run "an_unknown_signal" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", signals = ["logs", "events"] }
  }
  expect_failures = [var.primary]
}

run "a_signal_without_an_intake" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", format = "loki", signals = ["logs", "metrics"] }
  }
  expect_failures = [var.primary]
}

run "an_otlp_address_in_plain_http" {
  command = plan
  variables {
    primary = { url = "https://logs.example.com", otlp_url = "http://otlp.example.com" }
  }
  expect_failures = [var.primary]
}
