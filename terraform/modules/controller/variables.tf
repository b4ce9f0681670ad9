variable "name" {
  description = "The name of the function. The queues, the roles, the alarms and the log group are named after it."
  type        = string
  default     = "backstop-controller"
  nullable    = false

  validation {
    # 40, so that the names of the roles and the queues have room for what is added to it.
    condition     = can(regex("^[a-zA-Z0-9_-]{1,40}$", var.name))
    error_message = "name is not 1 to 40 letters, digits, hyphens and underscores."
  }
}

variable "package" {
  description = <<-EOT
    The function's code, a zip of the release: one of `path` and `s3`.
    - `path`: `controller-ARCHITECTURE.zip` on the machine that runs Terraform
    - `s3`: the same in a bucket of the provider's region
  EOT
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket         = string
      key            = string
      object_version = optional(string)
    }))
  })
  nullable = false

  validation {
    condition     = (var.package.path != null) != (var.package.s3 != null)
    error_message = "package must name exactly one of path and s3."
  }
}

variable "wanted" {
  description = <<-EOT
    Where `backstop.toml` is, the wanted state: one of `ssm_parameter` and `s3`.
    - `ssm_parameter`: a parameter of Parameter Store, by its name
    - `s3`: an object
  EOT
  type = object({
    ssm_parameter = optional(string)
    s3 = optional(object({
      bucket = string
      key    = string
    }))
  })
  nullable = false

  validation {
    condition     = (var.wanted.ssm_parameter != null) != (var.wanted.s3 != null)
    error_message = "wanted must name exactly one of ssm_parameter and s3."
  }
  validation {
    condition     = var.wanted.ssm_parameter == null ? true : can(regex("^/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*$", var.wanted.ssm_parameter))
    error_message = "wanted.ssm_parameter is not the name of a parameter: write /team/name, not an ARN."
  }
}

variable "state" {
  description = <<-EOT
    Where runs are kept, so that each can be undone: a bucket of yours.
    - `bucket`: the bucket, by its name
    - `prefix`: what all keys begin with
    - `kms_key_arn`: the key that encrypts them; by default the bucket's own encryption
  EOT
  type = object({
    bucket      = string
    prefix      = optional(string, "backstop-controller")
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state.bucket))
    error_message = "state.bucket is not a bucket: write its name, 3 to 63 lowercase letters, digits, dots and hyphens."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", var.state.prefix))
    error_message = "state.prefix is invalid: use letters, digits, dots, hyphens and underscores, with single slashes between parts and none at the ends."
  }
  validation {
    condition     = var.state.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", var.state.kms_key_arn))
    error_message = "state.kms_key_arn is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "mode" {
  description = "What may be written: `report` writes nothing, `attach` attaches functions that never had the layer from here, `enforce` also repairs drift."
  type        = string
  default     = "report"
  nullable    = false

  validation {
    condition     = contains(["report", "attach", "enforce"], var.mode)
    error_message = "mode is none of report, attach and enforce."
  }
}

variable "schedule" {
  description = "How often to plan over everything, as EventBridge Scheduler writes it, such as `rate(1 hour)`. Null leaves it out."
  type        = string
  default     = null

  validation {
    condition     = var.schedule == null ? true : can(regex("^(rate|cron)[(].+[)]$", var.schedule))
    error_message = "schedule is not an expression of EventBridge Scheduler: write rate(1 hour) or cron(0 * * * ? *)."
  }
}

variable "events" {
  description = <<-EOT
    Events that make a plan for single functions soon; null leaves them out. Lambda's own events need nothing else.
    - `cloudtrail`: also the calls that a trail of yours records
    - `delay_seconds`: how long an event waits, so that a deployment can end
  EOT
  type = object({
    cloudtrail    = optional(bool, false)
    delay_seconds = optional(number, 60)
  })
  default = null

  validation {
    condition     = var.events == null ? true : var.events.delay_seconds >= 0 && var.events.delay_seconds <= 900 && floor(var.events.delay_seconds) == var.events.delay_seconds
    error_message = "events.delay_seconds is not a whole number from 0 to 900."
  }
}

