output "queue_url" {
  description = "The value for `backstop replay --enqueue` and `--follow`."
  value       = module.replay.queue_url
}

output "state_machine_arn" {
  description = "The state machine that replays the archive's prefix."
  value       = module.replay.state_machine_arn
}

output "fallback" {
  description = "The value for `fallback` of the module `attachment`."
  value       = module.archive.fallback
}
