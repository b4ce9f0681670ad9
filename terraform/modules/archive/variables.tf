variable "name" {
  description = "The name of the delivery stream, and the beginning of the names of the roles, the alarms and the tables."
  type        = string
  default     = "backstop"
  nullable    = false

  validation {
    # 55, so that the role's name, of 64, has room for what is added to it.
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_-]{0,54}$", var.name))
    error_message = "name is not 1 to 55 letters, digits, hyphens and underscores that begin with a letter or digit."
  }
}

variable "bucket_name" {
  description = "The name of the bucket. By default `NAME-ACCOUNT-REGION`, in lowercase: set it if that has more than 63 characters."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name == null ? "unset" : var.bucket_name))
    error_message = "bucket_name is not 3 to 63 lowercase letters, digits, dots and hyphens."
  }
  validation {
    condition     = !can(regex("[.][.]|^([0-9]+[.]){3}[0-9]+$", var.bucket_name == null ? "unset" : var.bucket_name))
    error_message = "bucket_name has two dots in a row or is an IP address, which S3 refuses."
  }
}

variable "prefix" {
  description = "The prefix of the archive's keys."
  type        = string
  default     = "backstop"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", var.prefix))
    error_message = "prefix is invalid: use letters, digits, dots, hyphens and underscores, with single slashes between parts and none at the ends."
  }
}

variable "encryption" {
  description = <<-EOT
    The encryption of objects: by default with S3's own keys (SSE-S3).
    - `kms_key_arn`: a key of yours instead. Its policy must let the account's roles use it, as the default policy does.
  EOT
  type = object({
    kms_key_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.encryption.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", var.encryption.kms_key_arn))
    error_message = "encryption.kms_key_arn is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "versioning" {
  description = "Whether the bucket keeps overwritten and deleted objects, for `noncurrent_days` of `lifecycle_rules`."
  type        = bool
  default     = false
  nullable    = false
}

variable "lifecycle_rules" {
  description = <<-EOT
    The steps for objects as they age; a step that you do not name is not taken. Every class can be read at once, so a replay never needs a restore first.
    - `infrequent_access_days`: to STANDARD_IA, after at least 30 days
    - `glacier_instant_days`: to GLACIER_IR, at least 30 days after a move to STANDARD_IA
    - `expiration_days`: deleted
    - `noncurrent_days`: versions that are no longer current are deleted
  EOT
  type = object({
    infrequent_access_days = optional(number)
    glacier_instant_days   = optional(number)
    expiration_days        = optional(number)
    noncurrent_days        = optional(number)
  })
  default = {
    infrequent_access_days = 30
    expiration_days        = 365
    noncurrent_days        = 30
  }
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.lifecycle_rules) : days == null ? true : days >= 1 && floor(days) == days])
    error_message = "lifecycle_rules has a value that is not a whole number of days, 1 or more."
  }
  validation {
    condition     = var.lifecycle_rules.infrequent_access_days == null ? true : var.lifecycle_rules.infrequent_access_days >= 30
    error_message = "lifecycle_rules.infrequent_access_days is less than the 30 that S3 requires."
  }
  validation {
    condition     = var.lifecycle_rules.infrequent_access_days == null || var.lifecycle_rules.glacier_instant_days == null ? true : var.lifecycle_rules.glacier_instant_days >= var.lifecycle_rules.infrequent_access_days + 30
    error_message = "lifecycle_rules.glacier_instant_days is less than 30 days after infrequent_access_days, which S3 requires."
  }
  validation {
    condition = alltrue([
      for days in compact([var.lifecycle_rules.infrequent_access_days, var.lifecycle_rules.glacier_instant_days]) :
      var.lifecycle_rules.expiration_days == null ? true : tonumber(days) < var.lifecycle_rules.expiration_days
    ])
    error_message = "lifecycle_rules.expiration_days is not later than the moves to cheaper classes."
  }
}

variable "firehose" {
  description = <<-EOT
    The delivery stream; null leaves it out, and functions write only to the bucket.
    - `buffer_mb`, `buffer_seconds`: Firehose writes an object when it reaches either
    - `log_retention_days`: how long CloudWatch keeps the stream's own errors
  EOT
  type = object({
    buffer_mb          = optional(number, 64)
    buffer_seconds     = optional(number, 300)
    log_retention_days = optional(number, 30)
  })
  default = {}

  validation {
    condition     = try(var.firehose.buffer_mb >= 1 && var.firehose.buffer_mb <= 128, var.firehose == null)
    error_message = "firehose.buffer_mb is not a number from 1 to 128."
  }
  validation {
    condition     = try(var.firehose.buffer_seconds >= 0 && var.firehose.buffer_seconds <= 900, var.firehose == null)
    error_message = "firehose.buffer_seconds is not a number from 0 to 900."
  }
  validation {
    condition     = try(contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.firehose.log_retention_days), var.firehose == null)
    error_message = "firehose.log_retention_days is not a number that CloudWatch offers: use one such as 7, 14, 30, 90 or 365."
  }
}

variable "alarms" {
  description = <<-EOT
    CloudWatch alarms; null leaves them out. One alarm is raised while the fallbacks are in use, one when the stream cannot deliver.
    - `actions`: what to notify, such as the ARN of an SNS topic
    - `period_seconds`: the period of evaluation
    - `direct_writes`: also count what functions write to the bucket directly; needs request metrics of the bucket, which cost extra
  EOT
  type = object({
    actions        = optional(list(string), [])
    period_seconds = optional(number, 300)
    direct_writes  = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.alarms == null ? true : alltrue([for action in var.alarms.actions : try(startswith(action, "arn:"), false)])
    error_message = "alarms.actions has an entry that is not an ARN."
  }
  validation {
    condition     = try(var.alarms.period_seconds >= 60 && var.alarms.period_seconds <= 86400 && var.alarms.period_seconds % 60 == 0, var.alarms == null)
    error_message = "alarms.period_seconds is not a multiple of 60 up to 86400."
  }
}

variable "athena" {
  description = <<-EOT
    Tables for Athena, in a database of the Glue catalogue; null leaves them out. Partitions are computed, so no crawler is needed.
    - `first_day`: the first day that queries cover
    - `accounts`, `regions`: of the functions that write to the bucket; by default the archive's own
  EOT
  type = object({
    first_day = optional(string, "2025-01-01")
    accounts  = optional(list(string), [])
    regions   = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.athena == null ? true : can(formatdate("YYYY-MM-DD", "${var.athena.first_day}T00:00:00Z"))
    error_message = "athena.first_day is not a day of the form 2025-01-31."
  }
  validation {
    condition     = var.athena == null ? true : alltrue([for account in var.athena.accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "athena.accounts has an entry that is not the id of an account: write 12 digits, in quotes."
  }
  validation {
    condition     = var.athena == null ? true : alltrue([for region in var.athena.regions : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", region))])
    error_message = "athena.regions has an entry that is not the name of a region: write a name such as eu-west-1."
  }
}

variable "force_destroy" {
  description = "Whether destroying also deletes the objects in the bucket. Without it Terraform does not destroy a bucket that holds records."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && try(length(value), 0) <= 256 && !startswith(lower(key), "aws:")])
    error_message = "tags has a key that is empty, is longer than 128 characters or begins with aws:, or a value longer than 256."
  }
}
