# What is planned for each region. The provider is a schema of our own: see tests/stub-provider.

mock_provider "aws" {
  mock_resource "aws_lambda_layer_version" {
    defaults = {
      arn     = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      version = "4"
    }
  }
}

variables {
  regions      = ["eu-west-1", "us-east-1"]
  release      = "0.1.0"
  architecture = "arm64"
  package      = { path = "../../tests/fixtures/package" }
}

run "each_region_has_the_same_layer" {
  assert {
    condition = jsonencode({ for region, layer in aws_lambda_layer_version.this : region => [layer.region, layer.layer_name, layer.source_code_hash, layer.skip_destroy] }) == jsonencode({
      eu-west-1 = ["eu-west-1", "backstop-extension-arm64-0-1-0", "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE=", true]
      us-east-1 = ["us-east-1", "backstop-extension-arm64-0-1-0", "gdf/LMJX3ZOExdp+Xhm+cqLp0uss2LrqLdo4UrP2PwE=", true]
    })
    error_message = jsonencode(aws_lambda_layer_version.this)
  }
  assert {
    condition     = keys(output.arns) == ["eu-west-1", "us-east-1"] && output.versions == { eu-west-1 = 4, us-east-1 = 4 }
    error_message = jsonencode(output.versions)
  }
  assert {
    condition     = output.name == "backstop-extension-arm64-0-1-0" && output.sha256 == filesha256("../../tests/fixtures/package")
    error_message = "${output.name} ${output.sha256}"
  }
}

run "each_region_has_each_permission" {
  variables {
    share_with = { accounts = ["111111111111"], organization_id = "o-abcdefghij" }
  }
  assert {
    condition = jsonencode({ for id, permission in aws_lambda_layer_version_permission.this : id => [permission.region, permission.statement_id, permission.principal, permission.organization_id] }) == jsonencode({
      "eu-west-1/account-111111111111"      = ["eu-west-1", "account-111111111111", "111111111111", null]
      "eu-west-1/organization-o-abcdefghij" = ["eu-west-1", "organization-o-abcdefghij", "*", "o-abcdefghij"]
      "us-east-1/account-111111111111"      = ["us-east-1", "account-111111111111", "111111111111", null]
      "us-east-1/organization-o-abcdefghij" = ["us-east-1", "organization-o-abcdefghij", "*", "o-abcdefghij"]
    })
    error_message = jsonencode(aws_lambda_layer_version_permission.this)
  }
}

run "nothing_stays_where_that_is_wanted" {
  variables {
    retain = false
  }
  assert {
    condition     = !anytrue([for layer in aws_lambda_layer_version.this : layer.skip_destroy])
    error_message = "with retain = false nothing stays"
  }
}

run "everybody_may_use_it" {
  variables {
    share_with = { public = true }
  }
  assert {
    condition     = keys(aws_lambda_layer_version_permission.this) == ["eu-west-1/public", "us-east-1/public"]
    error_message = jsonencode(keys(aws_lambda_layer_version_permission.this))
  }
}
