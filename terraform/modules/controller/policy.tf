# What the function may do. The mode takes away: in `report` the role cannot write a function.

locals {
  writes     = var.mode != "report"
  state_arn  = "arn:${local.partition}:s3:::${var.state.bucket}"
  functions  = "arn:${local.partition}:lambda:*:${local.account_id}:function:*"
  read_keys  = distinct(concat(var.kms_key_arns, var.environment_kms_key_arns))
  parameters = compact([local.wanted_parameter, var.switch_parameter])

  statements = concat(
    [
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group}:*"]
      },
      {
        Sid    = "ReadFunctions"
        Effect = "Allow"
        # Without ListTags, GetFunction answers without tags: nobody knows then whose the function is.
        Action   = ["lambda:GetFunction", "lambda:ListTags", "lambda:ListAliases", "lambda:GetFunctionCodeSigningConfig"]
        Resource = [local.functions]
      },
      {
        Sid    = "ReadAccount"
        Effect = "Allow"
        Action = [
          "lambda:ListFunctions",
          "lambda:ListCodeSigningConfigs",
          "lambda:ListFunctionsByCodeSigningConfig",
          "tag:GetResources",
          "account:ListRegions",
        ]
        # None of these names a resource.
        Resource = ["*"]
      },
      {
        Sid      = "ReadLayers"
        Effect   = "Allow"
        Action   = ["lambda:GetLayerVersion"]
        Resource = ["arn:${local.partition}:lambda:*:*:layer:*:*"]
      },
      {
        Sid      = "ListState"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.state_arn]
        # A read of a key that is missing has no prefix: with IfExists it is answered with 404, and not with 403.
        Condition = { StringLikeIfExists = { "s3:prefix" = ["${var.state.prefix}/*"] } }
      },
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.state_arn}/${var.state.prefix}/*"]
      },
      {
        Sid      = "Events"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = [aws_sqs_queue.this.arn]
      },
    ],
    local.writes ? [{
      Sid      = "WriteFunctions"
      Effect   = "Allow"
      Action   = ["lambda:UpdateFunctionConfiguration"]
      Resource = [local.functions]
    }] : [],
    [for object in try(var.wanted.s3, null)[*] : {
      Sid      = "ReadWanted"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["arn:${local.partition}:s3:::${object.bucket}/${object.key}"]
    }],
    length(local.parameters) == 0 ? [] : [{
      Sid      = "ReadParameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter"]
      Resource = [for name in local.parameters : "arn:${local.partition}:ssm:${local.region}:${local.account_id}:parameter/${trimprefix(name, "/")}"]
    }],
    length(var.secret_arns) == 0 ? [] : [{
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = var.secret_arns
    }],
    [for key in var.state.kms_key_arn[*] : {
      Sid      = "EncryptState"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [key]
    }],
    length(local.read_keys) == 0 ? [] : [{
      Sid      = "Decrypt"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = local.read_keys
    }],
    # Lambda makes a grant on a customer's key with the permissions of the caller who sets the variables:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
    local.writes && length(var.environment_kms_key_arns) > 0 ? [{
      Sid       = "EncryptEnvironments"
      Effect    = "Allow"
      Action    = ["kms:CreateGrant", "kms:Encrypt"]
      Resource  = var.environment_kms_key_arns
      Condition = { StringLike = { "kms:ViaService" = ["lambda.*"] } }
    }] : [],
    # Lambda receives messages for the function with its role.
    [for key in var.queue_kms_key_arn[*] : {
      Sid       = "DecryptEvents"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [key]
      Condition = { StringLike = { "kms:ViaService" = ["sqs.*"] } }
    }],
    length(var.assume_role_arns) == 0 ? [] : [{
      Sid      = "OtherAccounts"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = var.assume_role_arns
    }],
  )
}