variable "alarms" {
  description = <<-EOT
    CloudWatch alarms; null leaves them out.
    - `actions`: what to notify, such as the ARN of an SNS topic
    - `drift`: also while the mode leaves functions that have drifted
    - `plan_hours`: how long no plan over everything may work, in whole hours up to 168. By default three
      times the interval of `schedule`, if that is a rate; a cron expression needs it
  EOT
  type = object({
    actions    = optional(list(string), [])
    drift      = optional(bool, false)
    plan_hours = optional(number)
  })
  default = null

  validation {
    condition     = var.alarms == null ? true : alltrue([for action in var.alarms.actions : can(regex("^arn:", action))])
    error_message = "alarms.actions holds something other than an ARN, such as that of an SNS topic."
  }
  validation {
    condition     = try(var.alarms.plan_hours, null) == null ? true : var.alarms.plan_hours >= 1 && var.alarms.plan_hours <= 168 && floor(var.alarms.plan_hours) == var.alarms.plan_hours
    error_message = "alarms.plan_hours is not a whole number from 1 to 168."
  }
}

variable "max_writes_per_hour" {
  description = "The most writes to one function within an hour. After these the function is left, and an alarm is raised."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.max_writes_per_hour >= 1 && var.max_writes_per_hour <= 100 && floor(var.max_writes_per_hour) == var.max_writes_per_hour
    error_message = "max_writes_per_hour is not a whole number from 1 to 100."
  }
}

variable "include_managed" {
  description = "Whether to write functions that CloudFormation or Terraform manages, by their tags. Their next deployment may revert the change."
  type        = bool
  default     = false
  nullable    = false
}

variable "never" {
  description = "Names of functions that are never written, such as the replay function. The controller never writes itself."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.never : can(regex("^[a-zA-Z0-9_-]{1,64}$", name))])
    error_message = "never has an entry that is not the name of a function."
  }
}

variable "switch_parameter" {
  description = "A parameter of Parameter Store that allows writes only while its value is `run`. The object `controller/stop` below `state.prefix` stops them too."
  type        = string
  default     = null

  validation {
    condition     = var.switch_parameter == null ? true : can(regex("^/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*$", var.switch_parameter))
    error_message = "switch_parameter is not the name of a parameter: write /team/name, not an ARN."
  }
}

variable "assume_role_arns" {
  description = "The roles in other accounts that `[targets]` of the wanted state names, such as `arn:aws:iam::*:role/BackstopInstaller`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.assume_role_arns : can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|[*]):role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "assume_role_arns has an entry that is not the ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME."
  }
}

variable "secret_arns" {
  description = "The secrets that `token_secret_arn` of the wanted state names. A token by reference needs none: the functions read it."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:aws[a-z-]*:secretsmanager:", arn))])
    error_message = "secret_arns has an entry that is not the ARN of a secret."
  }
}

variable "kms_key_arns" {
  description = "Keys that encrypt the wanted state or the secrets: the role may decrypt with them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", arn))])
    error_message = "kms_key_arns has an entry that is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "environment_kms_key_arns" {
  description = "Keys that encrypt environments of functions. The role may decrypt with them; unless the mode is `report`, it may also encrypt with them and create grants on them, through Lambda alone."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.environment_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", arn))])
    error_message = "environment_kms_key_arns has an entry that is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias."
  }
}

variable "queue_kms_key_arn" {
  description = "A key of yours for the queues, whose policy lets EventBridge use it; by default SQS encrypts them with its own."
  type        = string
  default     = null

  validation {
    condition     = var.queue_kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$", var.queue_kms_key_arn))
    error_message = "queue_kms_key_arn is not the ARN of a key: write arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "architecture" {
  description = "The architecture of the function, `x86_64` or `arm64`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is neither x86_64 nor arm64."
  }
}

variable "memory_mb" {
  description = "The memory of the function, in MB."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb is not a whole number from 256 to 10240."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the function's log."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is not a retention that CloudWatch offers, such as 30 or 365."
  }
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
