# Where records go, with what they are sent.

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
