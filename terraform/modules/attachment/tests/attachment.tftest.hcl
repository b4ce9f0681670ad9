# What is merged into a function, and that its own settings stay as they were.

variables {
  region    = "eu-west-1"
  layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
  fallback  = { s3_bucket = "archive-bucket" }
}

run "a_function_without_anything_gets_the_layer_and_the_fallback" {
  assert {
    condition     = output.layers == tolist(["arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"])
    error_message = "layers: ${jsonencode(output.layers)}"
  }
  assert {
    condition     = output.environment_variables == tomap({ BACKSTOP_S3_BUCKET = "archive-bucket" })
    error_message = "what is not said must not be set: ${jsonencode(output.environment_variables)}"
  }
  assert {
    condition     = length(output.warnings) == 0
    error_message = "warnings: ${jsonencode(output.warnings)}"
  }
}

run "every_setting_becomes_its_variable" {
  variables {
    primary = { url = "https://logs.example.com/v1?tenant=a", format = "json", signals = ["logs", "metrics"], otlp_url = "https://otlp.example.com", compression = "none", timeout_ms = 100, allow_plaintext = false }
    fallback = {
      firehose_stream          = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/backstop"
      s3_bucket                = "archive-bucket"
      s3_prefix                = "/team/backstop/"
      s3_region                = "us-east-2"
      s3_kms_key_id            = "11111111-2222-3333-4444-555555555555"
      s3_expected_bucket_owner = "123456789012"
      order                    = ["s3", "firehose"]
    }
    flush = { strategy = "end", interval_ms = 600000, max_added_ms = 0, buffer_max_bytes = 1048576, spool_max_bytes = 0 }
    transforms = {
      route           = "mirror"
      telemetry_types = ["function", "platform"]
      otlp_receiver   = true
      min_level       = "info"
      filter          = ["drop type=platform.start", "keep level=error"]
      redact          = ["email", "record.user.name"]
      redact_archive  = false
      dedupe          = true
      sample          = "10%"
      sample_keep     = ["error", "slow>1s"]
      insights        = true
      config_file     = "backstop.env"
      tags            = { team = "orders", stage = "prod=1" }
    }
    log_level = "debug"
    metrics   = "both"
  }
  assert {
    condition = output.environment_variables == tomap({
      BACKSTOP_PRIMARY_URL              = "https://logs.example.com/v1?tenant=a"
      BACKSTOP_PRIMARY_FORMAT           = "json"
      BACKSTOP_SIGNALS                  = "logs,metrics"
      BACKSTOP_OTLP_URL                 = "https://otlp.example.com"
      BACKSTOP_PRIMARY_COMPRESSION      = "none"
      BACKSTOP_PRIMARY_TIMEOUT_MS       = "100"
      BACKSTOP_ALLOW_PLAINTEXT          = "false"
      BACKSTOP_FALLBACK                 = "s3,firehose"
      BACKSTOP_FIREHOSE_STREAM          = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/backstop"
      BACKSTOP_S3_BUCKET                = "archive-bucket"
      BACKSTOP_S3_PREFIX                = "team/backstop"
      BACKSTOP_S3_REGION                = "us-east-2"
      BACKSTOP_S3_KMS_KEY_ID            = "11111111-2222-3333-4444-555555555555"
      BACKSTOP_S3_EXPECTED_BUCKET_OWNER = "123456789012"
      BACKSTOP_ROUTE                    = "mirror"
      BACKSTOP_TELEMETRY_TYPES          = "function,platform"
      BACKSTOP_OTLP_RECEIVER            = "true"
      BACKSTOP_MIN_LEVEL                = "info"
      BACKSTOP_FILTER                   = "drop type=platform.start; keep level=error"
      BACKSTOP_REDACT                   = "email,record.user.name"
      BACKSTOP_REDACT_ARCHIVE           = "false"
      BACKSTOP_DEDUPE                   = "true"
      BACKSTOP_SAMPLE                   = "10%"
      BACKSTOP_SAMPLE_KEEP              = "error,slow>1s"
      BACKSTOP_INSIGHTS                 = "true"
      BACKSTOP_CONFIG                   = "backstop.env"
      BACKSTOP_FLUSH_STRATEGY           = "end"
      BACKSTOP_FLUSH_INTERVAL_MS        = "600000"
      BACKSTOP_MAX_ADDED_MS             = "0"
      BACKSTOP_BUFFER_MAX_BYTES         = "1048576"
      BACKSTOP_SPOOL_MAX_BYTES          = "0"
      BACKSTOP_TAGS                     = "stage=prod=1,team=orders"
      BACKSTOP_LOG_LEVEL                = "debug"
      BACKSTOP_METRICS                  = "both"
    })
    error_message = jsonencode(output.environment_variables)
  }
  assert {
    condition = jsondecode(output.policy_json) == {
      Version = "2012-10-17"
      Statement = [
        { Sid = "BackstopFirehose", Effect = "Allow", Action = ["firehose:PutRecordBatch"], Resource = ["arn:aws:firehose:eu-west-1:123456789012:deliverystream/backstop"] },
        { Sid = "BackstopArchive", Effect = "Allow", Action = ["s3:PutObject"], Resource = ["arn:aws:s3:::archive-bucket/team/backstop/v1/*"] },
        {
          Sid       = "BackstopArchiveKey", Effect = "Allow", Action = ["kms:GenerateDataKey"],
          Resource  = ["arn:aws:kms:us-east-2:*:key/11111111-2222-3333-4444-555555555555"],
          Condition = { StringLike = { "kms:ViaService" = "s3.*" } }
        },
      ]
    }
    error_message = output.policy_json
  }
}

