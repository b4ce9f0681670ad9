# Backends by their names, and the options of formats: what becomes of them, and what a validation refuses. What depends on
# a token is refused in terraform/tests/test_plans.py: an output of a root module may show no secret.

variables {
  region    = "eu-west-1"
  layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  fallback  = { s3_bucket = "archive-bucket" }
}

run "every_backend_becomes_its_variables" {
  command = plan
  module {
    source = "./tests/backends"
  }
  assert {
    condition     = output.count > 10 && length(output.wrong) == 0
    error_message = jsonencode(output.wrong)
  }
  assert {
    condition     = output.headers == "X-Team=payments,x-honeycomb-team=t0ken"
    error_message = "headers of the user are not kept beside those of the backend: ${output.headers}"
  }
}

run "a_plan_shows_the_environment_of_a_backend_that_is_not_there_yet" {
  command = plan
  module {
    source = "./tests/unknown-host"
  }
  assert {
    condition     = output.names == tolist(["BACKSTOP_PRIMARY_FORMAT", "BACKSTOP_PRIMARY_URL", "BACKSTOP_S3_BUCKET"])
    error_message = jsonencode(output.names)
  }
}

run "options_are_sorted_pairs" {
  command = plan
  variables {
    primary = { backend = "elastic", backend_options = { host = "logs.example.com" }, options = { index = "logs-lambda-prod", ids = "false" } }
  }
  assert {
    condition     = output.environment_variables["BACKSTOP_PRIMARY_OPTIONS"] == "ids=false,index=logs-lambda-prod"
    error_message = jsonencode(output.environment_variables)
  }
}

run "a_site_is_an_address_for_datadog" {
  command = plan
  variables {
    primary = { url = "datadoghq.eu", format = "datadog", options = { max_age_hours = "12" } }
  }
  assert {
    condition     = output.environment_variables["BACKSTOP_PRIMARY_URL"] == "datadoghq.eu"
    error_message = "the site is not passed on"
  }
}

run "a_region_is_an_address_for_new_relic" {
  command = plan
  variables {
    primary = { url = "EU", format = "newrelic" }
  }
  assert {
    condition     = output.environment_variables["BACKSTOP_PRIMARY_URL"] == "EU"
    error_message = "the region is not passed on"
  }
}

run "an_address_without_a_path_is_one" {
  command = plan
  variables {
    primary = { url = "https://collector.example.com:4318", format = "otlp", options = { encoding = "json" } }
  }
  assert {
    condition     = output.environment_variables["BACKSTOP_PRIMARY_URL"] == "https://collector.example.com:4318"
    error_message = "the address is not passed on"
  }
}

run "an_option_of_another_format" {
  command = plan
  variables {
    primary = { url = "https://a.example", format = "otlp", options = { index = "x" } }
  }
  expect_failures = [output.environment_variables]
}

run "an_option_of_a_format_without_options" {
  command = plan
  variables {
    primary = { url = "https://a.example", options = { index = "x" } }
  }
  expect_failures = [output.environment_variables]
}

run "an_option_with_a_wrong_value" {
  command = plan
  variables {
    primary = { url = "https://a.example", format = "otlp", options = { encoding = "xml" } }
  }
  expect_failures = [output.environment_variables]
}

run "an_option_with_a_comma" {
  command = plan
  variables {
    primary = { url = "https://a.example", format = "splunk", options = { source = "a,b" } }
  }
  expect_failures = [var.primary]
}

run "an_empty_option" {
  command = plan
  variables {
    primary = { url = "https://a.example", format = "splunk", options = { source = "" } }
  }
  expect_failures = [var.primary]
}

run "a_backend_and_an_address" {
  command = plan
  variables {
    primary = { backend = "honeycomb", url = "https://a.example" }
  }
  expect_failures = [var.primary]
}

run "a_backend_and_a_format" {
  command = plan
  variables {
    primary = { backend = "honeycomb", format = "otlp" }
  }
  expect_failures = [var.primary]
}

run "a_primary_without_either" {
  command = plan
  variables {
    primary = { timeout_ms = 100 }
  }
  expect_failures = [var.primary]
}

run "a_site_for_another_format" {
  command = plan
  variables {
    primary = { url = "datadoghq.eu", format = "otlp" }
  }
  expect_failures = [var.primary]
}

run "a_site_that_is_none" {
  command = plan
  variables {
    primary = { url = "eu", format = "datadog" }
  }
  expect_failures = [var.primary]
}

run "a_region_that_is_no_region_of_new_relic" {
  command = plan
  variables {
    primary = { url = "mars", format = "newrelic" }
  }
  expect_failures = [var.primary]
}
