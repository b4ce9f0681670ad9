output "function_name" {
  description = "The name of the function."
  value       = module.function.name
}

output "replay_from" {
  description = "Where diverted records are: `backstop replay --from … --to …`."
  value       = module.archive.replay_from
}
