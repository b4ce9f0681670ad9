# Which layer version is found.

variables {
  region       = "eu-west-1"
  architecture = "arm64"
  backstop_layers = {
    "123456789012" = {
      eu-west-1 = {
        arm64  = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4", version = 4, sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" }
        x86_64 = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:7", version = 7, sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
      }
      us-east-1 = {
        x86_64 = { arn = "arn:aws:lambda:us-east-1:123456789012:layer:backstop-extension-x86_64-0-1-0:2", version = 2, sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
      }
    }
  }
}

run "the_layer_of_region_and_architecture_is_found" {
  assert {
    condition     = output.arn == "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4" && output.version == 4 && output.sha256 == "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01"
    error_message = "${output.arn} ${output.version} ${output.sha256}"
  }
}

run "the_same_release_has_other_numbers_elsewhere" {
  variables {
    region       = "us-east-1"
    architecture = "x86_64"
    account_id   = "123456789012"
  }
  assert {
    condition     = output.arn == "arn:aws:lambda:us-east-1:123456789012:layer:backstop-extension-x86_64-0-1-0:2" && output.version == 2
    error_message = "${output.arn} ${output.version}"
  }
}
