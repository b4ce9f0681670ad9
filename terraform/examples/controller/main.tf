# The controller with all that it needs: a bucket for its runs, the wanted state in it, a schedule, events and alarms.

provider "aws" {
  region = var.region
}

module "storage" {
  source = "../../modules/archive"

  name       = "backstop-controller"
  firehose   = null
  versioning = true
  # Runs stay: undo needs them.
  lifecycle_rules = { noncurrent_days = 30 }
}

resource "aws_s3_object" "wanted" {
  bucket  = module.storage.bucket_name
  key     = "wanted/backstop.toml"
  content = <<-EOT
    [select]
    tags = { backstop = "on" }

    [layer]
    arns = ${jsonencode(var.layer_arns)}

    [settings]
    BACKSTOP_S3_BUCKET = "${module.storage.bucket_name}"
  EOT
}

module "controller" {
  source = "../../modules/controller"

  package  = { path = var.package_path }
  mode     = var.mode
  wanted   = { s3 = { bucket = module.storage.bucket_name, key = aws_s3_object.wanted.key } }
  state    = { bucket = module.storage.bucket_name, prefix = "controller" }
  schedule = "rate(1 hour)"
  events   = {}
  alarms   = { actions = var.alarm_topic_arn[*] }
}
