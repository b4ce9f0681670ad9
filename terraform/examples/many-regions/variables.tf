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

variable "organization_id" {
  description = "The organization whose accounts may attach the layer."
  type        = string
  default     = null

  validation {
    condition     = var.organization_id == null ? true : can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "organization_id is not the id of an organization: write o- and 10 to 32 letters and digits."
  }
}
