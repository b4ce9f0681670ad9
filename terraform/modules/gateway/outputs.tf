output "dns_name" {
  description = "The load balancer's name, for an alias record of the address that functions send to."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "The load balancer's zone, for the same."
  value       = aws_lb.this.zone_id
}

output "worker_security_group_id" {
  description = "The security group of the workers, for endpoints in the VPC."
  value       = aws_security_group.worker.id
}

output "aggregator_security_group_id" {
  description = "The security group of the aggregator, for the same."
  value       = aws_security_group.aggregator.id
}

output "alarm_arns" {
  description = "The ARNs of the alarms, by what they are about."
  value       = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn }
}
