variable "name" {
  description = "The name of the function. The queues, the roles, the alarms and the log group are named after it."
  type        = string
  default     = "backstop-replay"
  nullable    = false

  validation {
    # 40, so that the names of the roles and the queues have room for what is added to it.
    condition     = can(regex("^[a-zA-Z0-9_-]{1,40}$", var.name))
    error_message = "name is not 1 to 40 letters, digits, hyphens and underscores."
  }
}

variable "package" {
  description = <<-EOT
    The function's code, a zip of the release: one of `path` and `s3`.
    - `path`: `replay-function-ARCHITECTURE.zip` on the machine that runs Terraform
    - `s3`: the same in a bucket of the provider's region
  EOT
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket         = string
      key            = string
      object_version = optional(string)
    }))
  })
  nullable = false

  validation {
    condition     = (var.package.path != null) != (var.package.s3 != null)
    error_message = "package must name exactly one of path and s3."
  }
}

variable "archive" {
  description = <<-EOT
    The archive to replay. The module `archive` returns this object as its output `fallback`.
    - `s3_bucket`: the bucket, by its name
    - `s3_prefix`: the prefix of the keys
    - `s3_region`: the region of the bucket, if it is not the function's
    - `s3_expected_bucket_owner`: the account that owns the bucket
    - `kms_key_arns`: the keys that the bucket encrypts with, for the role
  EOT
  type = object({
    s3_bucket                = string
    s3_prefix                = optional(string, "backstop")
    s3_region                = optional(string)
    s3_expected_bucket_owner = optional(string)
    kms_key_arns             = optional(list(string), [])
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.archive.s3_bucket))
    error_message = "archive.s3_bucket is not a bucket: write its name, 3 to 63 lowercase letters, digits, dots and hyphens."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9!_.'()=-]+(/[A-Za-z0-9!_.'()=-]+)*$", var.archive.s3_prefix))
    error_message = "archive.s3_prefix is invalid: use letters, digits and !-_.'()=, with single slashes between parts and none at the ends."
  }
  validation {
    condition     = alltrue([for arn in var.archive.kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", arn))])
    error_message = "archive.kms_key_arns has an entry that is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "architecture" {
  description = "The architecture of the function, `x86_64` or `arm64`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is neither x86_64 nor arm64."
  }
}

variable "primary" {
  description = <<-EOT
    Where the archive is replayed to: a `backend` by its name, or a `url`.
    - `backend`: a backend by its name, such as `honeycomb`; it sets address, format and headers. docs/backends.md lists them
    - `backend_options`: the options of the backend, such as `{ region = "eu" }`
    - `url`: the address to post batches to (`BACKSTOP_PRIMARY_URL`). For `ndjson` and `json`, the full address, `https://host/path`; for the other formats, a base to which Backstop appends the format's path. `datadog` also accepts a site, and `newrelic` a region
    - `format`: `ndjson`, `json`, `otlp`, `elastic`, `loki`, `splunk`, `datadog` or `newrelic` (`BACKSTOP_PRIMARY_FORMAT`)
    - `signals`: the signals to deliver: `logs`, `metrics`, `traces` (`BACKSTOP_SIGNALS`)
    - `otlp_url`: where metrics and traces go, in OTLP, if it is not `url`; it gets the token and the headers of the primary (`BACKSTOP_OTLP_URL`)
    - `options`: the options of the format, such as `{ index = "logs-lambda-prod" }` (`BACKSTOP_PRIMARY_OPTIONS`)
    - `compression`: `gzip` or `none` (`BACKSTOP_PRIMARY_COMPRESSION`)
    - `timeout_ms`: the longest time that one request may take, 100 to 60000 (`BACKSTOP_PRIMARY_TIMEOUT_MS`)
    - `allow_plaintext`: whether the address may be plain http on a host that is not loopback (`BACKSTOP_ALLOW_PLAINTEXT`)
  EOT
  type = object({
    backend         = optional(string)
    backend_options = optional(map(string), {})
    url             = optional(string)
    format          = optional(string)
    signals         = optional(list(string))
    otlp_url        = optional(string)
    options         = optional(map(string), {})
    compression     = optional(string)
    timeout_ms      = optional(number)
    allow_plaintext = optional(bool)
  })
  nullable = false

  validation {
    condition     = (var.primary.url == null) != (var.primary.backend == null)
    error_message = "primary has neither url nor backend, or both: set one of them."
  }
  validation {
    condition     = var.primary.backend == null || var.primary.format == null
    error_message = "primary.format is set, and the backend sets it too: remove one of the two."
  }
  validation {
    condition = var.primary.url == null ? true : anytrue([
      can(regex("^(?i:https?)://", var.primary.url)),
      var.primary.format == "datadog" && can(regex("^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$", var.primary.url)),
      var.primary.format == "newrelic" && can(regex("^(?i:us|eu|gov)$", var.primary.url)),
    ])
    error_message = "primary.url does not begin with https://. Only the format datadog also accepts a site such as datadoghq.eu, and newrelic a region (us, eu or gov)."
  }
  validation {
    # The rules of the extension: a host, perhaps a port, no user name, no fragment, RFC 3986's characters.
    condition = var.primary.url == null ? true : (
      !can(regex("://", var.primary.url)) || can(regex("^([A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*|\\[[0-9A-Fa-f:.]+\\])(:[1-9][0-9]{0,4})?([/?][!$%&'()*+,./:;=?@\\[\\]_~A-Za-z0-9-]*)?$", replace(var.primary.url, "/^(?i:https?):[/][/]/", "")))
    )
    error_message = "primary.url is not an address of the form https://host/path: it may have a port and a query, no user name, password, fragment, space, and none of \"<>\\^`{|}. For credentials use primary_token or primary_headers."
  }
  validation {
    condition = anytrue([
      !can(regex("^(?i:http)://", var.primary.url)),
      can(regex("^(?i:http)://((?i:localhost)|127(\\.[0-9]{1,3}){3}|\\[::1\\])([:/?]|$)", var.primary.url)),
      var.primary.allow_plaintext == true,
    ])
    error_message = "primary.url is plain http and its host is not loopback: use https, or set primary.allow_plaintext to true."
  }
  validation {
    condition     = contains(["ndjson", "json", "otlp", "elastic", "loki", "splunk", "datadog", "newrelic"], var.primary.format == null ? "ndjson" : var.primary.format)
    error_message = "primary.format is unknown to this version: use ndjson, json, otlp, elastic, loki, splunk, datadog or newrelic."
  }
  validation {
    condition = alltrue([
      for name in coalesce(var.primary.signals, ["logs"]) : contains(["logs", "metrics", "traces"], name)
    ]) && length(coalesce(var.primary.signals, ["logs"])) == length(distinct(coalesce(var.primary.signals, ["logs"])))
    error_message = "primary.signals has an entry other than logs, metrics and traces, or one of them twice: name each once."
  }
  validation {
    condition = var.primary.otlp_url != null || !contains(["elastic", "loki", "splunk", "datadog"], coalesce(var.primary.format, "ndjson")) || length(setintersection(
      coalesce(var.primary.signals, ["logs"]), ["metrics", "traces"]
    )) == 0
    error_message = "primary.signals names metrics or traces, which the format does not take: set primary.otlp_url to where they go, or take them out."
  }
  validation {
    condition = var.primary.otlp_url == null ? true : alltrue([
      can(regex("^(?i:https?)://([A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*|\\[[0-9A-Fa-f:.]+\\])(:[1-9][0-9]{0,4})?([/?][!$%&'()*+,./:;=?@\\[\\]_~A-Za-z0-9-]*)?$", var.primary.otlp_url)),
      anytrue([
        !can(regex("^(?i:http)://", var.primary.otlp_url)),
        can(regex("^(?i:http)://((?i:localhost)|127(\\.[0-9]{1,3}){3}|\\[::1\\])([:/?]|$)", var.primary.otlp_url)),
        var.primary.allow_plaintext == true,
      ]),
    ])
    error_message = "primary.otlp_url is not an https address of the form https://host/path: correct it. Plain http is accepted for loopback hosts only, unless primary.allow_plaintext is true."
  }
  validation {
    condition     = alltrue([for value in values(var.primary.options) : value == null ? true : can(regex("^[^, \"'`]([^,]*[^, \"'`])?$", value))])
    error_message = "primary.options has a value that is empty, contains a comma, or begins or ends with a space or a quote: correct it."
  }
  validation {
    condition     = contains(["gzip", "none"], var.primary.compression == null ? "gzip" : var.primary.compression)
    error_message = "primary.compression is neither gzip nor none: use one of them."
  }
  validation {
    condition = (
      coalesce(var.primary.timeout_ms, 100) >= 100 && coalesce(var.primary.timeout_ms, 100) <= 60000 && floor(coalesce(var.primary.timeout_ms, 100)) == coalesce(var.primary.timeout_ms, 100)
    )
    error_message = "primary.timeout_ms is not a whole number from 100 to 60000."
  }
}

variable "primary_token" {
  description = "The bare token of the primary, sent in the header that its format or backend uses (`BACKSTOP_PRIMARY_TOKEN`). The function's environment and Terraform's state hold it."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.primary_token == null ? true : can(regex("^[!-~]+$", var.primary_token))
    error_message = "primary_token is empty, or contains a space, a line break or a character that is not ASCII: give the bare token, without a word such as \"Bearer\"."
  }
}

