# What replays, what it may do, and what is off by default.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:backstop-replay" }
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
  package = { s3 = { bucket = "artefacts", key = "replay-function-arm64.zip" } }
  archive = { s3_bucket = "archive" }
  primary = { url = "https://intake.example.com/v1/logs" }
}

run "only_the_queue_and_the_function_are_there_by_default" {
  assert {
    condition     = length(aws_scheduler_schedule.probe) + length(aws_cloudwatch_metric_alarm.dead_letters) + length(aws_cloudwatch_metric_alarm.stop) + length(aws_cloudwatch_metric_alarm.not_empty) + length(aws_sfn_state_machine.this) + length(aws_iam_role.schedule) + length(aws_iam_role.map) == 0
    error_message = "something that costs is there"
  }
  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled && aws_sqs_queue.this.visibility_timeout_seconds == 1800 && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "the queues are not encrypted, or messages come again too soon"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 5
    error_message = aws_sqs_queue.this.redrive_policy
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"]) && one(aws_lambda_event_source_mapping.this.scaling_config[*].maximum_concurrency) == 2
    error_message = "a batch would fail as a whole, or the primary is not protected"
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30 && aws_lambda_function.this.runtime == "provided.al2023"
    error_message = "the log has no end, or the runtime is another"
  }
  assert {
    condition = one(aws_lambda_function.this.environment[*].variables) == tomap({
      BACKSTOP_PRIMARY_URL                  = "https://intake.example.com/v1/logs"
      BACKSTOP_S3_BUCKET                    = "archive"
      BACKSTOP_S3_PREFIX                    = "backstop"
      BACKSTOP_REPLAY_QUEUE_URL             = "https://sqs.eu-west-1.amazonaws.com/123456789012/mocked"
      BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/mocked"
      BACKSTOP_REPLAY_AFTER                 = "tag"
      BACKSTOP_REPLAY_CONCURRENCY           = "4"
    })
    error_message = jsonencode(one(aws_lambda_function.this.environment[*].variables))
  }
}

run "the_role_may_do_what_the_function_does_and_nothing_else" {
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => join(" ", statement.Action) } == {
      Logs        = "logs:CreateLogStream logs:PutLogEvents"
      ListArchive = "s3:ListBucket"
      ReadObjects = "s3:GetObject s3:GetObjectTagging"
      State       = "s3:GetObject s3:PutObject s3:DeleteObject"
      Queue       = "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:ChangeMessageVisibility sqs:SendMessage"
      DeadLetters = "sqs:SendMessage"
      FindMapping = "lambda:ListEventSourceMappings"
      StopMapping = "lambda:UpdateEventSourceMapping"
      MarkObjects = "s3:PutObjectTagging"
    }
    error_message = aws_iam_role_policy.this.policy
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => join(" ", statement.Resource) if startswith(statement.Action[0], "s3:") } == {
      ListArchive = "arn:aws:s3:::archive"
      ReadObjects = "arn:aws:s3:::archive/backstop/v1/*"
      State       = "arn:aws:s3:::archive/backstop/replay/*"
      MarkObjects = "arn:aws:s3:::archive/backstop/v1/*"
    }
    error_message = aws_iam_role_policy.this.policy
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid if contains(statement.Resource, "*")] == ["FindMapping"]
    error_message = "a statement is for all resources that need not be"
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Condition.StringLikeIfExists["s3:prefix"] if statement.Sid == "ListArchive"] == [["backstop/v1/*", "backstop/replay/*"]]
    error_message = "other folders can be listed, or a missing key looks denied"
  }
}

run "with_move_objects_leave_the_archive_and_with_keep_nothing_is_changed" {
  variables {
    replay = { after = "move" }
  }
  assert {
    condition     = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => join(" ", concat(statement.Action, statement.Resource)) if endswith(statement.Sid, "eObjects") } == { MoveObjects = "s3:PutObject s3:PutObjectTagging arn:aws:s3:::archive/backstop/replayed/v1/*", RemoveObjects = "s3:DeleteObject arn:aws:s3:::archive/backstop/v1/*" }
    error_message = aws_iam_role_policy.this.policy
  }
}

run "keys_and_a_token_are_granted_for_their_use_only" {
  variables {
    archive                  = { s3_bucket = "archive", kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/1"] }
    queue                    = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/2", max_receives = 3 }
    primary_token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf"
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => join(" ", statement.Resource) if endswith(statement.Sid, "Key") || endswith(statement.Sid, "Secret") } == {
      ArchiveKey     = "arn:aws:kms:eu-west-1:123456789012:key/1"
      QueueKey       = "arn:aws:kms:eu-west-1:123456789012:key/2"
      BackstopSecret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf"
    }
    error_message = aws_iam_role_policy.this.policy
  }
  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/2"
    error_message = "the queue has another key"
  }
}

run "the_schedule_probes_and_its_alarms_ask_for_a_person" {
  variables {
    schedule = { rate = "rate(1 hour)", max_objects = 10 }
    alarms   = { not_empty_hours = 3, stop_at_dead_letters = 50 }
  }
  assert {
    condition     = aws_scheduler_schedule.probe[0].schedule_expression == "rate(1 hour)" && one(aws_scheduler_schedule.probe[0].target[*].input) == "{\"mode\":\"probe\"}"
    error_message = "the probe is not what is scheduled"
  }
  assert {
    condition     = one(aws_lambda_function.this.environment[*].variables).BACKSTOP_REPLAY_MAX_OBJECTS == "10"
    error_message = "a run has no cap"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.not_empty[0].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.stop[0].alarm_actions == toset(["arn:aws:lambda:eu-west-1:123456789012:function:backstop-replay"]) && aws_lambda_permission.stop[0].principal == "lambda.alarms.cloudwatch.amazonaws.com"
    error_message = "an alarm is not as it was asked for"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.not_empty[0].treat_missing_data == "breaching"
    error_message = "nobody hears of a probe that does not run"
  }
}

run "the_state_machine_batches_tolerates_and_writes_its_results" {
  variables {
    distributed_map = { functions = 20, batch_objects = 50, tolerated_failure_percentage = 2 }
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this[0].definition).States.Replay.ItemBatcher.MaxItemsPerBatch == 50 && jsondecode(aws_sfn_state_machine.this[0].definition).States.Replay.MaxConcurrency == 20 && jsondecode(aws_sfn_state_machine.this[0].definition).States.Replay.ToleratedFailurePercentage == 2
    error_message = aws_sfn_state_machine.this[0].definition
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this[0].definition).States.Replay.ItemProcessor.ProcessorConfig.ExecutionType == "STANDARD" && jsondecode(aws_sfn_state_machine.this[0].definition).States.Replay.ResultWriter.Parameters.Prefix == "backstop/replay/map-runs"
    error_message = aws_sfn_state_machine.this[0].definition
  }
  assert {
    condition     = !contains(flatten([for retry in jsondecode(aws_sfn_state_machine.this[0].definition).States.Replay.ItemProcessor.States.Batch.Retry : retry.ErrorEquals]), "Halted")
    error_message = "a refusal would be repeated"
  }
}
