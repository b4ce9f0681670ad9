# Where the function reads the token: visible, and where the backend wants it.

variables {
  region    = "eu-west-1"
  layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
}

run "a_reference_is_a_variable_of_its_own_and_no_secret" {
  command = plan
  variables {
    primary                  = { url = "https://logs.example.com/v1" }
    primary_token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf#api"
  }
  assert {
    condition = output.environment_variables == tomap({
      BACKSTOP_PRIMARY_URL              = "https://logs.example.com/v1"
      BACKSTOP_PRIMARY_TOKEN_SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf#api"
    })
    error_message = jsonencode(output.environment_variables)
  }
  assert {
    condition     = output.has_policy && jsondecode(output.policy_json).Statement[0].Resource == ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf"]
    error_message = output.policy_json
  }
  assert {
    condition     = length([for text in output.warnings : text if strcontains(text, "state hold")]) == 0
    error_message = jsonencode(output.warnings)
  }
}

run "a_backend_gets_the_reference_where_it_reads_the_token" {
  command = plan
  module {
    source = "./tests/references"
  }
  assert {
    condition = nonsensitive(jsonencode(output.secrets)) == jsonencode({
      own_header = { HEADERS = "x-honeycomb-team={{ssm:/team/token}}", TOKEN = null, TOKEN_SECRET_ARN = null, TOKEN_SSM_PARAMETER = null }
      user_name  = { HEADERS = null, TOKEN = "123:{{secret:arn:aws:secretsmanager:eu-west-1:123456789012:secret:token}}", TOKEN_SECRET_ARN = null, TOKEN_SSM_PARAMETER = null }
    })
    error_message = "the references are not where the backends read the token"
  }
  assert {
    condition = output.granted == {
      own_header = ["arn:aws:ssm:eu-west-1:*:parameter/team/token"]
      user_name  = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-??????"]
    }
    error_message = jsonencode(output.granted)
  }
}

run "without_a_primary_nothing_is_granted" {
  command = plan
  variables {
    fallback              = { s3_bucket = "archive-bucket" }
    environment_variables = { BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER = "/team/token" }
  }
  assert {
    condition     = length(jsondecode(output.policy_json).Statement) == 1
    error_message = output.policy_json
  }
}
