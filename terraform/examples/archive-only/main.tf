# The archive without a function: under a key of yours, with versions, alarms and tables for Athena. Functions that
# are given its output `fallback` and no primary write everything here; others what their primary does not take.

provider "aws" {
  region = var.region
}

resource "aws_kms_key" "archive" {
  #checkov:skip=CKV2_AWS_64:without a policy of its own the key has the default one, by which IAM policies of the account grant its use; that is what functions' roles need
  description         = "Backstop's archive"
  enable_key_rotation = true
}

module "archive" {
  source = "../../modules/archive"

  name       = "backstop-archive"
  encryption = { kms_key_arn = aws_kms_key.archive.arn }
  versioning = true
  lifecycle_rules = {
    infrequent_access_days = 30
    glacier_instant_days   = 90
    expiration_days        = 730
    noncurrent_days        = 30
  }
  firehose = { buffer_mb = 128, buffer_seconds = 900 }
  alarms   = { actions = var.alarm_topic_arn[*], direct_writes = true }
  athena   = { first_day = "2026-01-01" }
}
