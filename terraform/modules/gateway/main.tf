# The gateway on ECS with Fargate: workers behind a load balancer, and one aggregator. The configuration is that of
# gateway/collector, which the tests of the repository run.

data "aws_region" "current" {}

locals {
  region = data.aws_region.current.id
  tiers = {
    worker = {
      files = concat(
        ["common.yaml", "worker.yaml"],
        var.archive.raw ? ["options/archive.yaml"] : [],
        [for preset in local.presets : "presets/${preset}.worker.yaml"],
      )
      ports = [4318, 8088]
      size  = var.workers
      count = var.workers.count
      variables = {
        GATEWAY_AGGREGATOR = "dns:///aggregator.${aws_service_discovery_private_dns_namespace.this.name}:4317"
      }
      secrets = {
        GATEWAY_TOKEN          = var.token_secret_arn
        GATEWAY_PREVIOUS_TOKEN = coalesce(var.previous_token_secret_arn, var.token_secret_arn)
      }
    }
    aggregator = {
      files = concat(
        ["common.yaml", "aggregator.yaml"],
        [for preset in local.presets : "presets/${preset}.aggregator.yaml" if fileexists("${path.module}/config/presets/${preset}.aggregator.yaml")],
        var.primary.authorization_secret_arn == null ? [] : ["options/authorization.yaml"],
      )
      ports = [4317]
      size  = var.aggregator
      count = 1
      variables = {
        GATEWAY_PRIMARY_URL      = var.primary.url
        GATEWAY_PRIMARY_PATIENCE = var.primary.patience
      }
      secrets = var.primary.authorization_secret_arn == null ? {} : {
        GATEWAY_PRIMARY_AUTHORIZATION = var.primary.authorization_secret_arn
      }
    }
  }
  # In this order, whatever the order of the list.
  presets = [for preset in ["cost", "security", "insights"] : preset if contains(var.presets, preset)]
  secrets = distinct(flatten([for tier in local.tiers : values(tier.secrets)]))
  # A task's disk of 21 GiB, of which the image takes some: the parts are those of common.yaml.
  queue_variables = {
    GATEWAY_QUEUE_DIRECTORY     = "/var/lib/gateway/queue"
    GATEWAY_FILE_BYTES          = "2850000000"
    GATEWAY_QUEUE_BYTES         = "1050000000"
    GATEWAY_ARCHIVE_QUEUE_BYTES = "1050000000"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/backstop/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name = "${var.name}.internal"
  vpc  = var.vpc_id
  tags = var.tags
}

resource "aws_service_discovery_service" "aggregator" {
  name = "aggregator"
  tags = var.tags

  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.this.id
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}

resource "aws_ecs_task_definition" "this" {
  for_each = local.tiers

  lifecycle {
    precondition {
      condition     = var.archive.raw || !contains(var.presets, "cost")
      error_message = "The preset cost removes records for good without archive.raw: set it to true, or leave the preset out."
    }
  }

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.size.cpu
  memory                   = each.value.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task[each.key].arn
  tags                     = var.tags

  volume {
    name = "queue"
  }

  container_definitions = jsonencode([{
    name      = "collector"
    image     = var.image
    essential = true
    # The collector reads its configuration from variables: the image has no shell to write a file.
    command = [for number in range(length(each.value.files)) : "--config=env:CONFIGURATION_${number}"]
    environment = concat(
      [for number, file in each.value.files : { name = "CONFIGURATION_${number}", value = file("${path.module}/config/${file}") }],
      [for name, value in merge(
        {
          GATEWAY_REGION = local.region
          GATEWAY_BUCKET = var.archive.bucket_name
          GATEWAY_PREFIX = var.archive.prefix
          GOMEMLIMIT     = "${floor(each.value.size.memory * 4 / 5)}MiB"
        },
        local.queue_variables,
        each.value.variables,
        var.preset_settings,
      ) : { name = name, value = value }],
    )
    secrets                = [for name, arn in each.value.secrets : { name = name, valueFrom = arn }]
    portMappings           = [for port in each.value.ports : { containerPort = port, protocol = "tcp" }]
    readonlyRootFilesystem = true
    # Fargate makes the volume for root; without capabilities root may write there, and little else.
    user            = "0"
    linuxParameters = { capabilities = { drop = ["ALL"] } }
    mountPoints     = [{ sourceVolume = "queue", containerPath = "/var/lib/gateway", readOnly = false }]
    # What is being sent goes to the primary or to S3 in this time, and what a fold holds. Records that wait in a queue
    # behind that stay on the disk, which goes with the task.
    stopTimeout = 120
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
}

resource "aws_ecs_service" "worker" {
  name                               = "${var.name}-worker"
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.this["worker"].arn
  desired_count                      = var.workers.count
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 60
  propagate_tags                     = "SERVICE"
  tags                               = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [aws_security_group.worker.id]
  }
  dynamic "load_balancer" {
    for_each = aws_lb_target_group.door
    content {
      target_group_arn = load_balancer.value.arn
      container_name   = "collector"
      container_port   = load_balancer.value.port
    }
  }

  # Behind the aggregator: what workers hold while it is replaced is delivered before they are.
  depends_on = [aws_lb_listener.https, aws_lb_listener_rule.ndjson, aws_ecs_service.aggregator]
}

resource "aws_ecs_service" "aggregator" {
  name            = "${var.name}-aggregator"
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this["aggregator"].arn
  # One: two would split what is folded. Workers hold what comes in while it is replaced.
  desired_count                      = 1
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  wait_for_steady_state              = true
  propagate_tags                     = "SERVICE"
  tags                               = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [aws_security_group.aggregator.id]
  }
  service_registries {
    registry_arn = aws_service_discovery_service.aggregator.arn
  }
}
