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

variable "name" {
  description = "The beginning of all names."
  type        = string
  default     = "backstop"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,30}$", var.name))
    error_message = "name is not 1 to 31 lowercase letters, digits and hyphens that begin with a letter or digit."
  }
}

variable "package" {
  description = "The path of the function's zip, `replay-function-ARCHITECTURE.zip` of the release."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.package, ".zip")
    error_message = "package is not the path of a zip."
  }
}

variable "architecture" {
  description = "The architecture of the zip."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is neither x86_64 nor arm64."
  }
}

variable "primary_url" {
  description = "The address of the primary."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.primary_url, "https://")
    error_message = "primary_url does not begin with https://."
  }
}

variable "primary_token_ssm_parameter" {
  description = "The parameter that holds the primary's token."
  type        = string
  default     = "/backstop/token"
  nullable    = false

  validation {
    condition     = startswith(var.primary_token_ssm_parameter, "/")
    error_message = "primary_token_ssm_parameter does not begin with a slash."
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
