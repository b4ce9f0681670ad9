variable "backstop_layers" {
  description = "The manifest that `backstop layer publish --manifest layers.tfvars.json` wrote; pass it with `-var-file layers.tfvars.json`."
  type = map(map(map(object({
    arn     = string
    version = number
    sha256  = string
  }))))
  nullable = false

  validation {
    condition     = length(var.backstop_layers) > 0
    error_message = "backstop_layers is empty."
  }
}

variable "region" {
  description = "The region of the function."
  type        = string
  default     = "eu-west-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", var.region))
    error_message = "region is not the name of a region: write a name such as eu-west-1."
  }
}
