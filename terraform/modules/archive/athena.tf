# Tables over the archive, one for each of its two layouts. Both hold the same lines.

locals {
  has_tables = var.athena != null

  # `record` is JSON as it was received, text or object: read as text, json_extract takes it apart.
  columns = [
    { name = "id", type = "string", comment = "The record's id, the same at the primary: a record may be here twice." },
    { name = "time", type = "string", comment = "When the platform made it, in RFC 3339." },
    { name = "type", type = "string", comment = "function, extension, platform.report and so on." },
    { name = "record", type = "string", comment = "The record as it was received." },
    { name = "request_id", type = "string", comment = "The invocation that a line of text belongs to, where that is known." },
    { name = "resource", type = "map<string,string>", comment = "faas.name, cloud.region and so on, and the tags." },
    { name = "diverted", type = "struct<reason:string,sink:string,status:int>", comment = "Why it is here and not at the primary." },
    { name = "route", type = "string", comment = "mirrored or archived, where the route put it here beside the primary." },
    { name = "original", type = "string", comment = "The record before it was redacted, where BACKSTOP_REDACT_ARCHIVE is false." },
  ]

  time_projection = {
    "projection.enabled"          = "true"
    "projection.dt.type"          = "date"
    "projection.dt.format"        = "yyyy-MM-dd"
    "projection.dt.range"         = "${try(var.athena.first_day, "")},NOW+1DAY"
    "projection.dt.interval"      = "1"
    "projection.dt.interval.unit" = "DAYS"
    "projection.hour.type"        = "integer"
    "projection.hour.range"       = "0,23"
    "projection.hour.digits"      = "2"
    "classification"              = "json"
    "compressionType"             = "gzip"
  }

  archive_location = "s3://${local.bucket_name}/${var.prefix}/v1"
  tables           = { for name, table in local.possible_tables : name => table if local.has_tables && (name == "direct" || local.has_stream) }
  possible_tables = {
    streamed = {
      description = "What delivery streams have written."
      partitions  = ["stream", "dt", "hour"]
      parameters = {
        "projection.stream.type"    = "enum"
        "projection.stream.values"  = local.stream_name
        "storage.location.template" = "${local.archive_location}/stream=$${stream}/dt=$${dt}/hour=$${hour}/"
      }
    }
    direct = {
      description = "What functions have written themselves. A query names the function: where function = '…'."
      partitions  = ["account", "region", "function", "dt", "hour"]
      parameters = {
        "projection.account.type"   = "enum"
        "projection.account.values" = join(",", try(length(var.athena.accounts) > 0, false) ? var.athena.accounts : [local.account_id])
        "projection.region.type"    = "enum"
        "projection.region.values"  = join(",", try(length(var.athena.regions) > 0, false) ? var.athena.regions : [local.region])
        "projection.function.type"  = "injected"
        "storage.location.template" = "${local.archive_location}/account=$${account}/region=$${region}/function=$${function}/dt=$${dt}/hour=$${hour}/"
      }
    }
  }
}

resource "aws_glue_catalog_database" "this" {
  count = local.has_tables ? 1 : 0

  # Athena wants lowercase letters, digits and underscores.
  name        = lower(replace(var.name, "-", "_"))
  description = "Backstop's archive in ${local.bucket_name}."
  tags        = var.tags
}

resource "aws_glue_catalog_table" "this" {
  for_each = local.tables

  name          = each.key
  description   = each.value.description
  database_name = aws_glue_catalog_database.this[0].name
  table_type    = "EXTERNAL_TABLE"
  parameters    = merge(local.time_projection, each.value.parameters, { EXTERNAL = "TRUE" })

  dynamic "partition_keys" {
    for_each = each.value.partitions
    content {
      name = partition_keys.value
      type = partition_keys.value == "hour" ? "int" : "string"
    }
  }

  storage_descriptor {
    location      = "${local.archive_location}/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
      parameters = {
        "ignore.malformed.json" = "true"
        # Records are others' JSON. In lowercase two of their keys may be one, which makes the whole row NULL; the
        # columns' own keys are in lowercase already.
        "case.insensitive" = "false"
      }
    }

    dynamic "columns" {
      for_each = local.columns
      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}
