# The archive: where things lie, who may write them, and what is refused.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1", name = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

run "the_layout_is_version_1_of_the_archives" {
  command = plan
  assert {
    condition     = aws_s3_bucket.this.bucket == "backstop-123456789012-eu-west-1"
    error_message = aws_s3_bucket.this.bucket
  }
  assert {
    condition = one(aws_kinesis_firehose_delivery_stream.this[0].extended_s3_configuration[*].prefix) == (
      "backstop/v1/stream=backstop/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    )
    error_message = one(aws_kinesis_firehose_delivery_stream.this[0].extended_s3_configuration[*].prefix)
  }
  # A replay lists PREFIX/v1/: errors must lie elsewhere.
  assert {
    condition     = startswith(one(aws_kinesis_firehose_delivery_stream.this[0].extended_s3_configuration[*].error_output_prefix), "backstop-errors/")
    error_message = one(aws_kinesis_firehose_delivery_stream.this[0].extended_s3_configuration[*].error_output_prefix)
  }
  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.this[0].extended_s3_configuration[*].compression_format) == "GZIP" && length(one(aws_kinesis_firehose_delivery_stream.this[0].extended_s3_configuration[*].processing_configuration)) == 0
    error_message = "lines are gzipped and otherwise left as the extension wrote them"
  }
  assert {
    condition = jsonencode(output.fallback) == jsonencode({
      firehose_stream          = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/backstop"
      kms_key_arns             = []
      s3_bucket                = "backstop-123456789012-eu-west-1"
      s3_expected_bucket_owner = "123456789012"
      s3_prefix                = "backstop"
    })
    error_message = jsonencode(output.fallback)
  }
  assert {
    condition     = output.replay_from == "s3://backstop-123456789012-eu-west-1/backstop" && output.athena_database == null
    error_message = output.replay_from
  }
}

run "what_is_not_asked_for_is_not_made" {
  command = plan
  variables {
    firehose = null
  }
  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.this) + length(aws_iam_role.firehose) + length(aws_iam_role_policy.firehose) + length(aws_cloudwatch_log_group.firehose) + length(aws_cloudwatch_log_stream.firehose) == 0
    error_message = "there is something of a stream"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.fallback_used) + length(aws_cloudwatch_metric_alarm.delivery_failed) + length(aws_cloudwatch_metric_alarm.direct_writes) + length(aws_s3_bucket_metric.direct) + length(aws_glue_catalog_database.this) + length(aws_glue_catalog_table.this) == 0
    error_message = "there is an alarm or a table"
  }
  assert {
    condition     = output.fallback.firehose_stream == null && output.fallback.s3_bucket != null && output.stream_arn == null
    error_message = jsonencode(output.fallback)
  }
}

