/**
 * The gateway on ECS with Fargate: workers behind a load balancer that ends TLS, and one aggregator.
 *
 * It is what the Terraform module `gateway` makes, with the same configuration, ports and permissions, which tests compare.
 */
import { Duration, RemovalPolicy, Token } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, IConnectable, Peer, Port, SecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2';
import { FargateService, FargateTaskDefinition, PropagatedTagSource } from 'aws-cdk-lib/aws-ecs';
import { ApplicationListener, ApplicationLoadBalancer, ApplicationProtocol, ApplicationTargetGroup, ListenerCondition, SslPolicy, TargetType } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { FilterPattern, LogGroup, MetricFilter, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DnsRecordType, PrivateDnsNamespace } from 'aws-cdk-lib/aws-servicediscovery';
import { Construct } from 'constructs';
import { BackstopGatewayProps, gatewayProblems, isRange, nameOf } from './gateway-settings';
import { GatewayTasks } from './gateway-tasks';
import { acknowledge } from './grants';

/** The doors of a worker, and its health: the load balancer asks for it on a port of its own. */
const DOORS = { otlp: 4318, ndjson: 8088 };
const HEALTH = 13133;
const TIER = 4317;

/** What these two fail to send stays in the queue before them. */
const OTHERS = '-"otlp_http/primary" -"awss3/undelivered"';
/** The collector's own log says what was dropped, refused and not taken: ECS has nothing that reads its metrics. */
const ALARMS = {
  dropped: {
    pattern: `"Exporting failed. Dropping data" ${OTHERS}`,
    periods: 1,
    description: 'The gateway dropped records after an error that is not retried: replay the archive of this time.',
  },
  refused: {
    pattern: `"Exporting failed. Rejecting data" ${OTHERS}`,
    periods: 1,
    description: 'A queue of the gateway is full, and functions divert to their own fallback.',
  },
  memory: {
    pattern: '"Refusing data"',
    periods: 1,
    description: 'A task of the gateway is short of memory and refuses: functions divert, or a queue grows.',
  },
  undelivered: {
    pattern: '"Exporting failed. Rejecting data" "otlp_http/primary"',
    periods: 1,
    description: 'The primary did not take records, which are in S3 below undelivered/: replay them once it does.',
  },
  waiting: {
    // A deployment replaces the aggregator, which takes one or two periods.
    pattern: '"Exporting failed. Will retry" -"otlp_http/primary"',
    periods: 3,
    description: 'A queue of the gateway waits for the aggregator or for S3, and is lost with its task.',
  },
};

/**
 * A gateway: functions send to it, and it filters, reduces, archives and forwards. Let functions in by their addresses with
 * `loadBalancer.allowedCidrs`, or by their security group with `connections`.
 */
export class BackstopGateway extends Construct implements IConnectable {
  /** The load balancer: the target of an alias record for the address that functions send to. */
  public readonly loadBalancer: ApplicationLoadBalancer;
  /** The doors, so that a function's security group can be let in. */
  public readonly connections: Connections;
  /** The service of the workers; its `connections` are for endpoints in the VPC. */
  public readonly workers: FargateService;
  /** The service of the aggregator; its `connections` are for the same. */
  public readonly aggregator: FargateService;
  /** The log group of the collectors. */
  public readonly logGroup: LogGroup;
  /** The alarms. */
  public readonly alarms: Alarm[] = [];
  private readonly gatewayName: string;
  private readonly props: BackstopGatewayProps;

  constructor(scope: Construct, id: string, props: BackstopGatewayProps) {
    super(scope, id);
    this.props = props;
    this.gatewayName = nameOf(props);
    this.node.addValidation({ validate: () => [...gatewayProblems(props), ...this.subnetProblems()] });

    this.logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/backstop/${this.gatewayName}`,
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
      encryptionKey: props.logKey,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const namespace = new PrivateDnsNamespace(this, 'Namespace', { name: `${this.gatewayName}.internal`, vpc: props.cluster.vpc });
    const tasks = new GatewayTasks(this, 'Tasks', props, this.logGroup, `dns:///aggregator.${namespace.namespaceName}:${TIER}`);
    this.workers = this.makeService('Workers', 'worker', tasks.worker, {
      desiredCount: props.workers?.count ?? 2, minHealthyPercent: 100, maxHealthyPercent: 200, healthCheckGracePeriod: Duration.seconds(60),
    });
    this.aggregator = this.makeService('Aggregator', 'aggregator', tasks.aggregator, {
      // One: two would split what is folded. Workers hold what comes in while it is replaced.
      desiredCount: 1, minHealthyPercent: 0, maxHealthyPercent: 100,
    });
    // What workers hold while the aggregator is replaced is delivered before they are.
    this.workers.node.addDependency(this.aggregator);
    for (const service of [this.workers, this.aggregator]) service.node.addDependency(...tasks.policies);
    this.aggregator.associateCloudMapService({
      service: namespace.createService('Address', { name: 'aggregator', dnsRecordType: DnsRecordType.A, dnsTtl: Duration.seconds(10) }),
    });
    // Between the tiers there is no TLS and no token: only workers may come here.
    this.aggregator.connections.allowFrom(this.workers, Port.tcp(TIER), 'Workers');

    this.loadBalancer = this.makeLoadBalancer();
    this.connections = new Connections({ securityGroups: this.loadBalancer.connections.securityGroups, defaultPort: Port.tcp(443) });
    this.makeDoors();
    if (props.hasAlarms ?? true) this.makeAlarms();
  }

