# What the function's role needs, and no more: to write to the fallbacks, to read the primary's token, and settings in a parameter. It is what crates/archive/permissions.json says,
# which tests/permissions.tftest.hcl compares.

locals {
  # As crates/config/src/arn.rs has them: the module has no provider to ask.
  partitions = {
    "cn-"      = "aws-cn"
    "us-gov-"  = "aws-us-gov"
    "us-iso-"  = "aws-iso"
    "us-isob-" = "aws-iso-b"
    "eu-isoe-" = "aws-iso-e"
    "us-isof-" = "aws-iso-f"
    "eusc-"    = "aws-eusc"
  }
  partition = coalesce(one([for prefix, partition in local.partitions : partition if startswith(var.region, prefix)]), "aws")

  # Rights follow the variables: where the function sets one of these itself, that is where it writes. They name
  # resources and are not secret, whatever else the environment holds.
  own_fallback = {
    for name in ["BACKSTOP_CONFIG", "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", "BACKSTOP_PRIMARY_TOKEN_KMS", "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID", "BACKSTOP_FALLBACK", "BACKSTOP_FIREHOSE_STREAM", "BACKSTOP_S3_BUCKET", "BACKSTOP_S3_PREFIX", "BACKSTOP_S3_REGION", "BACKSTOP_S3_KMS_KEY_ID"] :
    name => try(nonsensitive(local.own_variables[name]), local.own_variables[name]) if contains(local.own_names, name)
  }
  in_force = merge(
    {
      BACKSTOP_CONFIG                      = var.transforms.config_file
      BACKSTOP_PRIMARY_TOKEN_SECRET_ARN    = var.primary_token_secret_arn
      BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER = var.primary_token_ssm_parameter
      BACKSTOP_PRIMARY_TOKEN_KMS           = var.primary_token_kms
      BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID    = var.primary_token_kms_key_id

      BACKSTOP_FALLBACK        = try(join(",", var.fallback.order), null)
      BACKSTOP_FIREHOSE_STREAM = var.fallback.firehose_stream
      BACKSTOP_S3_BUCKET       = var.fallback.s3_bucket
      BACKSTOP_S3_PREFIX       = var.fallback.s3_prefix
      BACKSTOP_S3_REGION       = var.fallback.s3_region
      BACKSTOP_S3_KMS_KEY_ID   = var.fallback.s3_kms_key_id
    },
    # To the extension an empty variable is one that is not set.
    { for name, value in local.own_fallback : name => value == "" ? null : value },
  )
  stream = local.in_force.BACKSTOP_FIREHOSE_STREAM
  bucket = local.in_force.BACKSTOP_S3_BUCKET
  key_id = local.in_force.BACKSTOP_S3_KMS_KEY_ID

  # A fallback that is not in the order is not used, and gets nothing.
  used       = [for name in split(",", coalesce(local.in_force.BACKSTOP_FALLBACK, "firehose,s3")) : trimspace(name)]
  has_stream = var.enabled && local.stream != null && contains(local.used, "firehose")
  has_bucket = var.enabled && local.bucket != null && contains(local.used, "s3")

  # Of a stream that is given by name the account is not known here. A role cannot reach another account's
  # stream by this, as streams have no policies that would let it in.
  stream_arn = try(startswith(local.stream, "arn:"), false) ? local.stream : "arn:${local.partition}:firehose:${var.region}:*:deliverystream/${coalesce(local.stream, "unset")}"
  bucket_arn = try(startswith(local.bucket, "arn:"), false) ? local.bucket : "arn:${local.partition}:s3:::${coalesce(local.bucket, "unset")}"
  prefix     = trim(coalesce(local.in_force.BACKSTOP_S3_PREFIX, "backstop"), "/")

  # A policy cannot grant an alias: a user who names one gives its key in kms_key_arns.
  key_is_alias = can(regex("(^|:)alias/", local.key_id))
  named_key_arns = [
    for key in compact([local.key_id]) : startswith(key, "arn:") ? key : "arn:${local.partition}:kms:${coalesce(local.in_force.BACKSTOP_S3_REGION, var.region)}:*:key/${key}" if !local.key_is_alias
  ]
  key_arns = distinct(concat(local.named_key_arns, var.fallback.kms_key_arns))

  statements = concat(
    [for arn in local.has_stream ? [local.stream_arn] : [] : {
      Sid      = "BackstopFirehose"
      Effect   = "Allow"
      Action   = ["firehose:PutRecordBatch"]
      Resource = [arn]
    }],
    [for arn in local.has_bucket ? [local.bucket_arn] : [] : {
      Sid      = "BackstopArchive"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${arn}/${local.prefix}/v1/*"]
    }],
  )
  # Apart from the others, whose objects have no condition.
  key_statements = [for arns in local.has_bucket && length(local.key_arns) > 0 ? [local.key_arns] : [] : {
    Sid       = "BackstopArchiveKey"
    Effect    = "Allow"
    Action    = ["kms:GenerateDataKey"]
    Resource  = arns
    Condition = { StringLike = { "kms:ViaService" = "s3.*" } }
  }]

  # What the primary's token and headers refer to, in the form of a reference in a header; none without a primary.
  reference_form = "\\{\\{(secret:[^}]+|ssm:[^}]+|kms:[^}]+)\\}\\}"
  own_texts = [
    for name in ["BACKSTOP_PRIMARY_TOKEN", "BACKSTOP_PRIMARY_HEADERS"] :
    contains(local.own_names, name) ? local.own_variables[name] : contains(keys(local.secrets), name) ? local.secrets[name] : ""
  ]
  found_references = flatten([for text in local.own_texts : regexall(local.reference_form, text)])
  has_primary      = var.enabled && (var.primary != null || contains(local.own_names, "BACKSTOP_PRIMARY_URL"))
  references = distinct(concat(
    [for arn in compact([local.in_force.BACKSTOP_PRIMARY_TOKEN_SECRET_ARN]) : "secret:${arn}"],
    [for name in compact([local.in_force.BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER]) : "ssm:${name}"],
    [for text in compact([local.in_force.BACKSTOP_PRIMARY_TOKEN_KMS]) : "kms:${text}"],
    # A reference is not secret, whatever else the texts hold; nonsensitive refuses what is not sensitive.
    try(nonsensitive(local.found_references), local.found_references),
  ))
  # A secret's ARN ends in six characters, which a request may leave out and a policy may not.
  secret_arns = distinct([for text in local.references : split("#", trimprefix(text, "secret:"))[0] if startswith(text, "secret:")])
  parameters  = distinct([for text in local.references : trimprefix(text, "ssm:") if startswith(text, "ssm:")])
  token_key   = local.in_force.BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID
  token_keys  = [for key in compact([local.token_key]) : key if !can(regex("(^|:)alias/", key))]
  token_grants = concat(
    flatten([for arn in local.secret_arns : concat(
      [{ sid = "BackstopSecret", action = "secretsmanager:GetSecretValue", resource = can(regex("-[A-Za-z0-9]{6}$", arn)) ? arn : "${arn}-??????", via = "" }],
      [for key in local.token_keys : { sid = "BackstopSecretKey", action = "kms:Decrypt", resource = startswith(key, "arn:") ? key : "arn:${local.partition}:kms:${split(":", arn)[3]}:*:key/${key}", via = "secretsmanager.*" }],
    )]),
    flatten([for name in local.parameters : concat(
      [{ sid = "BackstopParameter", action = "ssm:GetParameter", resource = startswith(name, "arn:") ? name : "arn:${local.partition}:ssm:${var.region}:*:parameter/${trimprefix(name, "/")}", via = "" }],
      [for key in local.token_keys : { sid = "BackstopParameterKey", action = "kms:Decrypt", resource = startswith(key, "arn:") ? key : "arn:${local.partition}:kms:${startswith(name, "arn:") ? split(":", name)[3] : var.region}:*:key/${key}", via = "ssm.*" }],
    )]),
    [for key in anytrue([for text in local.references : startswith(text, "kms:")]) ? local.token_keys : [] :
      { sid = "BackstopToken", action = "kms:Decrypt", resource = startswith(key, "arn:") ? key : "arn:${local.partition}:kms:${var.region}:*:key/${key}", via = "" }
    ],
  )
  # Settings that are in a parameter, and not in a file of the package.
  config_parameters = [for text in compact([local.in_force.BACKSTOP_CONFIG]) : trimspace(trimprefix(text, "ssm:")) if startswith(text, "ssm:")]
  config_grants = [for name in var.enabled ? local.config_parameters : [] :
    { sid = "BackstopParameter", action = "ssm:GetParameter", resource = startswith(name, "arn:") ? name : "arn:${local.partition}:ssm:${var.region}:*:parameter/${trimprefix(name, "/")}", via = "" }
  ]
  # A Sid is one statement's; two secrets with one key need that key once.
  token_statements = [for position, grant in distinct(concat(local.has_primary ? local.token_grants : [], local.config_grants)) : merge(
    {
      Sid      = "${grant.sid}${position == 0 ? "" : position}"
      Effect   = "Allow"
      Action   = [grant.action]
      Resource = [grant.resource]
    },
    { for via in compact([grant.via]) : "Condition" => { StringLike = { "kms:ViaService" = via } } },
  )]

  has_policy = local.has_stream || local.has_bucket || length(local.token_statements) > 0
  policy_json = !local.has_policy ? null : jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, local.key_statements, local.token_statements)
  })
}
