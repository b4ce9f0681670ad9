output "attached" {
  description = "The functions that Backstop is attached to."
  value       = keys(local.selected)
}

output "warnings" {
  description = "What Backstop has to say, by function."
  value       = { for name, attachment in module.attachment : name => attachment.warnings if length(attachment.warnings) > 0 }
}
