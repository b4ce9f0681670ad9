# Settings that work but may not be what the user means. They stop nothing; a `check` block can show them.

locals {
  title = var.name == null ? "The function" : "The function ${var.name}"

  known_names = concat(keys(local.settings), ["BACKSTOP_PRIMARY_HEADERS", "BACKSTOP_PRIMARY_TOKEN"])
  set_names   = concat(keys(local.said), keys(local.secrets))
  # Names are not secret, whatever their values are; nonsensitive refuses what is not sensitive.
  own_names = try(nonsensitive(keys(local.own_variables)), keys(local.own_variables))

  possible_warnings = concat(
    [for name in local.own_names : "${local.title} sets ${name} itself, and keeps its own value." if contains(local.set_names, name)],
    [for name in local.own_names : "${local.title} sets ${name}, which this version of Backstop does not know: the extension reports that in each environment, and continues." if startswith(name, "BACKSTOP_") && !contains(local.known_names, name)],
    [for position, arn in local.takes_layers ? var.layers : [] : "The layer ${arn} is replaced." if local.is_backstop[position] && arn != var.layer_arn],
    [for text in ["There is no fallback: records that the primary does not take in time wait in memory and in /tmp, and are lost with the environment."] : text if local.stream == null && local.bucket == null],
    [for text in ["The function's environment and Terraform's state hold the primary's token or headers: anyone who can read either can read them."] : text if local.has_plain_token || local.has_plain_headers],
    [for text in ["fallback.order leaves out firehose, so the stream is not used."] : text if var.fallback.firehose_stream != null && var.fallback.order != null && !local.names_firehose],
    [for text in ["fallback.order leaves out s3, so the bucket is not used."] : text if var.fallback.s3_bucket != null && var.fallback.order != null && !local.names_s3],
  )
  warnings = var.enabled ? local.possible_warnings : []
}