variable "primary_token_secret_arn" {
  description = "The ARN of the secret in Secrets Manager that holds the primary's token; `#KEY` at its end names a key of a JSON object (`BACKSTOP_PRIMARY_TOKEN_SECRET_ARN`). The function reads it with its own role: neither its environment nor Terraform's state holds the token."
  type        = string
  default     = null

  validation {
    condition     = var.primary_token_secret_arn == null ? true : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+(#[ -~]+)?$", var.primary_token_secret_arn))
    error_message = "primary_token_secret_arn is not the ARN of a secret: write arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, and #KEY at its end for a key of a JSON object."
  }
}

variable "primary_token_ssm_parameter" {
  description = "The parameter of Systems Manager that holds the primary's token, by name or ARN (`BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER`). The function reads it with its own role."
  type        = string
  default     = null

  validation {
    condition     = var.primary_token_ssm_parameter == null ? true : can(regex("^(arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter/)?[A-Za-z0-9/_.-]+$", var.primary_token_ssm_parameter))
    error_message = "primary_token_ssm_parameter is not a parameter: write its name, such as /team/token, or its ARN."
  }
}

variable "primary_token_kms" {
  description = "The primary's token, encrypted with KMS, in Base64, with the encryption context `LambdaFunctionName` (`BACKSTOP_PRIMARY_TOKEN_KMS`). Set `primary_token_kms_key_id` as well."
  type        = string
  default     = null

  validation {
    condition     = var.primary_token_kms == null ? true : can(regex("^[A-Za-z0-9+/]+={0,2}$", var.primary_token_kms))
    error_message = "primary_token_kms is not Base64: write the CiphertextBlob of `aws kms encrypt`."
  }
}

variable "primary_token_kms_key_id" {
  description = "The KMS key that encrypts the token, by id or ARN, for the policy (`BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID`). Not needed for a secret or a parameter with the key that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.primary_token_kms_key_id == null ? true : can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/)?([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32})$", var.primary_token_kms_key_id))
    error_message = "primary_token_kms_key_id is not a KMS key: write its id or its ARN; a policy cannot grant an alias."
  }
}

