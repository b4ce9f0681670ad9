# What to merge into a function that is yours: pure values, no resource, and so nothing that could drift.

locals {
  # Every variable of the extension that is not secret; null if it is not set.
  settings = {
    BACKSTOP_PRIMARY_URL                 = local.backend == null ? try(var.primary.url, null) : local.backend_url
    BACKSTOP_PRIMARY_FORMAT              = local.backend == null ? try(var.primary.format, null) : local.backend.format
    BACKSTOP_SIGNALS                     = try(join(",", var.primary.signals), null)
    BACKSTOP_OTLP_URL                    = try(var.primary.otlp_url, null)
    BACKSTOP_PRIMARY_OPTIONS             = length(local.options) == 0 ? null : join(",", local.options)
    BACKSTOP_PRIMARY_TOKEN_SECRET_ARN    = local.is_inline ? null : var.primary_token_secret_arn
    BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER = local.is_inline ? null : var.primary_token_ssm_parameter
    BACKSTOP_PRIMARY_TOKEN_KMS           = local.is_inline ? null : var.primary_token_kms
    BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID    = var.primary_token_kms_key_id
    BACKSTOP_PRIMARY_COMPRESSION         = try(var.primary.compression, null)
    BACKSTOP_PRIMARY_TIMEOUT_MS          = try(tostring(var.primary.timeout_ms), null)
    BACKSTOP_ALLOW_PLAINTEXT             = try(tostring(var.primary.allow_plaintext), null)
    BACKSTOP_FALLBACK                    = try(join(",", var.fallback.order), null)
    BACKSTOP_FIREHOSE_STREAM             = var.fallback.firehose_stream
    BACKSTOP_S3_BUCKET                   = var.fallback.s3_bucket
    BACKSTOP_S3_PREFIX                   = try(trim(var.fallback.s3_prefix, "/"), null)
    BACKSTOP_S3_REGION                   = var.fallback.s3_region
    BACKSTOP_S3_KMS_KEY_ID               = var.fallback.s3_kms_key_id
    BACKSTOP_S3_EXPECTED_BUCKET_OWNER    = var.fallback.s3_expected_bucket_owner
    BACKSTOP_ROUTE                       = var.transforms.route
    BACKSTOP_TELEMETRY_TYPES             = try(join(",", var.transforms.telemetry_types), null)
    BACKSTOP_OTLP_RECEIVER               = try(tostring(var.transforms.otlp_receiver), null)
    BACKSTOP_MIN_LEVEL                   = var.transforms.min_level
    BACKSTOP_FILTER                      = try(join("; ", var.transforms.filter), null)
    BACKSTOP_REDACT                      = try(join(",", var.transforms.redact), null)
    BACKSTOP_REDACT_ARCHIVE              = try(tostring(var.transforms.redact_archive), null)
    BACKSTOP_DEDUPE                      = try(tostring(var.transforms.dedupe), null)
    BACKSTOP_SAMPLE                      = var.transforms.sample
    BACKSTOP_SAMPLE_KEEP                 = try(join(",", var.transforms.sample_keep), null)
    BACKSTOP_INSIGHTS                    = try(tostring(var.transforms.insights), null)
    BACKSTOP_CONFIG                      = var.transforms.config_file
    BACKSTOP_FLUSH_STRATEGY              = var.flush.strategy
    BACKSTOP_FLUSH_INTERVAL_MS           = try(tostring(var.flush.interval_ms), null)
    BACKSTOP_MAX_ADDED_MS                = try(tostring(var.flush.max_added_ms), null)
    BACKSTOP_BUFFER_MAX_BYTES            = try(tostring(var.flush.buffer_max_bytes), null)
    BACKSTOP_SPOOL_MAX_BYTES             = try(tostring(var.flush.spool_max_bytes), null)
    BACKSTOP_TAGS                        = length(local.tags) == 0 ? null : join(",", local.tags)
    BACKSTOP_LOG_LEVEL                   = var.log_level
    BACKSTOP_METRICS                     = var.metrics
  }
  # In a map a null is what is not set, as for every argument.
  tags    = [for key, value in var.transforms.tags : "${key}=${value}" if value != null]
  headers = { for name, value in var.primary_headers : name => value if value != null }
  options = [for key, value in local.format_options : "${key}=${value}"]

  # Only what is said is set: the rest keeps the extension's own default, and takes none of the 4 KB.
  said = { for name, value in local.settings : name => value if value != null }

  # Apart from the rest, so that only their own values are hidden in a plan and not the whole environment.
  has_plain_token = nonsensitive(var.primary_token != null)
  has_token       = local.has_plain_token || length(local.token_references) > 0
  has_headers     = nonsensitive(length(local.all_headers) > 0)
  # Those that hold no reference are in the environment themselves.
  has_plain_headers = nonsensitive(length([for value in values(local.headers) : value if !can(regex(local.reference_form, value))]) > 0)
  secrets = merge(
    { for name in(local.has_plain_token || local.is_inline) && local.token_header == null ? ["BACKSTOP_PRIMARY_TOKEN"] : [] : name => "${local.token_prefix}${local.token_text}" },
    { for name in local.has_headers ? ["BACKSTOP_PRIMARY_HEADERS"] : [] : name => join(",", [for key, value in local.all_headers : "${key}=${value}"]) },
  )

  # Where the function reads the token. A backend that has a header of its own for it, or a user name before it, gets
  # the reference as a part of that value.
  token_references = concat(
    [for arn in var.primary_token_secret_arn[*] : "secret:${arn}"],
    [for name in var.primary_token_ssm_parameter[*] : "ssm:${name}"],
    [for text in var.primary_token_kms[*] : "kms:${text}"],
  )
  token_sources = length(local.token_references) + (local.has_plain_token ? 1 : 0)
  is_inline     = length(local.token_references) > 0 && (local.token_header != null || local.token_prefix != "")
  token_text    = local.is_inline ? "{{${local.token_references[0]}}}" : var.primary_token

  # A variable of Backstop's that the function sets to null is not set: what is wanted here holds. Others are passed
  # on as they are, because a value that is known after apply only could be null too, and would hide all of them.
  own_variables = {
    for name, value in var.environment_variables : name => value
    if startswith(name, "BACKSTOP_") ? try(nonsensitive(value != null), value != null) : true
  }

  environment_variables = var.enabled ? merge(local.said, local.secrets, local.own_variables) : var.environment_variables

  # With Backstop there is one at least, whatever is known by now. A number is not secret; nonsensitive refuses what is not
  # sensitive.
  has_environment = var.enabled ? true : try(nonsensitive(length(local.environment_variables)), length(local.environment_variables)) > 0

  # Lambda measures the JSON text in bytes. jsonencode writes three characters in six bytes that are one
  # in Lambda's text, and base64 is the way to count bytes instead of characters.
  environment_json = replace(replace(replace(jsonencode(local.environment_variables), "\\u003c", "<"), "\\u003e", ">"), "\\u0026", "&")
  environment_b64  = base64encode(local.environment_json)
  environment_size = length(local.environment_b64) / 4 * 3 - length(regex("=*$", local.environment_b64))
  # The number tells nothing of a secret, and a message must be able to show it. nonsensitive refuses what is not.
  environment_bytes = try(nonsensitive(local.environment_size), local.environment_size)
}

