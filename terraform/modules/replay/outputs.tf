output "function_arn" {
  description = "The ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "queue_url" {
  description = "The value for `backstop replay --enqueue` and `--follow`."
  value       = aws_sqs_queue.this.url
}

output "queue_arn" {
  description = "The ARN of the queue, to grant `sqs:SendMessage` on."
  value       = aws_sqs_queue.this.arn
}

output "dead_letter_queue_arn" {
  description = "The ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "state_machine_arn" {
  description = "The ARN of the state machine; null if there is none."
  value       = one(aws_sfn_state_machine.this[*].arn)
}