run "the_bucket_refuses_what_is_not_over_tls_or_encrypted_otherwise" {
  command = plan
  assert {
    condition = { for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement.Sid => jsonencode([statement.Effect, statement.Condition]) } == {
      TlsOnly           = jsonencode(["Deny", { Bool = { "aws:SecureTransport" = "false" } }])
      NoOtherEncryption = jsonencode(["Deny", { StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption" = "AES256" } }])
      NoKeysOfCallers   = jsonencode(["Deny", { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }])
    }
    error_message = aws_s3_bucket_policy.this.policy
  }
  assert {
    condition     = alltrue([aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy, aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets])
    error_message = "the bucket could become public"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "not SSE-S3"
  }
  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Suspended" && !aws_s3_bucket.this.force_destroy
    error_message = "versions or the bucket's records"
  }
}

run "a_key_is_used_and_no_other" {
  command = plan
  variables {
    encryption = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
    versioning = true
  }
  assert {
    condition = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default) == {
      kms_master_key_id = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
      sse_algorithm     = "aws:kms"
    } && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    error_message = jsonencode(aws_s3_bucket_server_side_encryption_configuration.this.rule)
  }
  assert {
    condition = [for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : jsonencode(statement.Condition) if contains(["NoOtherEncryption", "NoOtherKey"], statement.Sid)] == [
      jsonencode({ StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption" = "aws:kms" } }),
      jsonencode({ StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" } }),
    ]
    error_message = aws_s3_bucket_policy.this.policy
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.firehose[0].policy).Statement : jsonencode(statement.Action) if statement.Sid == "Key"] == [jsonencode(["kms:Decrypt", "kms:GenerateDataKey"])]
    error_message = aws_iam_role_policy.firehose[0].policy
  }
  assert {
    condition     = output.fallback.kms_key_arns == tolist(["arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"])
    error_message = jsonencode(output.fallback)
  }
  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "versioning is off"
  }
}

run "the_streams_role_reaches_its_own_objects_only" {
  command = plan
  variables {
    name   = "telemetry"
    prefix = "team/backstop"
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.firehose[0].policy).Statement : statement.Sid => statement.Resource } == {
      Bucket = ["arn:aws:s3:::telemetry-123456789012-eu-west-1"]
      Objects = [
        "arn:aws:s3:::telemetry-123456789012-eu-west-1/team/backstop/v1/stream=telemetry/*",
        "arn:aws:s3:::telemetry-123456789012-eu-west-1/team/backstop-errors/*",
      ]
      OwnErrors = ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws/kinesisfirehose/telemetry:log-stream:DestinationDelivery"]
    }
    error_message = aws_iam_role_policy.firehose[0].policy
  }
  assert {
    condition     = jsondecode(aws_iam_role.firehose[0].assume_role_policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:firehose:eu-west-1:123456789012:deliverystream/telemetry"
    error_message = aws_iam_role.firehose[0].assume_role_policy
  }
}

run "objects_move_and_expire" {
  command = plan
  variables {
    lifecycle_rules = { infrequent_access_days = 30, glacier_instant_days = 90, expiration_days = 365, noncurrent_days = 7 }
  }
  assert {
    condition     = toset([for step in aws_s3_bucket_lifecycle_configuration.this.rule[0].transition : "${step.storage_class} ${step.days}"]) == toset(["STANDARD_IA 30", "GLACIER_IR 90"])
    error_message = jsonencode(aws_s3_bucket_lifecycle_configuration.this.rule[0].transition)
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].expiration[0].days == 365 && aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days == 7
    error_message = jsonencode(aws_s3_bucket_lifecycle_configuration.this.rule)
  }
}

run "objects_stay_for_ever_where_that_is_wanted" {
  command = plan
  variables {
    lifecycle_rules = {}
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this.rule[0].transition) + length(aws_s3_bucket_lifecycle_configuration.this.rule[0].expiration) + length(aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration) == 0
    error_message = jsonencode(aws_s3_bucket_lifecycle_configuration.this.rule)
  }
}