run "large_numbers_are_written_in_digits" {
  variables {
    flush = { spool_max_bytes = 1073741824, buffer_max_bytes = 268435456 }
  }
  assert {
    condition     = output.environment_variables["BACKSTOP_SPOOL_MAX_BYTES"] == "1073741824" && output.environment_variables["BACKSTOP_BUFFER_MAX_BYTES"] == "268435456"
    error_message = jsonencode(output.environment_variables)
  }
}

run "the_functions_own_keys_win_and_a_warning_says_so" {
  variables {
    environment_variables = { TABLE = "orders", BACKSTOP_S3_BUCKET = "mine", BACKSTOP_S3_BUKET = "typo" }
  }
  assert {
    condition     = output.environment_variables == tomap({ TABLE = "orders", BACKSTOP_S3_BUCKET = "mine", BACKSTOP_S3_BUKET = "typo" })
    error_message = jsonencode(output.environment_variables)
  }
  assert {
    condition = output.warnings == tolist([
      "The function sets BACKSTOP_S3_BUCKET itself, and keeps its own value.",
      "The function sets BACKSTOP_S3_BUKET, which this version of Backstop does not know: the extension reports that in each environment, and continues.",
    ])
    error_message = jsonencode(output.warnings)
  }
}

run "the_order_of_layers_is_kept_and_ours_comes_last" {
  variables {
    layers = [
      "arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1",
      "arn:aws:lambda:eu-west-1:111111111111:layer:alpha:7",
    ]
  }
  assert {
    condition = output.layers == tolist([
      "arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1",
      "arn:aws:lambda:eu-west-1:111111111111:layer:alpha:7",
      "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3",
    ])
    error_message = jsonencode(output.layers)
  }
}

run "an_older_release_is_replaced_where_it_stands" {
  variables {
    layers = [
      "arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1",
      "arn:aws:lambda:eu-west-1:999999999999:layer:backstop-extension-x86_64-0-0-9:12",
      "arn:aws:lambda:eu-west-1:111111111111:layer:alpha:7",
      "arn:aws:lambda:eu-west-1:999999999999:layer:backstop-extension-x86_64-0-0-8:2",
    ]
  }
  assert {
    condition = output.layers == tolist([
      "arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1",
      "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3",
      "arn:aws:lambda:eu-west-1:111111111111:layer:alpha:7",
    ])
    error_message = jsonencode(output.layers)
  }
  assert {
    condition     = length(output.warnings) == 2
    error_message = jsonencode(output.warnings)
  }
}

run "another_version_of_a_layer_by_any_name_is_replaced" {
  variables {
    layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:telemetry:10"
    layers = [
      "arn:aws:lambda:eu-west-1:123456789012:layer:telemetry:1",
      "arn:aws:lambda:eu-west-1:123456789012:layer:telemetry-2:1",
    ]
  }
  assert {
    condition = output.layers == tolist([
      "arn:aws:lambda:eu-west-1:123456789012:layer:telemetry:10",
      "arn:aws:lambda:eu-west-1:123456789012:layer:telemetry-2:1",
    ])
    error_message = jsonencode(output.layers)
  }
}

