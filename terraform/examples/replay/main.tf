# An archive and what replays it without anybody: the probe, the queue, and the alarms.

provider "aws" {
  region = var.region
}

module "archive" {
  source = "../../modules/archive"

  name = var.name
}

module "replay" {
  source = "../../modules/replay"

  name                        = "${var.name}-replay"
  package                     = { path = var.package }
  architecture                = var.architecture
  archive                     = module.archive.fallback
  primary                     = { url = var.primary_url }
  primary_token_ssm_parameter = var.primary_token_ssm_parameter

  replay          = { functions = 4, rate = "5000" }
  schedule        = { rate = "rate(5 minutes)", max_objects = 50000 }
  alarms          = { actions = var.alarm_topic_arn[*], not_empty_hours = 6, stop_at_dead_letters = 100 }
  distributed_map = {}
}
