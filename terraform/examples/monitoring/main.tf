# A dashboard and alarms for all functions of the region, beside the archive that they write to.

provider "aws" {
  region = var.region
}

module "archive" {
  source = "../../modules/archive"

  name = "backstop"
}

module "monitoring" {
  source = "../../modules/monitoring"

  alarms               = { actions = var.alarm_topic_arn[*] }
  firehose_stream_name = "backstop"
  # For replays with --after delete.
  archive = { bucket_name = module.archive.bucket_name }
}