run "attached_twice_is_attached_once" {
  variables {
    layers = [
      "arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1",
      "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3",
    ]
    environment_variables = { BACKSTOP_S3_BUCKET = "archive-bucket" }
  }
  assert {
    condition = output.layers == tolist([
      "arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1",
      "arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3",
    ])
    error_message = jsonencode(output.layers)
  }
  assert {
    condition     = output.environment_variables == tomap({ BACKSTOP_S3_BUCKET = "archive-bucket" })
    error_message = jsonencode(output.environment_variables)
  }
}

run "five_layers_are_accepted" {
  variables {
    layers = [for number in range(4) : "arn:aws:lambda:eu-west-1:111111111111:layer:own-${number}:1"]
  }
  assert {
    condition     = length(output.layers) == 5
    error_message = jsonencode(output.layers)
  }
}

run "switched_off_it_changes_nothing_and_refuses_nothing" {
  variables {
    enabled               = false
    layer_arn             = null
    layers                = ["arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1"]
    environment_variables = { TABLE = "orders" }
    fallback              = {}
    primary_token         = "unused"
  }
  assert {
    condition     = output.layers == tolist(["arn:aws:lambda:eu-west-1:111111111111:layer:zeta:1"])
    error_message = jsonencode(output.layers)
  }
  assert {
    condition     = output.environment_variables == tomap({ TABLE = "orders" })
    error_message = jsonencode(output.environment_variables)
  }
  assert {
    condition     = output.policy_json == null && length(output.warnings) == 0
    error_message = jsonencode(output.warnings)
  }
}

run "switched_off_for_a_function_without_anything_there_is_no_block_and_no_policy" {
  variables {
    enabled = false
  }
  assert {
    condition     = length(output.environment) == 0 && output.has_policy == false && output.policy_json == null && length(output.layers) == 0
    error_message = jsonencode(output.environment)
  }
}

run "the_block_of_variables_is_one" {
  variables {
    environment_variables = { TABLE = "orders" }
  }
  assert {
    condition     = output.environment == [tomap({ BACKSTOP_S3_BUCKET = "archive-bucket", TABLE = "orders" })] && output.has_policy
    error_message = jsonencode(output.environment)
  }
}

run "what_is_null_is_not_set" {
  variables {
    name                  = null
    package_type          = null
    architecture          = null
    enabled               = null
    environment_variables = { TABLE = null, BACKSTOP_S3_BUCKET = null, BACKSTOP_LOG_LEVEL = "error" }
    primary               = { url = "https://logs.example.com/v1", format = null }
    primary_token         = null
    fallback              = { s3_bucket = "archive-bucket", firehose_stream = null, order = null, kms_key_arns = null }
    flush                 = null
    transforms            = { telemetry_types = null, tags = { team = "orders", stage = null } }
    log_level             = null
  }
  assert {
    condition = { for name, value in output.environment_variables : name => value if value != null } == {
      BACKSTOP_LOG_LEVEL   = "error"
      BACKSTOP_PRIMARY_URL = "https://logs.example.com/v1"
      BACKSTOP_S3_BUCKET   = "archive-bucket"
      BACKSTOP_TAGS        = "team=orders"
    }
    error_message = jsonencode(output.environment_variables)
  }
}

run "rights_follow_what_the_function_sets_itself" {
  variables {
    environment_variables = { BACKSTOP_S3_BUCKET = "my-own", BACKSTOP_S3_PREFIX = "/mine/", BACKSTOP_FIREHOSE_STREAM = "own-stream", BACKSTOP_S3_KMS_KEY_ID = "11111111-2222-3333-4444-555555555555", BACKSTOP_S3_REGION = "us-east-2" }
  }
  assert {
    condition = [for statement in jsondecode(output.policy_json).Statement : statement.Resource[0]] == [
      "arn:aws:firehose:eu-west-1:*:deliverystream/own-stream", "arn:aws:s3:::my-own/mine/v1/*", "arn:aws:kms:us-east-2:*:key/11111111-2222-3333-4444-555555555555",
    ]
    error_message = output.policy_json
  }
}

