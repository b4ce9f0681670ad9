# The load balancer, which ends TLS, and who may reach what.

resource "aws_lb" "this" {
  name                       = var.name
  internal                   = var.load_balancer.internal
  load_balancer_type         = "application"
  subnets                    = var.load_balancer.subnet_ids
  security_groups            = [aws_security_group.load_balancer.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.load_balancer.deletion_protection
  tags                       = var.tags
}

resource "aws_lb_target_group" "door" {
  for_each = { otlp = 4318, ndjson = 8088 }

  name                 = "${var.name}-${each.key}"
  port                 = each.value
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 30
  tags                 = var.tags

  # The health of the process: a full queue must go on to refuse and to drain.
  health_check {
    port     = "13133"
    path     = "/"
    interval = 10
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.load_balancer.certificate_arn
  tags              = var.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.door["otlp"].arn
  }
}

resource "aws_lb_listener_rule" "ndjson" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10
  tags         = var.tags

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.door["ndjson"].arn
  }
  condition {
    path_pattern {
      values = ["/v1/ndjson"]
    }
  }
}

resource "aws_security_group" "load_balancer" {
  name        = "${var.name}-doors"
  description = "The doors of the gateway"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_security_group" "worker" {
  name        = "${var.name}-worker"
  description = "The workers of the gateway"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_security_group" "aggregator" {
  name        = "${var.name}-aggregator"
  description = "The aggregator of the gateway"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "doors" {
  for_each = toset(var.load_balancer.allowed_cidrs)

  security_group_id = aws_security_group.load_balancer.id
  description       = "Functions"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "doors" {
  for_each = toset(["4318", "8088", "13133"])

  security_group_id            = aws_security_group.load_balancer.id
  description                  = "Workers"
  referenced_security_group_id = aws_security_group.worker.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_ingress_rule" "worker" {
  for_each = toset(["4318", "8088", "13133"])

  security_group_id            = aws_security_group.worker.id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

# Between the tiers there is no TLS and no token: only workers may come here.
resource "aws_vpc_security_group_ingress_rule" "aggregator" {
  security_group_id            = aws_security_group.aggregator.id
  description                  = "Workers"
  referenced_security_group_id = aws_security_group.worker.id
  ip_protocol                  = "tcp"
  from_port                    = 4317
  to_port                      = 4317
}

resource "aws_vpc_security_group_egress_rule" "tasks" {
  for_each = { worker = aws_security_group.worker.id, aggregator = aws_security_group.aggregator.id }

  security_group_id = each.value
  description       = "The registry of images, S3, the primary, and from workers the aggregator"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