variable "primary_headers" {
  description = "Additional headers of every request to the primary (`BACKSTOP_PRIMARY_HEADERS`). The function's environment and Terraform's state hold them. `{{secret:ARN#KEY}}` or `{{ssm:NAME}}` in a value is a reference, which the function reads."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true

  validation {
    condition     = alltrue([for name in keys(var.primary_headers) : can(regex("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", name))])
    error_message = "primary_headers has a name that is not valid for a header: use letters, digits and hyphens."
  }
  validation {
    condition     = alltrue([for value in values(var.primary_headers) : value == null ? true : can(regex("^[!-+./0-9:-~-]([ !-+./0-9:-~-]*[!-+./0-9:-~-])?$", value))])
    error_message = "primary_headers has a value that cannot be sent: it is empty, contains a comma, a line break or a character that is not ASCII, or begins or ends with a space."
  }
  validation {
    # What frames a request, belongs to one connection, or is the extension's to set.
    condition = length(setintersection([for name in keys(var.primary_headers) : lower(name)], [
      "connection", "content-encoding", "content-length", "content-type", "expect", "host", "idempotency-key",
      "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
      "transfer-encoding", "upgrade",
    ])) == 0
    error_message = "primary_headers sets a header that the extension or the connection sets: remove Content-Type, Content-Encoding, Host, Idempotency-Key and the like."
  }
  validation {
    # As the extension looks for another header: one with a hyphen, or after a semicolon one with a capital.
    condition = alltrue([
      for name, value in var.primary_headers : lower(name) == "cookie" || !can(regex("[ ;|&] *[!#$%'*+.^_`~0-9A-Za-z-]*-[!#$%'*+.^_`~0-9A-Za-z-]* *=[^=]|; *[A-Z][!#$%'*+.^_`~0-9A-Za-z-]* *=[^=]", value))
    ])
    error_message = "primary_headers has a value with more than one header in it: give each header its own name."
  }
  validation {
    condition     = alltrue([for name, value in var.primary_headers : !can(regex("^[\"'`]|[\"'`]$", name)) && !can(regex("^[\"'`]|[\"'`]$", value))])
    error_message = "primary_headers has a quote at the beginning or the end of a name or a value, which would be sent: remove it."
  }
  validation {
    condition     = length(distinct([for name in keys(var.primary_headers) : lower(name)])) == length(var.primary_headers)
    error_message = "primary_headers sets one header twice, in two spellings: set it once."
  }
}