  private makeService(id: string, tier: string, taskDefinition: FargateTaskDefinition, options: {
    desiredCount: number; minHealthyPercent: number; maxHealthyPercent: number; healthCheckGracePeriod?: Duration;
  }): FargateService {
    const { cluster, vpcSubnets } = this.props;
    const group = new SecurityGroup(this, `${id}Group`, {
      // The registry of images, S3, the primary, and from workers the aggregator.
      vpc: cluster.vpc, securityGroupName: `${this.gatewayName}-${tier}`, description: `The tier ${tier} of the gateway`, allowAllOutbound: true,
    });
    return new FargateService(this, id, {
      ...options,
      serviceName: `${this.gatewayName}-${tier}`,
      cluster,
      taskDefinition,
      vpcSubnets,
      securityGroups: [group],
      assignPublicIp: false,
      circuitBreaker: { enable: true, rollback: true },
      propagateTags: PropagatedTagSource.SERVICE,
    });
  }

  private makeLoadBalancer(): ApplicationLoadBalancer {
    const { cluster: { vpc }, loadBalancer: { vpcSubnets, internal = true, deletionProtection = false, allowedCidrs = [] } } = this.props;
    const group = new SecurityGroup(this, 'DoorsGroup', {
      vpc, securityGroupName: `${this.gatewayName}-doors`, description: 'The doors of the gateway', allowAllOutbound: false,
    });
    for (const cidr of allowedCidrs.filter(isRange)) group.addIngressRule(Peer.ipv4(cidr), Port.tcp(443), 'Functions');
    const loadBalancer = new ApplicationLoadBalancer(this, 'LoadBalancer', {
      loadBalancerName: this.gatewayName,
      vpc,
      vpcSubnets,
      internetFacing: !internal,
      securityGroup: group,
      dropInvalidHeaderFields: true,
      deletionProtection,
    });
    acknowledge(loadBalancer, 'AwsSolutions-ELB2', 'Users who need access logs call loadBalancer.logAccessLogs with a bucket of theirs.');
    return loadBalancer;
  }

  private makeDoors(): void {
    const [otlp, ndjson] = [this.makeDoor('otlp'), this.makeDoor('ndjson')];
    const listener: ApplicationListener = this.loadBalancer.addListener('Https', {
      port: 443,
      protocol: ApplicationProtocol.HTTPS,
      sslPolicy: SslPolicy.RECOMMENDED_TLS,
      certificates: [this.props.loadBalancer.certificate],
      open: false,
      defaultTargetGroups: [otlp],
    });
    listener.addTargetGroups('Ndjson', { priority: 10, conditions: [ListenerCondition.pathPatterns(['/v1/ndjson'])], targetGroups: [ndjson] });
    this.workers.connections.allowFrom(this.loadBalancer, Port.tcp(HEALTH), 'The load balancer');
  }

  private makeDoor(door: keyof typeof DOORS): ApplicationTargetGroup {
    const group = new ApplicationTargetGroup(this, door, {
      targetGroupName: `${this.gatewayName}-${door}`,
      vpc: this.props.cluster.vpc,
      port: DOORS[door],
      protocol: ApplicationProtocol.HTTP,
      targetType: TargetType.IP,
      deregistrationDelay: Duration.seconds(30),
      // The health of the process: a full queue must go on to refuse and to drain.
      healthCheck: { port: String(HEALTH), path: '/', interval: Duration.seconds(10) },
    });
    group.addTarget(this.workers.loadBalancerTarget({ containerName: 'collector', containerPort: DOORS[door] }));
    return group;
  }

  private makeAlarms(): void {
    for (const [kind, { pattern, periods, description }] of Object.entries(ALARMS)) {
      const [metricNamespace, metricName] = ['Backstop/Gateway', `${this.gatewayName}-${kind}`];
      new MetricFilter(this, `${kind}-filter`, {
        logGroup: this.logGroup, filterName: metricName, filterPattern: FilterPattern.literal(pattern), metricNamespace, metricName, metricValue: '1',
      });
      const alarm = new Alarm(this, kind, {
        alarmName: metricName,
        alarmDescription: description,
        metric: new Metric({ namespace: metricNamespace, metricName, statistic: 'Sum', period: Duration.minutes(5) }),
        threshold: 0,
        evaluationPeriods: periods,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        // What is zero is not reported.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
      alarm.addAlarmAction(...(this.props.alarms?.actions ?? []));
      alarm.addOkAction(...(this.props.alarms?.actions ?? []));
      this.alarms.push(alarm);
    }
  }

  /** What is wrong with the subnets; a list that is known at deployment is not judged. */
  private subnetProblems(): string[] {
    const { cluster: { vpc }, loadBalancer: { vpcSubnets, internal = true } } = this.props;
    const { subnetIds } = vpc.selectSubnets(vpcSubnets ?? { subnetType: internal ? undefined : SubnetType.PUBLIC });
    return !Token.isUnresolved(subnetIds) && subnetIds.length < 2 ? ['loadBalancer.vpcSubnets has fewer than two subnets.'] : [];
  }
}