run "alarms_are_raised_by_the_first_diverted_record" {
  command = plan
  variables {
    alarms = { actions = ["arn:aws:sns:eu-west-1:123456789012:ops"], direct_writes = true }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.fallback_used[0].metric_name == "IncomingRecords" && aws_cloudwatch_metric_alarm.fallback_used[0].dimensions.DeliveryStreamName == "backstop" && aws_cloudwatch_metric_alarm.fallback_used[0].threshold == 0 && aws_cloudwatch_metric_alarm.fallback_used[0].comparison_operator == "GreaterThanThreshold"
    error_message = "the alarm of the fallback"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.delivery_failed[0].metric_name == "DeliveryToS3.Success" && aws_cloudwatch_metric_alarm.delivery_failed[0].comparison_operator == "LessThanThreshold"
    error_message = "the alarm of the delivery"
  }
  # Firehose's objects do not count: only what functions write themselves.
  assert {
    condition     = one(aws_s3_bucket_metric.direct[0].filter).prefix == "backstop/v1/account=" && aws_cloudwatch_metric_alarm.direct_writes[0].dimensions.FilterId == "backstop-direct"
    error_message = "the alarm of direct writes"
  }
  assert {
    condition     = alltrue([for alarm in [aws_cloudwatch_metric_alarm.fallback_used[0], aws_cloudwatch_metric_alarm.delivery_failed[0], aws_cloudwatch_metric_alarm.direct_writes[0]] : alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:ops"]) && alarm.treat_missing_data == "notBreaching"])
    error_message = "actions, or what silence means"
  }
}

run "tables_have_the_layouts_partitions" {
  command = plan
  variables {
    name   = "back-stop"
    athena = { first_day = "2026-01-01", regions = ["eu-west-1", "us-east-1"] }
  }
  assert {
    condition = { for name, table in aws_glue_catalog_table.this : name => table.parameters["storage.location.template"] } == {
      streamed = "s3://back-stop-123456789012-eu-west-1/backstop/v1/stream=$${stream}/dt=$${dt}/hour=$${hour}/"
      direct   = "s3://back-stop-123456789012-eu-west-1/backstop/v1/account=$${account}/region=$${region}/function=$${function}/dt=$${dt}/hour=$${hour}/"
    }
    error_message = jsonencode({ for name, table in aws_glue_catalog_table.this : name => table.parameters })
  }
  # A record is others' JSON: keys of it that differ in case only must not make its row NULL.
  assert {
    condition     = alltrue([for table in aws_glue_catalog_table.this : one(one(table.storage_descriptor).ser_de_info).parameters["case.insensitive"] == "false"])
    error_message = "the SerDe puts keys into lowercase"
  }
  # Then a column is found by its own name, which Glue keeps in lowercase.
  assert {
    condition     = alltrue(flatten([for table in aws_glue_catalog_table.this : [for column in one(table.storage_descriptor).columns : "${column.name}${column.type}" == lower("${column.name}${column.type}")]]))
    error_message = "a column is not in lowercase"
  }
  # Athena refuses a table whose partitions are not all projected.
  assert {
    condition     = alltrue(flatten([for table in aws_glue_catalog_table.this : [for key in table.partition_keys : contains(keys(table.parameters), "projection.${key.name}.type")]]))
    error_message = "a partition is not projected"
  }
  assert {
    condition     = aws_glue_catalog_table.this["direct"].parameters["projection.region.values"] == "eu-west-1,us-east-1" && aws_glue_catalog_table.this["direct"].parameters["projection.account.values"] == "123456789012" && aws_glue_catalog_table.this["direct"].parameters["projection.dt.range"] == "2026-01-01,NOW+1DAY"
    error_message = jsonencode(aws_glue_catalog_table.this["direct"].parameters)
  }
  assert {
    condition     = [for column in aws_glue_catalog_table.this["direct"].storage_descriptor[0].columns : column.name] == ["id", "time", "type", "record", "request_id", "resource", "diverted", "route", "original"]
    error_message = jsonencode(aws_glue_catalog_table.this["direct"].storage_descriptor[0].columns)
  }
  assert {
    condition     = aws_glue_catalog_database.this[0].name == "back_stop"
    error_message = aws_glue_catalog_database.this[0].name
  }
}

run "without_a_stream_no_table_looks_for_its_objects" {
  command = plan
  variables {
    firehose = null
    athena   = {}
  }
  assert {
    condition     = keys(aws_glue_catalog_table.this) == ["direct"]
    error_message = jsonencode(keys(aws_glue_catalog_table.this))
  }
}

run "what_is_null_is_not_set" {
  command = plan
  variables {
    name            = null
    bucket_name     = null
    prefix          = null
    encryption      = null
    versioning      = null
    lifecycle_rules = null
    firehose        = { buffer_mb = null }
    alarms          = { actions = null }
    athena          = { first_day = null, accounts = null, regions = null }
    force_destroy   = null
    tags            = { team = "shop", stage = null }
  }
  assert {
    condition     = aws_s3_bucket.this.bucket == "backstop-123456789012-eu-west-1" && output.athena_database == "backstop" && length(aws_cloudwatch_metric_alarm.fallback_used) == 1
    error_message = aws_s3_bucket.this.bucket
  }
}

run "the_longest_names_have_room" {
  command = plan
  variables {
    name        = join("", [for number in range(11) : "abcde"])
    bucket_name = join("", [for number in range(7) : "abcdefghi"])
  }
  assert {
    condition     = length(aws_iam_role.firehose[0].name) == 64 && length(aws_s3_bucket.this.bucket) == 63
    error_message = aws_iam_role.firehose[0].name
  }
}
