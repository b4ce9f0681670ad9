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

variable "primary_url" {
  description = "Where records go first."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^https?://", var.primary_url))
    error_message = "primary_url does not begin with https://."
  }
}

variable "primary_token" {
  description = "The bearer token of the primary."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.primary_token == null ? true : length(var.primary_token) > 0
    error_message = "primary_token is empty: leave it out."
  }
}

variable "release" {
  description = "The release of Backstop."
  type        = string
  default     = "0.1.0"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.release))
    error_message = "release is not of the form MAJOR.MINOR.PATCH."
  }
}

variable "layer_zip" {
  description = "The layer's zip for x86_64, from a release or from `scripts/package`."
  type        = string
  default     = "extension-x86_64.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.layer_zip)
    error_message = "layer_zip is not a file that exists."
  }
}

variable "function_zip" {
  description = "The function's code: `zip function.zip index.mjs`."
  type        = string
  default     = "function.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.function_zip)
    error_message = "function_zip is not a file that exists."
  }
}
