# Secrets are hidden, and nothing else is.

run "only_the_secrets_themselves_are_hidden" {
  module {
    source = "./tests/secrets"
  }
  assert {
    condition     = tomap(output.visible) == tomap({ BACKSTOP_PRIMARY_URL = "https://logs.example.com/v1", TABLE = "orders" })
    error_message = "the environment is not readable: ${jsonencode(output.visible)}"
  }
  assert {
    condition     = tomap(nonsensitive(output.hidden)) == tomap({ BACKSTOP_PRIMARY_TOKEN = "hunter2", BACKSTOP_PRIMARY_HEADERS = "X-Tenant=a,X-User=b" })
    error_message = "the secrets are not what was given"
  }
  assert {
    condition     = length(output.warnings) == 2
    error_message = jsonencode(output.warnings)
  }
}
