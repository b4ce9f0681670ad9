variable "name" {
  description = "The beginning of the names of all resources."
  type        = string
  default     = "backstop-gateway"
  nullable    = false

  validation {
    # A target group's name has at most 32 characters.
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}[a-z0-9]$", var.name))
    error_message = "name is not 2 to 25 lower-case letters, digits and hyphens that begin with a letter."
  }
}

variable "cluster_arn" {
  description = "The ECS cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecs:[^:]+:[0-9]{12}:cluster/.+$", var.cluster_arn))
    error_message = "cluster_arn is not the ARN of an ECS cluster."
  }
}

variable "vpc_id" {
  description = "The VPC of the tasks and of the load balancer."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-z]+$", var.vpc_id))
    error_message = "vpc_id is not the id of a VPC."
  }
}

variable "subnet_ids" {
  description = "The private subnets of the tasks, with a route to the registry of images, S3 and the primary."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 1 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-z]+$", id))])
    error_message = "subnet_ids is empty, or has an entry that is not the id of a subnet."
  }
}

variable "image" {
  description = "The official image, `otel/opentelemetry-collector-contrib`, by its digest, or a copy of it in a registry of yours."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image is not pinned: give NAME@sha256:DIGEST. `docker buildx imagetools inspect otel/opentelemetry-collector-contrib:0.159.0` shows the digest."
  }
}

variable "load_balancer" {
  description = <<-EOT
    The load balancer before the workers.
    - `subnet_ids`: its subnets, in two availability zones or more
    - `certificate_arn`: the certificate of the address that functions send to
    - `allowed_cidrs`: who may reach it
    - `internal`: whether it has private addresses only
    - `deletion_protection`: whether it may not be deleted
  EOT
  type = object({
    subnet_ids          = list(string)
    certificate_arn     = string
    allowed_cidrs       = list(string)
    internal            = optional(bool, true)
    deletion_protection = optional(bool, false)
  })
  nullable = false

  validation {
    condition     = length(var.load_balancer.subnet_ids) >= 2
    error_message = "load_balancer.subnet_ids has fewer than two subnets."
  }
  validation {
    condition     = startswith(var.load_balancer.certificate_arn, "arn:")
    error_message = "load_balancer.certificate_arn is not an ARN."
  }
  validation {
    condition     = alltrue([for cidr in var.load_balancer.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "load_balancer.allowed_cidrs has an entry that is not a range of addresses, such as 10.0.0.0/8."
  }
}

variable "token_secret_arn" {
  description = "The secret in Secrets Manager whose value is the token that functions send."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+$", var.token_secret_arn))
    error_message = "token_secret_arn is not the ARN of a secret."
  }
}

variable "previous_token_secret_arn" {
  description = "The secret with the previous token, which stays valid while functions change to the new one."
  type        = string
  default     = null

  validation {
    condition     = var.previous_token_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+$", var.previous_token_secret_arn))
    error_message = "previous_token_secret_arn is not the ARN of a secret."
  }
}

variable "secret_kms_key_arns" {
  description = "Keys of yours that encrypt these secrets: ECS decrypts them with the role that starts the tasks."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", arn))])
    error_message = "secret_kms_key_arns has an entry that is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "primary" {
  description = <<-EOT
    The OTLP backend.
    - `url`: its base address
    - `authorization_secret_arn`: the secret whose value is the whole header `authorization`
    - `patience`: how long a batch is tried at a backend that is down before it goes to S3, 5s to 30s
  EOT
  type = object({
    url                      = string
    authorization_secret_arn = optional(string)
    patience                 = optional(string, "10s")
  })
  nullable = false

  validation {
    condition     = can(regex("^https://[^/?#@]+(/[^?#]*)?$", var.primary.url))
    error_message = "primary.url is not an https address without a user, a query and a fragment."
  }
  validation {
    condition     = var.primary.authorization_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.primary.authorization_secret_arn))
    error_message = "primary.authorization_secret_arn is not the ARN of a secret."
  }
  validation {
    # With more, all batches in flight would wait for the backend, and nothing would go to S3 meanwhile: the disk goes
    # with the task.
    condition     = can(regex("^([5-9]|[12][0-9]|30)s$", var.primary.patience))
    error_message = "primary.patience is not 5s to 30s, such as 10s: a task's disk goes with the task."
  }
}