variable "memory_mb" {
  description = "The memory of the function. Lambda gives it processor time in proportion."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb is not a whole number from 256 to 10240."
  }
}

variable "timeout_seconds" {
  description = "The longest time that an invocation may take. The queue hides a message for six times as long."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 60 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds is not a whole number from 60 to 900."
  }
}

variable "replay" {
  description = <<-EOT
    How the function replays.
    - `after`: what to do with an object once all of its records are at the primary: `tag`, `move`, `delete` or `keep` (`BACKSTOP_REPLAY_AFTER`)
    - `functions`: the most invocations at the same time, 2 to 1000: with `objects` and `rate` what the primary must bear
    - `objects`: objects that one invocation replays side by side (`BACKSTOP_REPLAY_CONCURRENCY`)
    - `batch_size`: messages that one invocation gets, 1 to 10
    - `batch_records`: the most records in one request (`BACKSTOP_REPLAY_BATCH_RECORDS`)
    - `rate`: the most that one invocation sends in a second, such as `5000` records or `2MB` (`BACKSTOP_REPLAY_RATE`)
    - `retry_seconds`: how long a message waits after its first failure (`BACKSTOP_REPLAY_RETRY_SECONDS`)
  EOT
  type = object({
    after         = optional(string, "tag")
    functions     = optional(number, 2)
    objects       = optional(number, 4)
    batch_size    = optional(number, 5)
    batch_records = optional(number)
    rate          = optional(string)
    retry_seconds = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["tag", "move", "delete", "keep"], var.replay.after)
    error_message = "replay.after is not tag, move, delete or keep."
  }
  validation {
    condition     = var.replay.functions >= 2 && var.replay.functions <= 1000 && floor(var.replay.functions) == var.replay.functions
    error_message = "replay.functions is not a whole number from 2 to 1000, which is what Lambda accepts."
  }
  validation {
    condition     = var.replay.objects >= 1 && var.replay.objects <= 64 && var.replay.batch_size >= 1 && var.replay.batch_size <= 10
    error_message = "replay.objects is not from 1 to 64, or replay.batch_size is not from 1 to 10."
  }
  validation {
    condition     = coalesce(var.replay.batch_records, 1) >= 1 && coalesce(var.replay.batch_records, 1) <= 100000 && coalesce(var.replay.retry_seconds, 0) >= 0 && coalesce(var.replay.retry_seconds, 0) <= 3600
    error_message = "replay.batch_records is not from 1 to 100000, or replay.retry_seconds is not from 0 to 3600."
  }
  validation {
    condition     = var.replay.rate == null ? true : can(regex("^[0-9]+([.][0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?(/s)?$", var.replay.rate))
    error_message = "replay.rate is not a rate: write records a second as 5000, or bytes a second as 2MB."
  }
}

