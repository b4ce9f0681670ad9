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

variable "alarm_topic_arn" {
  description = "The SNS topic to notify."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null ? true : can(regex("^arn:aws[a-z-]*:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn is not the ARN of an SNS topic."
  }
}
