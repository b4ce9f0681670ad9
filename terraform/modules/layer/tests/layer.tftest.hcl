# What is published from each kind of package, and who may use it.

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

run "a_file_is_published_under_a_name_with_its_release" {
  assert {
    condition     = aws_lambda_layer_version.this.layer_name == "backstop-extension-arm64-0-1-0" && output.name == "backstop-extension-arm64-0-1-0"
    error_message = aws_lambda_layer_version.this.layer_name
  }
  assert {
    condition     = aws_lambda_layer_version.this.filename == "../../tests/fixtures/package" && aws_lambda_layer_version.this.compatible_architectures == toset(["arm64"])
    error_message = "the file or the architecture is not the one that was given"
  }
  assert {
    condition     = aws_lambda_layer_version.this.source_code_hash == filebase64sha256("../../tests/fixtures/package")
    error_message = "hexadecimal became ${aws_lambda_layer_version.this.source_code_hash}"
  }
  assert {
    condition     = aws_lambda_layer_version.this.skip_destroy && length(aws_lambda_layer_version_permission.this) == 0 && length(terraform_data.download) == 0
    error_message = "versions stay, nobody else may use them, and nothing is downloaded"
  }
  assert {
    condition     = output.version == 4 && output.sha256 == filesha256("../../tests/fixtures/package")
    error_message = "${output.version} ${output.sha256}"
  }
  assert {
    condition = jsonencode(output.backstop_layers) == jsonencode({ "123456789012" = { eu-west-1 = { arm64 = {
      arn     = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      sha256  = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01"
      version = 4
    } } } })
    error_message = jsonencode(output.backstop_layers)
  }
}

run "an_object_of_s3_is_published" {
  variables {
    package = {
      s3     = { bucket = "releases", key = "extension-arm64.zip", object_version = "v1" }
      sha256 = "81D7FF2CC257DD9384C5DA7E5E19BE72A2E9D2EB2CD8BAEA2DDA3852B3F63F01"
    }
  }
  assert {
    condition     = aws_lambda_layer_version.this.s3_bucket == "releases" && aws_lambda_layer_version.this.s3_key == "extension-arm64.zip" && aws_lambda_layer_version.this.s3_object_version == "v1"
    error_message = "the object is not the one that was given"
  }
  assert {
    condition     = aws_lambda_layer_version.this.filename == null && output.sha256 == "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01"
    error_message = output.sha256
  }
}

run "a_url_is_downloaded_to_a_file_of_its_checksums_name" {
  command = plan
  variables {
    package = {
      url    = "https://downloads.example.com/extension-arm64.zip"
      sha256 = "81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01"
    }
  }
  assert {
    condition     = endswith(aws_lambda_layer_version.this.filename, "/.terraform/backstop/81d7ff2cc257dd9384c5da7e5e19be72a2e9d2eb2cd8baea2dda3852b3f63f01.zip")
    error_message = aws_lambda_layer_version.this.filename
  }
  assert {
    condition     = length(terraform_data.download) == 1
    error_message = "nothing downloads it"
  }
}

run "accounts_and_an_organisation_may_use_it" {
  variables {
    retain     = false
    share_with = { accounts = ["111111111111", "222222222222"], organization_id = "o-abcdefghij" }
  }
  assert {
    condition = jsonencode({ for id, permission in aws_lambda_layer_version_permission.this : id => [permission.principal, permission.organization_id, permission.version_number] }) == jsonencode({
      account-111111111111      = ["111111111111", null, 4]
      account-222222222222      = ["222222222222", null, 4]
      organization-o-abcdefghij = ["*", "o-abcdefghij", 4]
    })
    error_message = jsonencode(aws_lambda_layer_version_permission.this)
  }
  assert {
    condition     = !aws_lambda_layer_version.this.skip_destroy
    error_message = "with retain = false nothing stays"
  }
}

run "everybody_may_use_it" {
  variables {
    share_with = { public = true }
  }
  assert {
    condition     = keys(aws_lambda_layer_version_permission.this) == ["public"] && aws_lambda_layer_version_permission.this["public"].principal == "*" && aws_lambda_layer_version_permission.this["public"].organization_id == null
    error_message = jsonencode(aws_lambda_layer_version_permission.this)
  }
}

run "another_file_than_the_one_that_is_named_is_refused" {
  command = plan
  variables {
    package = { path = "../../tests/fixtures/package", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [aws_lambda_layer_version.this]
}

run "what_lambda_stored_must_be_what_was_named" {
  # The mock has stored the fixture, by an earlier run.
  command = plan
  variables {
    package = { s3 = { bucket = "releases", key = "x.zip" }, sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [aws_lambda_layer_version.this]
}
