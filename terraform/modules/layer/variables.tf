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

variable "package" {
  description = <<-EOT
    The location of the layer's zip: one of `path`, `s3` and `url`.
    - `path`: a file on the machine that runs Terraform
    - `s3`: an object in a bucket of the provider's region; needs `sha256`
    - `url`: the https address of a release, downloaded with `curl`; needs `sha256`
    - `sha256`: the checksum of the zip in hexadecimal, as in the `.sha256` file next to it; the module publishes no other content
  EOT
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket         = string
      key            = string
      object_version = optional(string)
    }))
    url    = optional(string)
    sha256 = optional(string)
  })
  nullable = false

  validation {
    condition     = length([for given in [var.package.path != null, var.package.s3 != null, var.package.url != null] : given if given]) == 1
    error_message = "package must name exactly one of path, s3 and url."
  }
  validation {
    condition     = var.package.path != null || var.package.sha256 != null
    error_message = "package has no sha256: set it, because the module publishes nothing unchecked from S3 or from a URL."
  }
  validation {
    condition     = var.package.sha256 == null ? true : can(regex("^[0-9a-fA-F]{64}$", var.package.sha256))
    error_message = "package.sha256 is not 64 hexadecimal digits."
  }
  validation {
    condition     = var.package.url == null ? true : can(regex("^(https://|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])[:/])", var.package.url))
    error_message = "package.url does not begin with https://; plain http is accepted for loopback only."
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
