# The bucket: encrypted, over TLS only, never public.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  # `id` is the region's name in versions 5 and 6 of the provider; `name` is deprecated in 6.
  region    = data.aws_region.current.id
  partition = data.aws_partition.current.partition

  bucket_name = var.bucket_name != null ? var.bucket_name : lower(replace("${var.name}-${local.account_id}-${local.region}", "_", "-"))
  bucket_arn  = "arn:${local.partition}:s3:::${local.bucket_name}"
  uses_kms    = var.encryption.kms_key_arn != null
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:users who need logs of a bucket of logs add a bucket for them; the module makes none
  #checkov:skip=CKV_AWS_21:records have ids of their own and are not overwritten; versions are an option
  #checkov:skip=CKV_AWS_144:records are a copy for a time of need; a second region doubles its price
  #checkov:skip=CKV2_AWS_62:nobody waits for the objects: a replay lists them
  bucket        = local.bucket_name
  force_destroy = var.force_destroy
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(local.bucket_name) <= 63
      error_message = "The bucket would be named ${local.bucket_name}, which has ${length(local.bucket_name)} characters, and S3 takes 63: shorten name, or give bucket_name."
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # One call to KMS for many objects.
    bucket_key_enabled = local.uses_kms

    apply_server_side_encryption_by_default {
      sse_algorithm     = local.uses_kms ? "aws:kms" : "AES256"
      kms_master_key_id = var.encryption.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = var.versioning ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  # Everything in the bucket: what Firehose could not deliver as well.
  rule {
    id     = "age"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    dynamic "transition" {
      for_each = var.lifecycle_rules.infrequent_access_days[*]
      content {
        days          = transition.value
        storage_class = "STANDARD_IA"
      }
    }

    dynamic "transition" {
      for_each = var.lifecycle_rules.glacier_instant_days[*]
      content {
        days          = transition.value
        storage_class = "GLACIER_IR"
      }
    }

    dynamic "expiration" {
      for_each = var.lifecycle_rules.expiration_days[*]
      content {
        days = expiration.value
      }
    }

    dynamic "noncurrent_version_expiration" {
      for_each = var.lifecycle_rules.noncurrent_days[*]
      content {
        noncurrent_days = noncurrent_version_expiration.value
      }
    }
  }

  # S3 must know about versioning before it accepts a rule for old versions.
  depends_on = [aws_s3_bucket_versioning.this]
}

# The extension names no encryption unless a key is set, and then the bucket's own applies: what is
# refused is naming another one. To refuse requests that name none would refuse every record.
resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "NoOtherEncryption"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${local.bucket_arn}/*"
          Condition = { StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption" = local.uses_kms ? "aws:kms" : "AES256" } }
        },
        {
          Sid       = "NoKeysOfCallers"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${local.bucket_arn}/*"
          Condition = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
        },
      ],
      [for key_arn in var.encryption.kms_key_arn[*] : {
        Sid       = "NoOtherKey"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arn}/*"
        Condition = { StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = key_arn } }
      }],
    )
  })

  # Both change the policy's surroundings, and S3 refuses two such changes at once.
  depends_on = [aws_s3_bucket_public_access_block.this, aws_s3_bucket_ownership_controls.this]
}
