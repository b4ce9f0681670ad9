# What is refused, each for its own reason.

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

run "an_account_of_the_manifest_that_is_none" {
  command = plan
  variables {
    backstop_layers = { "1234" = { eu-west-1 = { arm64 = { arn = "arn:aws:lambda:eu-west-1:1234:layer:backstop-extension-arm64-0-1-0:4", version = 4, sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" } } } }
  }
  expect_failures = [var.backstop_layers]
}

run "an_arn_of_another_region" {
  command = plan
  variables {
    backstop_layers = { "123456789012" = { eu-west-1 = { arm64 = { arn = "arn:aws:lambda:us-east-1:123456789012:layer:backstop-extension-arm64-0-1-0:4", version = 4, sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" } } } }
  }
  expect_failures = [var.backstop_layers]
}

run "an_arn_of_another_account" {
  command = plan
  variables {
    backstop_layers = { "123456789012" = { eu-west-1 = { arm64 = { arn = "arn:aws:lambda:eu-west-1:999999999999:layer:backstop-extension-arm64-0-1-0:4", version = 4, sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" } } } }
  }
  expect_failures = [var.backstop_layers]
}

run "an_arn_for_the_other_architecture" {
  command = plan
  variables {
    backstop_layers = { "123456789012" = { eu-west-1 = { arm64 = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:4", version = 4, sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" } } } }
  }
  expect_failures = [var.backstop_layers]
}

run "an_arn_of_another_version" {
  command = plan
  variables {
    backstop_layers = { "123456789012" = { eu-west-1 = { arm64 = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4", version = 5, sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01" } } } }
  }
  expect_failures = [var.backstop_layers]
}

run "a_checksum_that_is_none" {
  command = plan
  variables {
    backstop_layers = { "123456789012" = { eu-west-1 = { arm64 = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4", version = 4, sha256 = "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE=" } } } }
  }
  expect_failures = [var.backstop_layers]
}

run "an_account_that_is_none" {
  command = plan
  variables {
    account_id = "1234"
  }
  expect_failures = [var.account_id]
}

run "a_region_that_is_none" {
  command = plan
  variables {
    region = "Ireland"
  }
  expect_failures = [var.region]
}

run "an_architecture_that_is_none" {
  command = plan
  variables {
    architecture = "aarch64"
  }
  expect_failures = [var.architecture]
}

run "an_account_without_layers" {
  command = plan
  variables {
    account_id = "999999999999"
  }
  expect_failures = [output.arn]
}

run "a_manifest_of_two_accounts_and_no_choice" {
  command = plan
  variables {
    backstop_layers = { "111111111111" = {}, "222222222222" = {} }
  }
  expect_failures = [output.arn]
}

run "an_empty_manifest" {
  command = plan
  variables {
    backstop_layers = {}
  }
  expect_failures = [output.arn]
}

run "an_account_that_has_published_nowhere" {
  command = plan
  variables {
    backstop_layers = { "111111111111" = {} }
  }
  expect_failures = [output.arn]
}

run "a_region_without_layer" {
  command = plan
  variables {
    region = "eu-central-1"
  }
  expect_failures = [output.arn]
}

run "an_architecture_without_layer" {
  command = plan
  variables {
    region = "us-east-1"
  }
  expect_failures = [output.arn]
}
