variable "enabled" {
  description = "Whether to attach Backstop. With `false` the outputs are the function's own layers and environment, unchanged."
  type        = bool
  default     = true
  nullable    = false
}

# What may differ between functions is checked where messages can name the function: by preconditions in
# outputs.tf. A validation sees its own variable only, before Terraform 1.9.

variable "name" {
  description = "The name of the function, for messages: Terraform does not say which instance of a module with `for_each` failed a check."
  type        = string
  default     = null

  validation {
    condition     = var.name == null ? true : length(trimspace(var.name)) > 0
    error_message = "name is empty: give the name of the function, or leave it out."
  }
}

variable "region" {
  description = "The region of the function."
  type        = string
  nullable    = false
}

variable "architecture" {
  description = "The architecture of the function, `x86_64` or `arm64`."
  type        = string
  default     = "x86_64"
  nullable    = false
}

variable "package_type" {
  description = "`Zip`, or `Image` for a function from a container image. Such a function takes no layers; put the extension into the image."
  type        = string
  default     = "Zip"
  nullable    = false
}

variable "layer_arn" {
  description = "The ARN of the layer version to attach, as the modules `layer` and `layer-lookup` return it. Needed unless `package_type` is `Image`."
  type        = string
  default     = null
}

variable "layers" {
  description = "The layers that the function has without Backstop, in their order. A Backstop layer among them is replaced in its place."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "environment_variables" {
  description = "The environment variables that the function has without Backstop. The module changes none of them: a key that both set keeps this value. A value of null means not set."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "primary" {
  description = <<-EOT
    Where records go first: a `backend` by its name, or a `url`. Without it every record goes to the fallbacks.
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
  default = null

  validation {
    condition     = var.primary == null ? true : (var.primary.url == null) != (var.primary.backend == null)
    error_message = "primary has neither url nor backend, or both: set one of them, or leave primary out."
  }
  validation {
    condition     = var.primary == null ? true : var.primary.backend == null || var.primary.format == null
    error_message = "primary.format is set, and the backend sets it too: remove one of the two."
  }
  validation {
    condition = try(var.primary.url, null) == null ? true : anytrue([
      can(regex("^(?i:https?)://", var.primary.url)),
      var.primary.format == "datadog" && can(regex("^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$", var.primary.url)),
      var.primary.format == "newrelic" && can(regex("^(?i:us|eu|gov)$", var.primary.url)),
    ])
    error_message = "primary.url does not begin with https://. Only the format datadog also accepts a site such as datadoghq.eu, and newrelic a region (us, eu or gov)."
  }
  validation {
    # The rules of the extension: a host, perhaps a port, no user name, no fragment, RFC 3986's characters.
    condition = try(var.primary.url, null) == null ? true : (
      !can(regex("://", var.primary.url)) || can(regex("^([A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*|\\[[0-9A-Fa-f:.]+\\])(:[1-9][0-9]{0,4})?([/?][!$%&'()*+,./:;=?@\\[\\]_~A-Za-z0-9-]*)?$", replace(var.primary.url, "/^(?i:https?):[/][/]/", "")))
    )
    error_message = "primary.url is not an address of the form https://host/path: it may have a port and a query, no user name, password, fragment, space, and none of \"<>\\^`{|}. For credentials use primary_token or primary_headers."
  }
  validation {
    condition = var.primary == null ? true : anytrue([
      !can(regex("^(?i:http)://", var.primary.url)),
      can(regex("^(?i:http)://((?i:localhost)|127(\\.[0-9]{1,3}){3}|\\[::1\\])([:/?]|$)", var.primary.url)),
      var.primary.allow_plaintext == true,
    ])
    error_message = "primary.url is plain http and its host is not loopback: use https, or set primary.allow_plaintext to true."
  }
  validation {
    condition     = var.primary == null ? true : contains(["ndjson", "json", "otlp", "elastic", "loki", "splunk", "datadog", "newrelic"], var.primary.format == null ? "ndjson" : var.primary.format)
    error_message = "primary.format is unknown to this version: use ndjson, json, otlp, elastic, loki, splunk, datadog or newrelic."
  }
  validation {
    condition = alltrue([
      for name in try(coalesce(var.primary.signals, ["logs"]), ["logs"]) : contains(["logs", "metrics", "traces"], name)
    ]) && length(try(coalesce(var.primary.signals, ["logs"]), ["logs"])) == length(distinct(try(coalesce(var.primary.signals, ["logs"]), ["logs"])))
    error_message = "primary.signals has an entry other than logs, metrics and traces, or one of them twice: name each once."
  }
  validation {
    condition = try(var.primary.otlp_url, null) != null || !contains(["elastic", "loki", "splunk", "datadog"], try(coalesce(var.primary.format, "ndjson"), "ndjson")) || length(setintersection(
      try(coalesce(var.primary.signals, ["logs"]), ["logs"]), ["metrics", "traces"]
    )) == 0
    error_message = "primary.signals names metrics or traces, which the format does not take: set primary.otlp_url to where they go, or take them out."
  }
  validation {
    condition = try(var.primary.otlp_url, null) == null ? true : alltrue([
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
    condition     = alltrue([for value in values(try(coalesce(var.primary.options, {}), {})) : value == null ? true : can(regex("^[^, \"'`]([^,]*[^, \"'`])?$", value))])
    error_message = "primary.options has a value that is empty, contains a comma, or begins or ends with a space or a quote: correct it."
  }
  validation {
    condition     = var.primary == null ? true : contains(["gzip", "none"], var.primary.compression == null ? "gzip" : var.primary.compression)
    error_message = "primary.compression is neither gzip nor none: use one of them."
  }
  validation {
    condition = var.primary == null ? true : (
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

variable "fallback" {
  description = <<-EOT
    Where records go when the primary does not take them. The module `archive` returns this object, ready for use.
    - `firehose_stream`: a delivery stream, by name or ARN (`BACKSTOP_FIREHOSE_STREAM`)
    - `s3_bucket`: the bucket of the archive, by name or ARN (`BACKSTOP_S3_BUCKET`)
    - `s3_prefix`: the prefix of the keys (`BACKSTOP_S3_PREFIX`)
    - `s3_region`: the region of the bucket, if it is not the function's (`BACKSTOP_S3_REGION`)
    - `s3_kms_key_id`: the key to encrypt objects with, if it is not the bucket's default (`BACKSTOP_S3_KMS_KEY_ID`)
    - `s3_expected_bucket_owner`: the account that owns the bucket (`BACKSTOP_S3_EXPECTED_BUCKET_OWNER`)
    - `order`: the fallbacks to try, in this order: `firehose`, `s3` (`BACKSTOP_FALLBACK`)
    - `kms_key_arns`: the keys that the bucket encrypts with by default, for the policy
  EOT
  type = object({
    firehose_stream          = optional(string)
    s3_bucket                = optional(string)
    s3_prefix                = optional(string)
    s3_region                = optional(string)
    s3_kms_key_id            = optional(string)
    s3_expected_bucket_owner = optional(string)
    order                    = optional(list(string))
    kms_key_arns             = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:firehose:[a-z0-9-]+:[0-9]{12}:deliverystream/)?[A-Za-z0-9._-]{1,64}$", var.fallback.firehose_stream == null ? "unset" : var.fallback.firehose_stream))
    error_message = "fallback.firehose_stream is not a delivery stream: write its name or arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME."
  }
  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:s3:::)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.fallback.s3_bucket == null ? "unset" : var.fallback.s3_bucket))
    error_message = "fallback.s3_bucket is not a bucket: write its name, 3 to 63 lowercase letters, digits, dots and hyphens, or arn:aws:s3:::NAME."
  }
  validation {
    condition     = !can(regex("[.][.]|^(arn:aws[a-z-]*:s3:::)?([0-9]+[.]){3}[0-9]+$", var.fallback.s3_bucket == null ? "unset" : var.fallback.s3_bucket))
    error_message = "fallback.s3_bucket has two dots in a row or is an IP address, which S3 refuses."
  }
  validation {
    # `*` is taken by the extension; in a policy it is a pattern.
    condition = var.fallback.s3_prefix == null ? true : (
      can(regex("^/*[A-Za-z0-9!_.'()=-]+(/[A-Za-z0-9!_.'()=-]+)*/*$", var.fallback.s3_prefix)) && length(var.fallback.s3_prefix) <= 512 && !can(regex("(^|/)[.]{1,2}(/|$)", var.fallback.s3_prefix))
    )
    error_message = "fallback.s3_prefix is invalid: use at most 512 letters, digits and !-_.'()=, with single slashes between parts, and no part that is . or .. ."
  }
  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.fallback.s3_region == null ? "us-east-1" : var.fallback.s3_region))
    error_message = "fallback.s3_region is not a region: write one such as us-east-1."
  }
  validation {
    condition     = can(regex("^((arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/)?([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32})|(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?alias/[A-Za-z0-9/_-]{1,250})$", var.fallback.s3_kms_key_id == null ? "alias/unset" : var.fallback.s3_kms_key_id))
    error_message = "fallback.s3_kms_key_id is not a KMS key: write its id, its alias (alias/NAME), or the ARN of either."
  }
  validation {
    condition     = can(regex("^[0-9]{12}$", var.fallback.s3_expected_bucket_owner == null ? "000000000000" : var.fallback.s3_expected_bucket_owner))
    error_message = "fallback.s3_expected_bucket_owner is not the id of an account: write its 12 digits."
  }
  validation {
    condition = alltrue([
      for name in coalesce(var.fallback.order, ["firehose"]) : contains(["firehose", "s3"], name)
    ]) && length(coalesce(var.fallback.order, ["firehose"])) == length(distinct(coalesce(var.fallback.order, ["firehose"])))
    error_message = "fallback.order has an entry other than firehose and s3, or one of them twice: name each once."
  }
  validation {
    condition     = alltrue([for arn in var.fallback.kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-fA-F-]+$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/mrk-[0-9a-fA-F]{32}$", arn))])
    error_message = "fallback.kms_key_arns has an entry that is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "flush" {
  description = <<-EOT
    When to send records, and what waiting may cost.
    - `strategy`: `auto`, `end`, `periodic` or `continuous` (`BACKSTOP_FLUSH_STRATEGY`)
    - `interval_ms`: the longest time that a record waits for a flush by timer, 100 to 600000 (`BACKSTOP_FLUSH_INTERVAL_MS`)
    - `max_added_ms`: the most time that sending may add to an invocation, 0 to 10000 (`BACKSTOP_MAX_ADDED_MS`)
    - `buffer_max_bytes`: the most memory that waiting records may use, 1048576 to 268435456 (`BACKSTOP_BUFFER_MAX_BYTES`)
    - `spool_max_bytes`: the most space that the spool in /tmp may use, 0 to 1073741824; 0 turns it off (`BACKSTOP_SPOOL_MAX_BYTES`)
  EOT
  type = object({
    strategy         = optional(string)
    interval_ms      = optional(number)
    max_added_ms     = optional(number)
    buffer_max_bytes = optional(number)
    spool_max_bytes  = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["auto", "end", "periodic", "continuous"], var.flush.strategy == null ? "auto" : var.flush.strategy)
    error_message = "flush.strategy is invalid: use auto, end, periodic or continuous."
  }
  validation {
    condition     = try(var.flush.interval_ms >= 100 && var.flush.interval_ms <= 600000 && floor(var.flush.interval_ms) == var.flush.interval_ms, var.flush.interval_ms == null)
    error_message = "flush.interval_ms is not a whole number from 100 to 600000."
  }
  validation {
    condition     = try(var.flush.max_added_ms >= 0 && var.flush.max_added_ms <= 10000 && floor(var.flush.max_added_ms) == var.flush.max_added_ms, var.flush.max_added_ms == null)
    error_message = "flush.max_added_ms is not a whole number from 0 to 10000."
  }
  validation {
    condition     = try(var.flush.buffer_max_bytes >= 1048576 && var.flush.buffer_max_bytes <= 268435456 && floor(var.flush.buffer_max_bytes) == var.flush.buffer_max_bytes, var.flush.buffer_max_bytes == null)
    error_message = "flush.buffer_max_bytes is not a whole number from 1048576 to 268435456."
  }
  validation {
    condition     = try(var.flush.spool_max_bytes >= 0 && var.flush.spool_max_bytes <= 1073741824 && floor(var.flush.spool_max_bytes) == var.flush.spool_max_bytes, var.flush.spool_max_bytes == null)
    error_message = "flush.spool_max_bytes is not a whole number from 0 to 1073741824."
  }
}

variable "transforms" {
  description = <<-EOT
    Changes to records before they are sent, and where they go.
    - `route`: where records go: `failover`, `mirror`, `sample` (`BACKSTOP_ROUTE`)
    - `telemetry_types`: the types to deliver: `platform`, `function`, `extension` (`BACKSTOP_TELEMETRY_TYPES`)
    - `otlp_receiver`: whether Backstop receives the function's own telemetry by OTLP (`BACKSTOP_OTLP_RECEIVER`)
    - `min_level`: the least severe level of output to deliver: `debug`, `info`, `warn`, `error` (`BACKSTOP_MIN_LEVEL`)
    - `filter`: rules that drop or keep records, in order (`BACKSTOP_FILTER`)
    - `redact`: what to redact: named patterns, fields and own patterns (`BACKSTOP_REDACT`)
    - `redact_archive`: whether the archive holds no original of what was redacted (`BACKSTOP_REDACT_ARCHIVE`)
    - `dedupe`: whether repeats of a line become one (`BACKSTOP_DEDUPE`)
    - `sample`: the share of invocations to keep, such as `10%` (`BACKSTOP_SAMPLE`)
    - `sample_keep`: invocations to keep beside the share, or `none` (`BACKSTOP_SAMPLE_KEEP`)
    - `insights`: whether to add records of the patterns of the function's lines (`BACKSTOP_INSIGHTS`)
    - `config_file`: a file with settings in the function's package, or `ssm:NAME` for a parameter of Systems Manager (`BACKSTOP_CONFIG`)
    - `tags`: resource attributes added to every record (`BACKSTOP_TAGS`)
  EOT
  type = object({
    route           = optional(string)
    telemetry_types = optional(list(string))
    otlp_receiver   = optional(bool)
    min_level       = optional(string)
    filter          = optional(list(string))
    redact          = optional(list(string))
    redact_archive  = optional(bool)
    dedupe          = optional(bool)
    sample          = optional(string)
    sample_keep     = optional(list(string))
    insights        = optional(bool)
    config_file     = optional(string)
    tags            = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name in coalesce(var.transforms.telemetry_types, ["function"]) : contains(["platform", "function", "extension"], name)
    ]) && length(coalesce(var.transforms.telemetry_types, ["function"])) == length(distinct(coalesce(var.transforms.telemetry_types, ["function"])))
    error_message = "transforms.telemetry_types has an entry other than platform, function and extension, or one of them twice: name each once."
  }
  validation {
    condition     = contains(["failover", "mirror", "sample"], coalesce(var.transforms.route, "failover"))
    error_message = "transforms.route is invalid: use failover, mirror or sample."
  }
  validation {
    condition     = contains(["debug", "info", "warn", "error"], coalesce(var.transforms.min_level, "debug"))
    error_message = "transforms.min_level is invalid: use debug, info, warn or error."
  }
  validation {
    condition     = alltrue([for rule in coalesce(var.transforms.filter, ["drop "]) : can(regex("^(drop|keep) ", rule))])
    error_message = "transforms.filter has a rule that does not begin with \"drop \" or \"keep \"."
  }
  validation {
    condition     = alltrue([for entry in coalesce(var.transforms.redact, ["all"]) : trimspace(entry) != ""])
    error_message = "transforms.redact has an empty entry."
  }
  validation {
    condition     = can(regex("^[0-9]{1,3}([.][0-9]{1,4})? ?%$", coalesce(var.transforms.sample, "100%")))
    error_message = "transforms.sample is not a share: use \"0%\" to \"100%\", with at most 4 decimals."
  }
  validation {
    condition     = alltrue([for entry in coalesce(var.transforms.sample_keep, ["none"]) : can(regex("^(none|error|timeout|cold|slow ?> ?[0-9.]+m?s)$", entry))])
    error_message = "transforms.sample_keep has an entry other than none, error, timeout, cold and slow>TIME, such as slow>1s."
  }
}

variable "log_level" {
  description = "The least severe level of Backstop's own log lines to write: `error`, `warn`, `info` or `debug` (`BACKSTOP_LOG_LEVEL`)."
  type        = string
  default     = null

  validation {
    condition     = contains(["error", "warn", "info", "debug"], var.log_level == null ? "warn" : var.log_level)
    error_message = "log_level is invalid: use error, warn, info or debug."
  }
}

variable "metrics" {
  description = "Where Backstop's own counts go as metrics: `off`, `emf` (CloudWatch, by lines in the function's log group), `otlp` (where the primary gets metrics) or `both` (`BACKSTOP_METRICS`). The module `monitoring` needs `emf` or `both`."
  type        = string
  default     = null

  validation {
    condition     = contains(["off", "emf", "otlp", "both"], var.metrics == null ? "off" : var.metrics)
    error_message = "metrics is invalid: use off, emf, otlp or both."
  }
}
