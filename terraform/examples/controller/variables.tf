variable "region" {
  description = "The region of all resources."
  type        = string
  default     = "eu-west-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", var.region))
    error_message = "region is not the name of a region: write a name such as eu-west-1."
  }
}

variable "package_path" {
  description = "The controller's zip of the release."
  type        = string
  default     = "controller-arm64.zip"
  nullable    = false

  validation {
    condition     = endswith(var.package_path, ".zip")
    error_message = "package_path is not the name of a zip."
  }
}

variable "layer_arns" {
  description = "The layer versions, one for each architecture, as the module `layer` returns them."
  type        = list(string)
  default     = ["arn:aws:lambda:eu-west-1:123456789012:layer:backstop-extension-arm64-0-1-0:1"]
  nullable    = false

  validation {
    condition     = length(var.layer_arns) > 0 && alltrue([for arn in var.layer_arns : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))])
    error_message = "layer_arns is empty or has an entry that is not the ARN of a layer version."
  }
}

variable "mode" {
  description = "What the controller may write: `report`, `attach` or `enforce`."
  type        = string
  default     = "report"
  nullable    = false

  validation {
    condition     = contains(["report", "attach", "enforce"], var.mode)
    error_message = "mode is none of report, attach and enforce."
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic to notify."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null ? true : can(regex("^arn:aws[a-z-]*:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn is not the ARN of an SNS topic."
  }
}
