# The second engine: a Distributed Map of Step Functions over the archive's prefix.

locals {
  machine_name = "${var.name}-map"
  machine_arn  = "arn:${local.partition}:states:${local.region}:${local.account_id}:stateMachine:${local.machine_name}"
  map          = var.distributed_map == null ? { functions = 1, batch_objects = 1, tolerated_failure_percentage = 0 } : var.distributed_map

  definition = {
    Comment = "Replays the objects below a prefix of the archive. Input: {} for all of it, or {\"prefix\": \"…\"}."
    StartAt = "Which"
    States = {
      Which = {
        Type    = "Choice"
        Choices = [{ Variable = "$.prefix", IsPresent = true, Next = "Replay" }]
        Default = "All"
      }
      All = {
        Type   = "Pass"
        Result = { prefix = "${var.archive.s3_prefix}/v1/" }
        Next   = "Replay"
      }
      Replay = {
        Type                       = "Map"
        MaxConcurrency             = local.map.functions
        ToleratedFailurePercentage = local.map.tolerated_failure_percentage
        ItemReader = {
          Resource   = "arn:${local.partition}:states:::s3:listObjectsV2"
          Parameters = { Bucket = var.archive.s3_bucket, "Prefix.$" = "$.prefix" }
        }
        ItemBatcher = {
          MaxItemsPerBatch = local.map.batch_objects
          # An input has room for 256 KiB.
          MaxInputBytesPerBatch = 200000
        }
        ItemProcessor = {
          # An Express Workflow ends after five minutes, its attempts and the pauses between them included.
          ProcessorConfig = { Mode = "DISTRIBUTED", ExecutionType = "STANDARD" }
          StartAt         = "Batch"
          States = {
            Batch = {
              Type       = "Task"
              Resource   = "arn:${local.partition}:states:::lambda:invoke"
              Parameters = { FunctionName = local.function_arn, "Payload.$" = "$" }
              OutputPath = "$.Payload"
              Retry = [{
                # What is refused (Halted) or damaged (Poison) is not repeated.
                ErrorEquals     = ["Left", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException"]
                IntervalSeconds = 5
                MaxAttempts     = 5
                BackoffRate     = 2
                JitterStrategy  = "FULL"
              }]
              End = true
            }
          }
        }
        ResultWriter = {
          Resource   = "arn:${local.partition}:states:::s3:putObject"
          Parameters = { Bucket = var.archive.s3_bucket, Prefix = "${local.state_prefix}/map-runs" }
        }
        End = true
      }
    }
  }
}

resource "aws_iam_role" "map" {
  count = var.distributed_map == null ? 0 : 1

  name        = "${var.name}-map"
  description = "The state machine ${local.machine_name}."
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "map" {
  count = var.distributed_map == null ? 0 : 1

  name = "map"
  role = aws_iam_role.map[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "ListArchive"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = [local.bucket_arn]
          Condition = { StringLike = { "s3:prefix" = ["${var.archive.s3_prefix}/v1/*"] } }
        },
        {
          Sid      = "WriteResults"
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"]
          Resource = ["${local.bucket_arn}/${local.state_prefix}/map-runs/*"]
        },
        {
          Sid      = "Invoke"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = [local.function_arn]
        },
        {
          Sid      = "RunItself"
          Effect   = "Allow"
          Action   = ["states:StartExecution"]
          Resource = [local.machine_arn]
        },
        {
          Sid      = "RedriveItself"
          Effect   = "Allow"
          Action   = ["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"]
          Resource = ["${replace(local.machine_arn, ":stateMachine:", ":execution:")}/*"]
        },
      ],
      local.archive_key_statements,
    )
  })
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_284:the results of each batch are in the archive's bucket
  #checkov:skip=CKV_AWS_285:so is what failed and why
  count = var.distributed_map == null ? 0 : 1

  name       = local.machine_name
  role_arn   = aws_iam_role.map[0].arn
  type       = "STANDARD"
  definition = jsonencode(local.definition)
  tags       = var.tags

  depends_on = [aws_iam_role_policy.map]
}