variable "archive" {
  description = <<-EOT
    Where raw and undelivered records go.
    - `bucket_name`: the bucket
    - `prefix`: the prefix of all keys
    - `raw`: whether everything that comes in is archived
    - `kms_key_arn`: the bucket's key, if it has one of its own
  EOT
  type = object({
    bucket_name = string
    prefix      = optional(string, "gateway")
    raw         = optional(bool, true)
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.archive.bucket_name))
    error_message = "archive.bucket_name is not the name of a bucket."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.archive.prefix))
    error_message = "archive.prefix is not letters, digits and ._- with single slashes between."
  }
  validation {
    condition     = var.archive.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.archive.kms_key_arn))
    error_message = "archive.kms_key_arn is not the ARN of a key."
  }
}

variable "presets" {
  description = "`cost`, `security`, `insights`; none passes everything through. docs/gateway.md says what each removes."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for preset in var.presets : contains(["cost", "security", "insights"], preset)])
    error_message = "presets has an entry that is none of cost, security and insights."
  }
}

variable "preset_settings" {
  description = "Variables of the presets: `GATEWAY_SAMPLE_PERCENT`, `GATEWAY_FOLD_INTERVAL`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.preset_settings) : contains(["GATEWAY_SAMPLE_PERCENT", "GATEWAY_FOLD_INTERVAL"], name)])
    error_message = "preset_settings has an entry that is neither GATEWAY_SAMPLE_PERCENT nor GATEWAY_FOLD_INTERVAL."
  }
  validation {
    condition     = can(regex("^([0-9]|[1-9][0-9]|100)$", lookup(var.preset_settings, "GATEWAY_SAMPLE_PERCENT", "25")))
    error_message = "GATEWAY_SAMPLE_PERCENT is not a whole number from 0 to 100."
  }
  validation {
    condition     = can(regex("^[1-9][0-9]*(s|m)$", lookup(var.preset_settings, "GATEWAY_FOLD_INTERVAL", "30s")))
    error_message = "GATEWAY_FOLD_INTERVAL is not a duration such as 30s or 1m."
  }
}

variable "workers" {
  description = "The workers: how many, and the CPU units and MiB of each."
  type = object({
    count  = optional(number, 2)
    cpu    = optional(number, 1024)
    memory = optional(number, 2048)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.workers.count >= 1 && floor(var.workers.count) == var.workers.count
    error_message = "workers.count is not a whole number, 1 or more."
  }
  validation {
    condition     = var.workers.cpu >= 256 && var.workers.memory >= 512
    error_message = "workers has fewer than 256 CPU units or 512 MiB."
  }
}

variable "aggregator" {
  description = "The CPU units and MiB of the aggregator."
  type = object({
    cpu    = optional(number, 1024)
    memory = optional(number, 2048)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.aggregator.cpu >= 256 && var.aggregator.memory >= 512
    error_message = "aggregator has fewer than 256 CPU units or 512 MiB."
  }
}

variable "alarms" {
  description = "The alarms on records that were dropped, refused, not taken by the primary, or wait, with `actions` to notify, such as the ARN of an SNS topic; null leaves them out."
  type = object({
    actions = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = var.alarms == null ? true : alltrue([for action in var.alarms.actions : try(startswith(action, "arn:"), false)])
    error_message = "alarms.actions has an entry that is not an ARN."
  }
}

variable "log_retention_days" {
  description = "Days that the collectors' own logs are kept. They hold no records."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "log_retention_days is not one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 and 365."
  }
}

variable "log_kms_key_arn" {
  description = "The key of the collectors' own logs."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.log_kms_key_arn))
    error_message = "log_kms_key_arn is not the ARN of a key."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 45
    error_message = "tags has more than 45 entries."
  }
}