run "a_bucket_of_its_own_alone_is_granted" {
  variables {
    primary               = { url = "https://logs.example.com/v1" }
    fallback              = {}
    environment_variables = { BACKSTOP_S3_BUCKET = "my-own" }
  }
  assert {
    condition     = jsondecode(output.policy_json).Statement[0].Resource == ["arn:aws:s3:::my-own/backstop/v1/*"] && output.has_policy && length(output.warnings) == 0
    error_message = jsonencode([output.policy_json, output.warnings])
  }
}

run "a_bucket_that_the_function_empties_is_not_granted" {
  variables {
    environment_variables = { BACKSTOP_S3_BUCKET = "" }
  }
  assert {
    condition     = output.policy_json == null && !output.has_policy && startswith(one([for warning in output.warnings : warning if startswith(warning, "There is no fallback")]), "There")
    error_message = jsonencode([output.policy_json, output.warnings])
  }
}

run "headers_and_tags_that_are_all_null_set_nothing" {
  variables {
    primary_headers = { X-User = null }
    transforms      = { tags = { stage = null } }
  }
  assert {
    condition     = output.environment_variables == tomap({ BACKSTOP_S3_BUCKET = "archive-bucket" })
    error_message = jsonencode(output.environment_variables)
  }
}

run "a_container_image_takes_no_layer" {
  variables {
    package_type = "Image"
    layer_arn    = null
  }
  assert {
    condition     = length(output.layers) == 0 && output.environment_variables["BACKSTOP_S3_BUCKET"] == "archive-bucket"
    error_message = jsonencode(output.layers)
  }
}

run "without_a_fallback_there_is_no_policy_and_a_warning" {
  variables {
    primary  = { url = "https://logs.example.com/v1" }
    fallback = {}
  }
  assert {
    condition     = output.policy_json == null
    error_message = jsonencode(output.policy_json)
  }
  assert {
    condition     = length(output.warnings) == 1 && startswith(output.warnings[0], "There is no fallback")
    error_message = jsonencode(output.warnings)
  }
}

run "a_fallback_that_the_order_leaves_out_is_warned_of" {
  variables {
    fallback = { firehose_stream = "backstop", s3_bucket = "archive-bucket", order = ["s3"] }
  }
  assert {
    condition     = output.warnings == tolist(["fallback.order leaves out firehose, so the stream is not used."])
    error_message = jsonencode(output.warnings)
  }
}

run "arns_follow_the_partition" {
  variables {
    region    = "cn-north-1"
    layer_arn = "arn:aws-cn:lambda:cn-north-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
    fallback  = { firehose_stream = "backstop", s3_bucket = "archive-bucket" }
  }
  assert {
    condition = [for statement in jsondecode(output.policy_json).Statement : statement.Resource[0]] == [
      "arn:aws-cn:firehose:cn-north-1:*:deliverystream/backstop", "arn:aws-cn:s3:::archive-bucket/backstop/v1/*",
    ]
    error_message = output.policy_json
  }
}

run "arns_follow_a_partition_of_its_own_cloud" {
  variables {
    region    = "eusc-de-east-1"
    layer_arn = "arn:aws-eusc:lambda:eusc-de-east-1:123456789012:layer:backstop-extension-x86_64-0-1-0:3"
    fallback  = { firehose_stream = "backstop", s3_bucket = "archive-bucket" }
  }
  assert {
    condition = [for statement in jsondecode(output.policy_json).Statement : statement.Resource[0]] == [
      "arn:aws-eusc:firehose:eusc-de-east-1:*:deliverystream/backstop", "arn:aws-eusc:s3:::archive-bucket/backstop/v1/*",
    ]
    error_message = output.policy_json
  }
}

run "keys_of_the_bucket_are_in_the_policy_once" {
  variables {
    fallback = {
      s3_bucket     = "arn:aws:s3:::archive-bucket"
      s3_kms_key_id = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
      kms_key_arns  = ["arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"]
    }
  }
  assert {
    condition     = jsondecode(output.policy_json).Statement[1].Resource == ["arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"]
    error_message = output.policy_json
  }
}

run "four_kilobytes_of_environment_are_accepted" {
  variables {
    # {"BACKSTOP_S3_BUCKET":"archive-bucket","X1":"…"}: 47 bytes besides the value; é takes two of them, € three.
    environment_variables = { X1 = "é€<>&x${join("", [for number in range(1010) : "xxxx"])}" }
  }
  assert {
    condition     = length(output.environment_variables) == 2
    error_message = jsonencode(output.environment_variables)
  }
}