locals {
  takes_layers = var.package_type == "Zip"

  # How messages name the function.
  function = var.name == null ? "the function" : "the function ${var.name}"

  # What the preconditions refuse must not stop them from saying so.
  layer_form = "^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[1-9][0-9]*$"
  odd_layers = [for arn in var.layers : arn == null ? "null" : arn if !can(regex(local.layer_form, arn))]
  odd_names  = [for name in local.own_names : name if !can(regex("^[A-Za-z][A-Za-z0-9_]+$", name))]
  # Keys of tags, quoted as they are in messages. Values of null are not set.
  odd_tags = {
    form   = [for key, value in var.transforms.tags : jsonencode(key) if !can(regex("^[^,=\\s]([^,=]*[^,=\\s])?$", key)) || can(regex(",", value))]
    taken  = [for key in keys(var.transforms.tags) : key if contains(["cloud.account.id", "cloud.provider", "cloud.region", "faas.instance", "faas.name", "faas.version"], lower(key))]
    quoted = [for key, value in var.transforms.tags : jsonencode(key) if can(regex("[[:cntrl:];|&，；]|^[\"'`“”‘’]|[\"'`“”‘’]$", key)) || can(regex("[[:cntrl:]]|^[\"'`“”‘’]|[\"'`“”‘’]$", value))]
    # As the extension looks for pairs that another separator than a comma divides.
    joined = [for key, value in var.transforms.tags : jsonencode(key) if can(regex("[\\s;|&，；]\\s*[\\pL\\pN_./:@-]+\\s*=|[;；]$", value))]
  }
  is_arn     = can(regex(local.layer_form, var.layer_arn))
  gets_layer = var.enabled && local.takes_layers && var.layer_arn != null

  # Another version of this layer, or any release of Backstop's: its name carries the release.
  layer_without_version = try(regex("^(.*):[0-9]+$", var.layer_arn)[0], "")
  is_backstop = [
    for arn in var.layers : can(regex(":layer:backstop-extension-", arn)) || try(regex("^(.*):[0-9]+$", arn)[0], "none") == local.layer_without_version
  ]
  first_backstop = try(index(local.is_backstop, true), length(var.layers))

  # The order of layers is the order in which they are laid over each other in /opt: it is kept.
  layers = local.gets_layer ? concat(
    slice(var.layers, 0, local.first_backstop),
    [var.layer_arn],
    [for position, arn in var.layers : arn if position > local.first_backstop && !local.is_backstop[position]],
  ) : var.layers

  layer_region       = try(split(":", var.layer_arn)[3], var.region)
  layer_architecture = try(regex(":layer:backstop-extension-(x86_64|arm64)-", var.layer_arn)[0], var.architecture)

  names_s3       = contains(coalesce(var.fallback.order, []), "s3")
  names_firehose = contains(coalesce(var.fallback.order, []), "firehose")
  # Settings of the archive that mean nothing without a bucket.
  has_s3_settings = anytrue([
    var.fallback.s3_prefix != null, var.fallback.s3_region != null, var.fallback.s3_kms_key_id != null, var.fallback.s3_expected_bucket_owner != null, local.names_s3,
  ])
  has_sink = anytrue([var.primary != null, var.fallback.firehose_stream != null, var.fallback.s3_bucket != null])
}
