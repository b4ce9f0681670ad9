# The policy says what every author of permissions in this repository says.

run "the_policy_is_that_of_the_file_of_permissions" {
  command = plan
  module {
    source = "./tests/permissions"
  }
  variables {
    file = "../../../crates/archive/permissions.json"
  }
  assert {
    condition     = length(output.expected) > 5 && jsonencode(output.granted.arguments) == jsonencode(output.expected)
    error_message = "${jsonencode(output.granted.arguments)} is not ${jsonencode(output.expected)}"
  }
  assert {
    condition     = jsonencode(output.granted.variables) == jsonencode(output.expected)
    error_message = "${jsonencode(output.granted.variables)} is not ${jsonencode(output.expected)}"
  }
}
