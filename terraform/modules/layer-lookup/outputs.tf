output "arn" {
  description = "The ARN of the layer version, for the module `attachment`."
  value       = try(local.layer.arn, null)

  precondition {
    condition     = local.account_id != null
    error_message = length(local.accounts) == 0 ? "The manifest is empty: write it with backstop layer publish --manifest." : "The manifest has the accounts ${join(" and ", local.accounts)}: set account_id to one of them."
  }
  precondition {
    condition     = local.account_id == null || local.has_account
    error_message = "The manifest does not have the account ${coalesce(local.account_id, "?")}. It has ${join(", ", local.accounts)}."
  }
  precondition {
    condition     = !local.has_account || local.has_region
    error_message = "The layer is not published in ${var.region}. The manifest has ${length(local.regions) > 0 ? join(", ", keys(local.regions)) : "no region"}. Publish the layer with backstop layer publish --regions ${var.region}."
  }
  precondition {
    condition     = !local.has_region || local.layer != null
    error_message = "The layer is not published for ${var.architecture} in ${var.region}. The manifest has ${length(local.architectures) > 0 ? join(", ", keys(local.architectures)) : "no architecture"}."
  }
}

output "version" {
  description = "The number of the version."
  value       = try(local.layer.version, null)
}

output "sha256" {
  description = "The checksum of the zip, in hexadecimal."
  value       = try(local.layer.sha256, null)
}
