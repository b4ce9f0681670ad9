# Hexadecimal becomes base64: the module does by hand what no function of Terraform's does.

mock_provider "aws" {
  mock_resource "aws_lambda_layer_version" {
    defaults = {
      arn         = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:4"
      version     = "4"
      code_sha256 = "/////////////////////wAAAAAAAAAAAAAAAImrze8="
    }
  }
}

run "every_checksum_is_turned_into_base64" {
  variables {
    release      = "0.1.0"
    architecture = "arm64"
    # All bits, none, and the digits in both cases.
    package = { s3 = { bucket = "releases", key = "x.zip" }, sha256 = "ffffffffffffffffffffffffffffffff00000000000000000000000089ABCDEF" }
  }
  assert {
    condition     = aws_lambda_layer_version.this.source_code_hash == "/////////////////////wAAAAAAAAAAAAAAAImrze8="
    error_message = aws_lambda_layer_version.this.source_code_hash
  }
}
