output "fallback" {
  description = "The value for `fallback` of the module `attachment`."
  value       = module.archive.fallback
}

output "replay_from" {
  description = "The value for `backstop replay --from`."
  value       = module.archive.replay_from
}

output "athena_database" {
  description = "The database with the tables `streamed` and `direct`."
  value       = module.archive.athena_database
}
