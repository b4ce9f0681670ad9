variable "name" {
  description = "The name of the dashboard, and the beginning of the names of the alarms."
  type        = string
  default     = "backstop"
  nullable    = false

  validation {
    # The alarm's name, of 255, has room for what is added to it: the alarm and a function.
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}$", var.name))
    error_message = "name is not 1 to 100 letters, digits, hyphens and underscores that begin with a letter or digit."
  }
}

variable "function_names" {
  description = "The functions to watch, each with alarms of its own. By default one alarm of each kind watches all functions of the region."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.function_names : can(regex("^[a-zA-Z0-9_-]{1,64}$", name))])
    error_message = "function_names has an entry that is not the name of a function: give names, not ARNs."
  }
  validation {
    condition     = length(distinct(var.function_names)) == length(var.function_names)
    error_message = "function_names has an entry twice."
  }
  validation {
    condition     = length(var.function_names) <= 30
    error_message = "function_names has more than 30 entries, and a dashboard has no room for their alarms: remove it, or use the module once for each team."
  }
}

variable "alarms" {
  description = <<-EOT
    The alarms; null leaves them out.
    - `actions`: what to notify, such as the ARN of an SNS topic
    - `period_seconds`: the period of evaluation
    - `thresholds`: records in a period above which an alarm is raised, by alarm: `records-diverted`, `records-dropped`, `dead-letters`; 0 by default
  EOT
  type = object({
    actions        = optional(list(string), [])
    period_seconds = optional(number, 300)
    thresholds     = optional(map(number), {})
  })
  default = {}

  validation {
    condition     = var.alarms == null ? true : alltrue([for action in var.alarms.actions : try(startswith(action, "arn:"), false)])
    error_message = "alarms.actions has an entry that is not an ARN."
  }
  validation {
    condition     = try(var.alarms.period_seconds >= 60 && var.alarms.period_seconds <= 86400 && var.alarms.period_seconds % 60 == 0, var.alarms == null)
    error_message = "alarms.period_seconds is not a multiple of 60 up to 86400."
  }
  validation {
    condition     = var.alarms == null ? true : alltrue([for alarm, records in var.alarms.thresholds : contains(["records-diverted", "records-dropped", "dead-letters"], alarm) && try(records >= 0 && floor(records) == records, false)])
    error_message = "alarms.thresholds has an entry that is not an alarm on records (records-diverted, records-dropped or dead-letters), or whose value is not a whole number, 0 or more."
  }
}

variable "firehose_stream_name" {
  description = "The delivery stream of the archive, for an alarm on its failures. Leave it out if the module `archive` has alarms itself."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,64}$", var.firehose_stream_name == null ? "unset" : var.firehose_stream_name))
    error_message = "firehose_stream_name is not the name of a delivery stream: give the name, not the ARN."
  }
}

variable "archive" {
  description = <<-EOT
    The archive's bucket, for an alarm if records are not replayed. Only for a bucket of its own without versions, replayed with `--after delete`: S3 counts the objects that are left, once a day.
    - `bucket_name`: the bucket
    - `not_replayed_days`: days with objects after which the alarm is raised
  EOT
  type = object({
    bucket_name       = string
    not_replayed_days = optional(number, 2)
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.archive == null ? "unset" : var.archive.bucket_name))
    error_message = "archive.bucket_name is not 3 to 63 lowercase letters, digits, dots and hyphens."
  }
  validation {
    condition     = try(var.archive.not_replayed_days >= 1 && var.archive.not_replayed_days <= 7 && floor(var.archive.not_replayed_days) == var.archive.not_replayed_days, var.archive == null)
    error_message = "archive.not_replayed_days is not a whole number from 1 to 7, the most that CloudWatch evaluates."
  }
}

variable "dashboard" {
  description = "Whether there is a dashboard."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of every alarm; a dashboard has none."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && try(length(value), 0) <= 256 && !startswith(lower(key), "aws:")])
    error_message = "tags has a key that is empty, is longer than 128 characters or begins with aws:, or a value longer than 256."
  }
}
