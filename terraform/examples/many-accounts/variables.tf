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

variable "tooling_account_id" {
  description = "The account that holds the layer for all others."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.tooling_account_id))
    error_message = "tooling_account_id is not the id of an account: write its 12 digits, in quotes."
  }
}

variable "workload_account_id" {
  description = "An account that has functions."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.workload_account_id))
    error_message = "workload_account_id is not the id of an account: write its 12 digits, in quotes."
  }
}

variable "organization_id" {
  description = "The organization of both accounts."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "organization_id is not the id of an organization: write o- and 10 to 32 letters and digits."
  }
}

variable "role_name" {
  description = "The role to assume in each account."
  type        = string
  default     = "terraform"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9+=,.@_-]{1,64}$", var.role_name))
    error_message = "role_name is not the name of a role."
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
  description = "The layer's zip for arm64."
  type        = string
  default     = "extension-arm64.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.layer_zip)
    error_message = "layer_zip is not a file that exists."
  }
}

variable "function_zip" {
  description = "The code of the function."
  type        = string
  default     = "function.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.function_zip)
    error_message = "function_zip is not a file that exists."
  }
}
