output "function_arn" {
  description = "The ARN of the function, for `aws_lambda_invocation` and as a `ServiceToken`."
  value       = aws_lambda_function.this.arn
}

output "function_name" {
  description = "The name of the function."
  value       = aws_lambda_function.this.function_name
}

output "role_arn" {
  description = "The ARN of the function's role, for the trust policies of the roles in other accounts."
  value       = aws_iam_role.this.arn
}

output "state" {
  description = "The value for `--state` of `backstop undo`, `backstop runs` and `backstop controller status`."
  value       = "s3://${var.state.bucket}/${var.state.prefix}"
}

output "dead_letter_queue_arn" {
  description = "The ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}
