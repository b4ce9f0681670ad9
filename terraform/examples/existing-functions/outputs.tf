output "attached" {
  description = "The functions that Backstop is attached to."
  value       = keys(local.selected)
}

output "warnings" {
  description = "Backstop's warnings, by function."
  value       = { for name, attachment in module.attachment : name => attachment.warnings if length(attachment.warnings) > 0 }
}
