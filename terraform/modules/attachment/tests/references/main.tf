# Backends that have a header of their own for the token, or a user name before it: what holds a reference is hidden, as
# any value of a header is, so that a root module could not show it.

module "own_header" {
  source = "../.."

  region                      = "eu-west-1"
  layer_arn                   = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  primary                     = { backend = "honeycomb", backend_options = { region = "eu" } }
  primary_token_ssm_parameter = "/team/token"
}

module "user_name" {
  source = "../.."

  region                   = "eu-west-1"
  layer_arn                = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  primary                  = { backend = "grafana-cloud", backend_options = { zone = "prod-eu-west-0", instance = "123" } }
  primary_token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token"
}

output "secrets" {
  description = "What holds the token's place; null for a variable that is not set."
  value = {
    for name, variables in { own_header = module.own_header.environment_variables, user_name = module.user_name.environment_variables } : name => {
      for variable in ["HEADERS", "TOKEN", "TOKEN_SECRET_ARN", "TOKEN_SSM_PARAMETER"] : variable => try(variables["BACKSTOP_PRIMARY_${variable}"], null)
    }
  }
  sensitive = true
}

output "granted" {
  description = "The resources of the policies."
  value = {
    for name, policy in { own_header = module.own_header.policy_json, user_name = module.user_name.policy_json } : name => flatten(jsondecode(policy).Statement[*].Resource)
  }
}
