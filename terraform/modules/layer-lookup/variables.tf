variable "backstop_layers" {
  description = "The manifest: account, region, architecture. `backstop layer publish --manifest layers.tfvars.json` writes it as a file of variables, and the output of the same name of the module `layer` has the same form."
  type = map(map(map(object({
    arn     = string
    version = number
    sha256  = string
  }))))
  nullable = false

  validation {
    condition     = alltrue([for account in keys(var.backstop_layers) : can(regex("^[0-9]{12}$", account))])
    error_message = "backstop_layers has a key at its first level that is not the id of an account, 12 digits."
  }
  validation {
    condition = alltrue(flatten([
      for account, regions in var.backstop_layers : [
        for region, architectures in regions : [
          for architecture, layer in architectures :
          can(regex("^arn:aws[a-z-]*:lambda:${region}:${account}:layer:backstop-extension-${architecture}-[0-9]+-[0-9]+-[0-9]+[0-9A-Za-z_-]*:${layer.version}$", layer.arn))
        ]
      ]
    ]))
    error_message = "backstop_layers has an ARN that does not match its account, region, architecture and version: write the manifest again with backstop layer publish --manifest."
  }
  validation {
    condition = alltrue(flatten([
      for regions in values(var.backstop_layers) : [
        for architectures in values(regions) : [
          for layer in values(architectures) : can(regex("^[0-9a-f]{64}$", layer.sha256))
        ]
      ]
    ]))
    error_message = "backstop_layers has a sha256 that is not 64 lowercase hexadecimal digits."
  }
}

variable "account_id" {
  description = "The account that the layer was published in. Not needed if the manifest has only one."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is not the id of an account: write its 12 digits, in quotes."
  }
}

variable "region" {
  description = "The region of the functions."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", var.region))
    error_message = "region is not the name of a region: write a name such as eu-west-1."
  }
}

variable "architecture" {
  description = "The architecture of the functions, `x86_64` or `arm64`."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is neither x86_64 nor arm64."
  }
}