variable "queue" {
  description = <<-EOT
    The queue of objects, and its dead-letter queue.
    - `kms_key_arn`: a key of yours for both; by default SQS encrypts them with its own
    - `max_receives`: attempts at an object before it goes to the dead-letter queue
  EOT
  type = object({
    kms_key_arn  = optional(string)
    max_receives = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.queue.max_receives >= 1 && var.queue.max_receives <= 1000 && floor(var.queue.max_receives) == var.queue.max_receives
    error_message = "queue.max_receives is not a whole number from 1 to 1000."
  }
  validation {
    condition     = var.queue.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", var.queue.kms_key_arn))
    error_message = "queue.kms_key_arn is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "schedule" {
  description = <<-EOT
    Starts replays without anybody: EventBridge Scheduler runs the probe, which looks for objects that were not replayed, asks the primary, and begins. Null leaves it out: you begin with `backstop replay --enqueue`.
    - `rate`: how often, as EventBridge Scheduler writes it
    - `max_objects`, `max_bytes`: the most objects, up to 250000, and the most stored bytes, that one probe puts into the queue. They bound what a run can cost
    - `settle_seconds`: how long an object must have been in the archive
  EOT
  type = object({
    rate           = optional(string, "rate(5 minutes)")
    max_objects    = optional(number, 100000)
    max_bytes      = optional(number, 107374182400)
    settle_seconds = optional(number, 60)
  })
  default = null

  validation {
    condition     = var.schedule == null ? true : can(regex("^(rate|cron)[(].+[)]$", var.schedule.rate))
    error_message = "schedule.rate is not an expression of EventBridge Scheduler: write rate(5 minutes) or cron(0/5 * * * ? *)."
  }
  validation {
    condition     = var.schedule == null ? true : var.schedule.max_objects >= 1 && var.schedule.max_objects <= 250000 && var.schedule.max_bytes >= 1 && var.schedule.settle_seconds >= 0 && var.schedule.settle_seconds <= 43200
    error_message = "schedule.max_objects is not from 1 to 250000, schedule.max_bytes is less than 1, or schedule.settle_seconds is not from 0 to 43200."
  }
}

variable "alarms" {
  description = <<-EOT
    CloudWatch alarms; null leaves them out.
    - `actions`: what to notify, such as the ARN of an SNS topic
    - `not_empty_hours`: raise an alarm while the archive holds objects that were not replayed for this number of hours; needs `schedule`
    - `stop_at_dead_letters`: stop the replay once this number of messages is in the dead-letter queue; null never stops it
  EOT
  type = object({
    actions              = optional(list(string), [])
    not_empty_hours      = optional(number, 6)
    stop_at_dead_letters = optional(number)
  })
  default = null

  validation {
    condition     = var.alarms == null ? true : var.alarms.not_empty_hours >= 1 && var.alarms.not_empty_hours <= 24 && floor(var.alarms.not_empty_hours) == var.alarms.not_empty_hours
    error_message = "alarms.not_empty_hours is not a whole number from 1 to 24, which is as far as an alarm looks back."
  }
  validation {
    condition     = try(var.alarms.stop_at_dead_letters, null) == null ? true : var.alarms.stop_at_dead_letters >= 1
    error_message = "alarms.stop_at_dead_letters is less than 1."
  }
}

variable "distributed_map" {
  description = <<-EOT
    A Step Functions state machine that replays the archive's prefix: for more than a million objects, or for an audit trail. Null leaves it out. The bucket must be in the function's region and account.
    - `functions`: the most invocations at the same time
    - `batch_objects`: objects of one invocation
    - `tolerated_failure_percentage`: objects that may fail before the execution does
  EOT
  type = object({
    functions                    = optional(number, 10)
    batch_objects                = optional(number, 100)
    tolerated_failure_percentage = optional(number, 1)
  })
  default = null

  validation {
    condition     = var.distributed_map == null ? true : var.distributed_map.functions >= 1 && var.distributed_map.functions <= 10000 && var.distributed_map.batch_objects >= 1 && var.distributed_map.batch_objects <= 1000
    error_message = "distributed_map.functions is not from 1 to 10000, or distributed_map.batch_objects is not from 1 to 1000."
  }
  validation {
    condition     = var.distributed_map == null ? true : var.distributed_map.tolerated_failure_percentage >= 0 && var.distributed_map.tolerated_failure_percentage <= 100
    error_message = "distributed_map.tolerated_failure_percentage is not from 0 to 100."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the function's logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is not a number that CloudWatch offers: use one such as 7, 14, 30, 90 or 365."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && try(length(value), 0) <= 256 && !startswith(lower(key), "aws:")])
    error_message = "tags has a key that is empty, is longer than 128 characters or begins with aws:, or a value longer than 256."
  }
}
