# What the function gets, what its role may do, and what is off by default.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:backstop-controller" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:mocked" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  package = { s3 = { bucket = "artefacts", key = "controller-arm64.zip" } }
  wanted  = { ssm_parameter = "/backstop/wanted" }
  state   = { bucket = "state" }
}

run "by_default_it_only_reports_and_nothing_runs" {
  assert {
    condition     = length(aws_scheduler_schedule.plan) + length(aws_cloudwatch_event_rule.this) + length(aws_lambda_event_source_mapping.this) + length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_metric_alarm.no_plan) + length(aws_cloudwatch_metric_alarm.invocations) + length(aws_cloudwatch_metric_alarm.dead_letters) == 0
    error_message = "something runs or costs"
  }
  assert {
    condition = one(aws_lambda_function.this.environment[*].variables) == tomap({
      CONTROLLER_CONFIG     = "ssm:/backstop/wanted"
      CONTROLLER_STATE      = "s3://state/backstop-controller"
      CONTROLLER_MODE       = "report"
      CONTROLLER_MAX_WRITES = "3"
    })
    error_message = jsonencode(aws_lambda_function.this.environment)
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "UpdateFunctionConfiguration") && strcontains(aws_iam_role_policy.this.policy, "arn:aws:ssm:eu-west-1:123456789012:parameter/backstop/wanted")
    error_message = aws_iam_role_policy.this.policy
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 1 && aws_lambda_function.this.timeout == 900 && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "two could write at once, or the log has no end"
  }
  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled && aws_sqs_queue.this.delay_seconds == 60
    error_message = "the queues are not encrypted, or events do not wait"
  }
  assert {
    condition     = output.state == "s3://state/backstop-controller"
    error_message = output.state
  }
}

run "all_there_can_be" {
  variables {
    mode                = "enforce"
    wanted              = { s3 = { bucket = "config", key = "backstop.toml" } }
    state               = { bucket = "state", prefix = "fleet", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
    schedule            = "rate(1 hour)"
    events              = { cloudtrail = true, delay_seconds = 120 }
    alarms              = { actions = ["arn:aws:sns:eu-west-1:123456789012:ops"], drift = true }
    max_writes_per_hour = 5
    include_managed     = true
    never               = ["backstop-replay"]
    switch_parameter    = "/backstop/switch"
    assume_role_arns    = ["arn:aws:iam::*:role/BackstopInstaller"]
    kms_key_arns        = ["arn:aws:kms:eu-west-1:123456789012:key/3"]

    environment_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/4"]

    secret_arns       = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-abcdef"]
    queue_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/2"
  }
  assert {
    condition = one(aws_lambda_function.this.environment[*].variables) == tomap({
      CONTROLLER_CONFIG           = "s3://config/backstop.toml"
      CONTROLLER_STATE            = "s3://state/fleet"
      CONTROLLER_STATE_KMS_KEY_ID = "arn:aws:kms:eu-west-1:123456789012:key/1"
      CONTROLLER_MODE             = "enforce"
      CONTROLLER_MAX_WRITES       = "5"
      CONTROLLER_INCLUDE_MANAGED  = "true"
      CONTROLLER_NEVER            = "backstop-replay"
      CONTROLLER_SWITCH           = "ssm:/backstop/switch"
    })
    error_message = jsonencode(aws_lambda_function.this.environment)
  }
  assert {
    condition     = sort([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid]) == tolist(["Decrypt", "DecryptEvents", "EncryptEnvironments", "EncryptState", "Events", "ListState", "Logs", "OtherAccounts", "ReadAccount", "ReadFunctions", "ReadLayers", "ReadParameters", "ReadSecrets", "ReadWanted", "State", "WriteFunctions"])
    error_message = aws_iam_role_policy.this.policy
  }
  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => join(" ", concat(statement.Action, [for arn in statement.Resource : substr(arn, -1, 1)]))
      if contains(["Decrypt", "EncryptEnvironments", "EncryptState"], statement.Sid)
      } == {
      Decrypt             = "kms:Decrypt 3 4"
      EncryptEnvironments = "kms:CreateGrant kms:Encrypt 4"
      EncryptState        = "kms:Decrypt kms:GenerateDataKey 1"
    }
    error_message = aws_iam_role_policy.this.policy
  }
  assert {
    condition     = sort(keys(aws_cloudwatch_event_rule.this)) == tolist(["cloudtrail", "state"]) && jsondecode(aws_cloudwatch_event_rule.this["cloudtrail"].event_pattern).detail.eventName[0].prefix == "CreateFunction"
    error_message = jsonencode(aws_cloudwatch_event_rule.this)
  }
  assert {
    condition     = length([for statement in jsondecode(aws_sqs_queue_policy.this.policy).Statement : statement if statement.Effect == "Allow"]) == 2
    error_message = aws_sqs_queue_policy.this.policy
  }
  assert {
    condition     = sort(keys(aws_cloudwatch_metric_alarm.this)) == tolist(["drifted", "errors", "failed", "limited", "skipped", "stopped"]) && length(aws_cloudwatch_metric_alarm.invocations) == 1 && length(aws_cloudwatch_metric_alarm.dead_letters) == 1
    error_message = jsonencode(keys(aws_cloudwatch_metric_alarm.this))
  }
  assert {
    condition     = one(aws_cloudwatch_metric_alarm.no_plan[*].evaluation_periods) == 3 && one(aws_cloudwatch_metric_alarm.no_plan[*].period) == 3600
    error_message = jsonencode(aws_cloudwatch_metric_alarm.no_plan)
  }
  assert {
    condition     = jsondecode(one(aws_scheduler_schedule.plan[0].target).input).action == "plan" && aws_sqs_queue.this.delay_seconds == 120 && aws_sqs_queue.this.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/2"
    error_message = "the schedule plans for something else, or the queue is another"
  }
}

run "report_cannot_write_and_grants_nothing_on_a_key" {
  variables {
    environment_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/4"]
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "kms:CreateGrant") && strcontains(aws_iam_role_policy.this.policy, "kms:Decrypt")
    error_message = aws_iam_role_policy.this.policy
  }
}

run "a_daily_plan_may_be_absent_for_three_days" {
  variables {
    schedule = "rate(1 day)"
    alarms   = {}
  }
  assert {
    condition     = one(aws_cloudwatch_metric_alarm.no_plan[*].evaluation_periods) == 72
    error_message = jsonencode(aws_cloudwatch_metric_alarm.no_plan)
  }
}

run "the_interval_of_a_cron_expression_is_said" {
  variables {
    schedule = "cron(0 4 * * ? *)"
    alarms   = { plan_hours = 26 }
  }
  assert {
    condition     = one(aws_cloudwatch_metric_alarm.no_plan[*].evaluation_periods) == 26
    error_message = jsonencode(aws_cloudwatch_metric_alarm.no_plan)
  }
}
