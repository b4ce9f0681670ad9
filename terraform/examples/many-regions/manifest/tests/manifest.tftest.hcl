# The layers of a manifest as the command line writes it.

variables {
  backstop_layers = {
    "123456789012" = {
      eu-west-1 = {
        x86_64 = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:1", version = 1, sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
        arm64  = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:2", version = 2, sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
      }
    }
  }
}

run "both_architectures_are_found" {
  assert {
    condition     = output.layer_arns == { arm64 = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:2", x86_64 = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:1" }
    error_message = jsonencode(output.layer_arns)
  }
}

run "a_region_that_is_none" {
  command = plan
  variables {
    region = "Ireland"
  }
  expect_failures = [var.region]
}

run "an_empty_manifest" {
  command = plan
  variables {
    backstop_layers = {}
  }
  expect_failures = [var.backstop_layers]
}
