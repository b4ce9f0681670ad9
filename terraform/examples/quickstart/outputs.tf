output "function_name" {
  description = "The name of the function. To try it: `aws lambda invoke --function-name NAME /dev/stdout`."
  value       = module.function.name
}

output "replay_from" {
  description = "Where diverted records are: `backstop replay --from … --to …`."
  value       = module.archive.replay_from
}

output "warnings" {
  description = "Backstop's warnings."
  value       = module.function.warnings
}
