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

variable "image_uri" {
  description = "The image, by digest, so that a plan shows when the image changes."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "image_uri has no digest: write REPOSITORY@sha256:DIGEST."
  }
}
