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

variable "regions" {
  description = "The regions to publish in. To remove a region, first add it to `regions_to_leave` and apply: Terraform needs its provider to destroy the layer."
  type        = set(string)
  default     = ["eu-west-1", "eu-central-1", "us-east-1"]
  nullable    = false

  validation {
    condition     = alltrue([for region in var.regions : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", region))])
    error_message = "regions has an entry that is not the name of a region: write a name such as eu-west-1."
  }
}

variable "regions_to_leave" {
  description = "Regions whose providers stay while their layers are destroyed."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for region in var.regions_to_leave : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", region))])
    error_message = "regions_to_leave has an entry that is not the name of a region: write a name such as eu-west-1."
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
