# What is refused, each for its own reason.

mock_provider "aws" {
  mock_resource "aws_lambda_layer_version" {
    defaults = {
      arn         = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      version     = "4"
      code_sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE="
    }
  }
}

variables {
  release      = "0.1.0"
  architecture = "arm64"
  package      = { path = "../../tests/fixtures/package" }
}

run "a_release_with_a_v" {
  command = plan
  variables {
    release = "v0.1.0"
  }
  expect_failures = [var.release]
}

run "a_release_of_two_numbers" {
  command = plan
  variables {
    release = "0.1"
  }
  expect_failures = [var.release]
}

run "an_architecture_that_is_none" {
  command = plan
  variables {
    architecture = "aarch64"
  }
  expect_failures = [var.architecture]
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
    package = { path = "../../tests/fixtures/package", url = "https://downloads.example.com/x.zip", sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" }
  }
  expect_failures = [var.package]
}

run "an_object_of_s3_without_checksum" {
  command = plan
  variables {
    package = { s3 = { bucket = "releases", key = "x.zip" } }
  }
  expect_failures = [var.package]
}

run "a_url_without_checksum" {
  command = plan
  variables {
    package = { url = "https://downloads.example.com/x.zip" }
  }
  expect_failures = [var.package]
}

run "a_checksum_in_base64" {
  command = plan
  variables {
    package = { path = "../../tests/fixtures/package", sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE=" }
  }
  expect_failures = [var.package]
}

run "a_url_over_plain_http" {
  command = plan
  variables {
    package = { url = "http://downloads.example.com/x.zip", sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" }
  }
  expect_failures = [var.package]
}

run "a_url_that_begins_like_loopback" {
  command = plan
  variables {
    package = { url = "http://localhost.example.com/x.zip", sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" }
  }
  expect_failures = [var.package]
}

run "an_account_that_is_none" {
  command = plan
  variables {
    share_with = { accounts = ["1234"] }
  }
  expect_failures = [var.share_with]
}

run "an_account_twice" {
  command = plan
  variables {
    share_with = { accounts = ["111111111111", "111111111111"] }
  }
  expect_failures = [var.share_with]
}

run "an_organisation_that_is_none" {
  command = plan
  variables {
    share_with = { organization_id = "ou-abcd" }
  }
  expect_failures = [var.share_with]
}

run "everybody_and_an_account" {
  command = plan
  variables {
    share_with = { public = true, accounts = ["111111111111"] }
  }
  expect_failures = [var.share_with]
}

run "everybody_and_an_organisation" {
  command = plan
  variables {
    share_with = { public = true, organization_id = "o-abcdefghij" }
  }
  expect_failures = [var.share_with]
}
