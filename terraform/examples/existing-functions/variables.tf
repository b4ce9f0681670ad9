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

variable "function_zip" {
  description = "The code of the functions."
  type        = string
  default     = "function.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.function_zip)
    error_message = "function_zip is not a file that exists."
  }
}

variable "layer_arns" {
  description = "The layer version for each architecture, from the module `layer` or from `backstop layer publish`."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for architecture in keys(var.layer_arns) : contains(["x86_64", "arm64"], architecture)])
    error_message = "layer_arns has a key that is neither x86_64 nor arm64."
  }
}

variable "select" {
  description = <<-EOT
    The functions to attach Backstop to.
    - `names`: by name; `*` matches any characters
    - `tags`: by tag, all of them
  EOT
  type = object({
    names = optional(list(string), [])
    tags  = optional(map(string), {})
  })
  default  = { tags = { telemetry = "backstop" } }
  nullable = false

  validation {
    condition     = alltrue([for name in var.select.names : can(regex("^[a-zA-Z0-9_*-]+$", name))])
    error_message = "select.names has a character other than letters, digits, hyphens, underscores and *."
  }
}
