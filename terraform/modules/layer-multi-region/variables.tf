variable "release" {
  description = "The release of Backstop that the zip holds, such as `0.1.0`. The layer's name carries it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(0|[1-9][0-9]*)(\\.(0|[1-9][0-9]*)){2}$", var.release))
    error_message = "release is not of the form MAJOR.MINOR.PATCH, without a v: write a release such as 0.1.0."
  }
}

variable "architecture" {
  description = "The architecture that the zip is for, `x86_64` or `arm64`. Each has its own layer."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is neither x86_64 nor arm64."
  }
}

variable "regions" {
  description = "The regions to publish in."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.regions) > 0 && alltrue([for region in var.regions : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", region))])
    error_message = "regions is empty, or has an entry that is not the name of a region: write a name such as eu-west-1."
  }
}

variable "package" {
  description = <<-EOT
    The layer's zip.
    - `path`: a file on the machine that runs Terraform
    - `sha256`: its checksum in hexadecimal, as in the `.sha256` file next to it; the module publishes no other content
  EOT
  type = object({
    path   = string
    sha256 = optional(string)
  })
  nullable = false

  validation {
    condition     = fileexists(var.package.path)
    error_message = "package.path is not a file that exists."
  }
  validation {
    condition     = var.package.sha256 == null ? true : can(regex("^[0-9a-fA-F]{64}$", var.package.sha256))
    error_message = "package.sha256 is not 64 hexadecimal digits."
  }
}

variable "description" {
  description = "The description that the console shows with each version."
  type        = string
  default     = "Backstop: telemetry that is not lost"
  nullable    = false

  validation {
    condition     = length(var.description) <= 256
    error_message = "description has more than the 256 characters that Lambda allows."
  }
}

variable "retain" {
  description = "Whether versions and their permissions stay in AWS when they are replaced or destroyed. A function that names a deleted version can no longer be configured."
  type        = bool
  default     = true
  nullable    = false
}

variable "share_with" {
  description = <<-EOT
    Who else may attach the layer; by default only the account it is in. Removing an entry affects new versions only: a version's permissions stay as long as the version.
    - `accounts`: ids of accounts
    - `organization_id`: every account of an organization, by its id `o-…`
    - `public`: everybody
  EOT
  type = object({
    accounts        = optional(list(string), [])
    organization_id = optional(string)
    public          = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for account in var.share_with.accounts : can(regex("^[0-9]{12}$", account))]) && length(distinct(var.share_with.accounts)) == length(var.share_with.accounts)
    error_message = "share_with.accounts has an entry that is not the id of an account, or one twice: write 12 digits, in quotes."
  }
  validation {
    condition     = var.share_with.organization_id == null ? true : can(regex("^o-[a-z0-9]{10,32}$", var.share_with.organization_id))
    error_message = "share_with.organization_id is not the id of an organization: write o- and 10 to 32 letters and digits."
  }
  validation {
    condition     = !var.share_with.public || (length(var.share_with.accounts) == 0 && var.share_with.organization_id == null)
    error_message = "share_with.public gives access to everybody, so accounts and organization_id have no effect: remove them, or remove public."
  }
}
