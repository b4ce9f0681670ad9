output "arn" {
  description = "The ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "name" {
  description = "The name of the function."
  value       = aws_lambda_function.this.function_name
}

output "invoke_arn" {
  description = "The ARN by which API Gateway invokes the function."
  value       = aws_lambda_function.this.invoke_arn
}

output "role_name" {
  description = "The name of the function's role, to attach policies to."
  value       = aws_iam_role.this.name
}

output "warnings" {
  description = "Settings that work but may not be what you mean, as sentences; empty if there are none."
  value       = module.attachment.warnings
}
