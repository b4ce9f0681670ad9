# What works and may not be meant. It stops nothing; whoever wants can show it by a `check` block.

locals {
  title = var.name == null ? "The function" : "The function ${var.name}"

  known_names = concat(keys(local.settings), ["BACKSTOP_PRIMARY_HEADERS", "BACKSTOP_PRIMARY_TOKEN"])
  set_names   = concat(keys(local.said), keys(local.secrets))
  # Names are no secrets, whatever their values are; nonsensitive refuses what is not sensitive.
  own_names = try(nonsensitive(keys(local.own_variables)), keys(local.own_variables))

  possible_warnings = concat(
    [for name in local.own_names : "${local.title} sets ${name} itself, and keeps its own value." if contains(local.set_names, name)],
    [for name in local.own_names : "${local.title} sets ${name}, which this version of Backstop does not know: it reports that in each environment, and goes on." if startswith(name, "BACKSTOP_") && !contains(local.known_names, name)],
    [for position, arn in local.takes_layers ? var.layers : [] : "The layer ${arn} is replaced." if local.is_backstop[position] && arn != var.layer_arn],
    [for text in ["There is no fallback: what the primary does not take in time waits in memory and in /tmp, and ends with the environment."] : text if local.stream == null && local.bucket == null],
    [for text in ["The primary's token or headers stand in the function's environment and in Terraform's state: whoever may read either has them."] : text if local.has_token || local.has_headers],
    [for text in ["fallback.order leaves out firehose, so that the stream is not used."] : text if var.fallback.firehose_stream != null && var.fallback.order != null && !local.names_firehose],
    [for text in ["fallback.order leaves out s3, so that the bucket is not used."] : text if var.fallback.s3_bucket != null && var.fallback.order != null && !local.names_s3],
  )
  warnings = var.enabled ? local.possible_warnings : []
}
