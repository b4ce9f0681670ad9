# Functions that this configuration has had before Backstop: three, each with its own layers and environment.
# Backstop changes three lines of the resource, and no function is moved into a module.

provider "aws" {
  region = var.region
}

locals {
  functions = {
    orders = {
      architecture = "x86_64"
      layers       = [aws_lambda_layer_version.shared.arn]
      environment  = { TABLE = "orders", LOG_LEVEL = "info" }
      tags         = { team = "shop", telemetry = "backstop" }
    }
    returns = {
      architecture = "arm64"
      layers       = []
      environment  = {}
      tags         = { team = "shop", telemetry = "backstop" }
    }
    reports = {
      architecture = "x86_64"
      layers       = []
      environment  = { BUCKET = "reports" }
      tags         = { team = "finance" }
    }
  }

  selected = {
    for name, function in local.functions : name => function if anytrue(concat(
      [for pattern in var.select.names : can(regex("^${replace(pattern, "*", ".*")}$", name))],
      [length(var.select.tags) > 0 && alltrue([for key, value in var.select.tags : try(function.tags[key], null) == value])],
    ))
  }
}

module "archive" {
  source = "../../modules/archive"

  name          = "backstop-existing"
  force_destroy = true
}

module "attachment" {
  source   = "../../modules/attachment"
  for_each = local.selected

  name                  = each.key
  region                = var.region
  architecture          = each.value.architecture
  layer_arn             = var.layer_arns[each.value.architecture]
  layers                = each.value.layers
  environment_variables = each.value.environment
  primary               = { url = var.primary_url }
  fallback              = module.archive.fallback
  transforms            = { tags = { "team" = each.value.tags.team } }
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:the functions stand for whatever is there already; Backstop has no say in their tracing
  #checkov:skip=CKV_AWS_115:nor has it in their concurrency
  #checkov:skip=CKV_AWS_116:nor has it in their dead-letter queues
  #checkov:skip=CKV_AWS_117:nor has it in their networks
  #checkov:skip=CKV_AWS_173:nor has it in the key of their environments
  #checkov:skip=CKV_AWS_272:nor has it in their code signing
  for_each = local.functions

  function_name    = each.key
  role             = aws_iam_role.this[each.key].arn
  architectures    = [each.value.architecture]
  filename         = var.function_zip
  source_code_hash = filebase64sha256(var.function_zip)
  handler          = "index.handler"
  runtime          = "nodejs22.x"
  tags             = each.value.tags

  # Before: layers = each.value.layers
  layers = try(module.attachment[each.key].layers, each.value.layers)

  # Before: for_each = length(each.value.environment) > 0 ? [each.value.environment] : []
  dynamic "environment" {
    for_each = [for variables in [try(module.attachment[each.key].environment_variables, each.value.environment)] : variables if length(variables) > 0]
    content {
      variables = environment.value
    }
  }
}

# New with Backstop: leave to write to the fallbacks.
resource "aws_iam_role_policy" "backstop" {
  for_each = local.selected

  name   = "backstop"
  role   = aws_iam_role.this[each.key].id
  policy = module.attachment[each.key].policy_json
}

resource "aws_iam_role" "this" {
  for_each = local.functions

  name = each.key
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_lambda_layer_version" "shared" {
  layer_name       = "shared"
  filename         = var.function_zip
  source_code_hash = filebase64sha256(var.function_zip)
}
