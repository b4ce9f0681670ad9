/** The gateway: what it makes, with which configuration, who may reach what, and what its roles may do. */
import * as fs from 'fs';
import * as path from 'path';
import { App, Duration, Fn, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Peer, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { Alias, Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { statementsOf } from './app';
import { verdictOn } from './nag';
import { BackstopGateway, BackstopGatewayPreset, BackstopGatewayProps } from '../src';

const ROOT = path.join(__dirname, '../..');
const ACCOUNT = { account: '123456789012', region: 'eu-west-1' };
const PERMISSIONS = JSON.parse(fs.readFileSync(path.join(ROOT, 'terraform/modules/gateway/tests/permissions.json'), 'utf8'));
const DIGEST = `sha256:${'0'.repeat(64)}`;
const { COST, SECURITY, INSIGHTS } = BackstopGatewayPreset;

/** A network of the account, which a gateway does not make. */
function clusterIn(stack: Stack, zones = 2) {
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-11111111',
    availabilityZones: ['eu-west-1a', 'eu-west-1b'].slice(0, zones),
    privateSubnetIds: ['subnet-11111111', 'subnet-22222222'].slice(0, zones),
    publicSubnetIds: ['subnet-33333333', 'subnet-44444444'].slice(0, zones),
  });
  return Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'main', vpc });
}

const secretIn = (stack: Stack, name: string, encryptionKey?: Key) => Secret.fromSecretAttributes(stack, name, {
  secretCompleteArn: `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}-abcdef`, encryptionKey,
});
const keyIn = (stack: Stack, id: string) => Key.fromKeyArn(stack, `Key${id}`, `arn:aws:kms:eu-west-1:123456789012:key/${id}`) as Key;

const leastIn = (stack: Stack): BackstopGatewayProps => ({
  cluster: clusterIn(stack),
  image: `otel/opentelemetry-collector-contrib@${DIGEST}`,
  token: secretIn(stack, 'gateway'),
  primary: { url: 'https://otlp.example.com' },
  archive: { bucket: Bucket.fromBucketName(stack, 'Bucket', 'my-archive') },
  loadBalancer: {
    certificate: Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:eu-west-1:123456789012:certificate/1'), allowedCidrs: ['10.0.0.0/8'],
  },
});

const everythingIn = (stack: Stack): Partial<BackstopGatewayProps> => ({
  gatewayName: 'shop',
  image: `444455556666.dkr.ecr.eu-central-1.amazonaws.com/mirror/collector@${DIGEST}`,
  token: secretIn(stack, 'gateway', keyIn(stack, '2')),
  previousToken: secretIn(stack, 'previous'),
  primary: { url: 'https://otlp.example.com', authorization: secretIn(stack, 'backend'), patience: Duration.seconds(30) },
  archive: {
    bucket: Bucket.fromBucketAttributes(stack, 'Encrypted', { bucketName: 'my-archive', encryptionKey: keyIn(stack, '1') }), prefix: 'a/b',
  },
  presets: [INSIGHTS, COST, SECURITY],
  presetSettings: { samplePercent: 10, foldInterval: Duration.minutes(1) },
  workers: { count: 4 },
  aggregator: { cpu: 2048, memoryLimitMiB: 4096 },
  logRetention: RetentionDays.ONE_YEAR,
});

function gatewayIn(change: (stack: Stack) => Partial<BackstopGatewayProps> = () => ({})) {
  const stack = new Stack(new App(), 'Platform', { env: ACCOUNT });
  // What is not used is still there, and makes nothing: it is only named.
  const least = leastIn(stack);
  const changed = change(new Stack(stack.node.root, 'Names', { env: ACCOUNT }));
  const gateway = new BackstopGateway(stack, 'Gateway', { ...least, ...changed });
  return { stack, gateway, template: () => Template.fromStack(stack) };
}

/** The only container of a tier. */
function containerOf(template: Template, tier: string): any {
  const tasks = Object.values(template.findResources('AWS::ECS::TaskDefinition'));
  const [container] = tasks.find(({ Properties }) => Properties.Family.endsWith(tier))!.Properties.ContainerDefinitions;
  const variables = Object.fromEntries(container.Environment.map(({ Name, Value }: any) => [Name, Value]));
  return { ...container, bytes: JSON.stringify([container]).length, variables };
}

/** The files that a tier loads, by what is in them. */
function filesOf(template: Template, tier: string): string[] {
  const { Command, variables } = containerOf(template, tier);
  const collector = path.join(ROOT, 'gateway/collector');
  const inFolder = (folder: string) => fs.readdirSync(path.join(collector, folder)).map((file) => path.posix.join(folder, file));
  const all = ['', 'options', 'presets'].flatMap(inFolder).filter((file) => file.endsWith('.yaml'));
  const names = Object.fromEntries(all.map((file) => [fs.readFileSync(path.join(collector, file), 'utf8'), file]));
  return Command.map((argument: string) => names[variables[argument.replace('--config=env:', '')]]);
}

test('by default there are two workers, one aggregator, a load balancer and five alarms', () => {
  const { template, gateway } = gatewayIn();
  const made = template();
  made.hasResourceProperties('AWS::ECS::Service', {
    ServiceName: 'backstop-gateway-worker',
    DesiredCount: 2,
    LaunchType: 'FARGATE',
    PropagateTags: 'SERVICE',
    HealthCheckGracePeriodSeconds: 60,
    DeploymentConfiguration: { MinimumHealthyPercent: 100, MaximumPercent: 200, DeploymentCircuitBreaker: { Enable: true, Rollback: true } },
    NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED', Subnets: ['subnet-11111111', 'subnet-22222222'] } },
    LoadBalancers: [4318, 8088].map((ContainerPort) => Match.objectLike({ ContainerName: 'collector', ContainerPort })),
  });
  // Two would split what is folded.
  made.hasResourceProperties('AWS::ECS::Service', {
    ServiceName: 'backstop-gateway-aggregator',
    DesiredCount: 1,
    DeploymentConfiguration: { MinimumHealthyPercent: 0, MaximumPercent: 100 },
    ServiceRegistries: [Match.anyValue()],
  });
  made.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', { Name: 'backstop-gateway', Scheme: 'internal', Subnets: ['subnet-11111111', 'subnet-22222222'] });
  made.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', { Port: 443, Protocol: 'HTTPS', SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06' });
  made.hasResourceProperties('AWS::ElasticLoadBalancingV2::ListenerRule', { Priority: 10, Conditions: [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/v1/ndjson'] } }] });
  made.resourceCountIs('AWS::ElasticLoadBalancingV2::TargetGroup', 2);
  made.allResourcesProperties('AWS::ElasticLoadBalancingV2::TargetGroup', { TargetType: 'ip', Protocol: 'HTTP', HealthCheckPort: '13133', HealthCheckPath: '/', HealthCheckIntervalSeconds: 10 });
  made.hasResourceProperties('AWS::ServiceDiscovery::PrivateDnsNamespace', { Name: 'backstop-gateway.internal', Vpc: 'vpc-11111111' });
  made.hasResourceProperties('AWS::ServiceDiscovery::Service', { Name: 'aggregator', DnsConfig: { DnsRecords: [{ TTL: 10, Type: 'A' }] } });
  made.hasResourceProperties('AWS::Logs::LogGroup', { LogGroupName: '/backstop/backstop-gateway', RetentionInDays: 30 });
  expect(gateway.alarms).toHaveLength(5);
  made.allResourcesProperties('AWS::CloudWatch::Alarm', { Namespace: 'Backstop/Gateway', Period: 300, Statistic: 'Sum', TreatMissingData: 'notBreaching' });
  made.hasResourceProperties('AWS::Logs::MetricFilter', {
    FilterPattern: '"Exporting failed. Rejecting data" -"otlp_http/primary" -"awss3/undelivered"',
    MetricTransformations: [{ MetricName: 'backstop-gateway-refused', MetricNamespace: 'Backstop/Gateway', MetricValue: '1' }],
  });
});

test('the tasks have the configuration of gateway/collector, and no secret', () => {
  const made = gatewayIn().template();
  expect(filesOf(made, 'worker')).toEqual(['common.yaml', 'worker.yaml', 'options/archive.yaml']);
  expect(filesOf(made, 'aggregator')).toEqual(['common.yaml', 'aggregator.yaml']);
  for (const tier of ['worker', 'aggregator']) {
    expect(containerOf(made, tier)).toMatchObject({
      ReadonlyRootFilesystem: true,
      User: '0',
      StopTimeout: 120,
      LinuxParameters: { Capabilities: { Drop: ['ALL'] } },
      MountPoints: [{ ContainerPath: '/var/lib/gateway', SourceVolume: 'queue', ReadOnly: false }],
      variables: { GATEWAY_REGION: 'eu-west-1', GATEWAY_BUCKET: 'my-archive', GATEWAY_PREFIX: 'gateway', GOMEMLIMIT: '1638MiB', GATEWAY_FILE_BYTES: '2850000000' },
    });
  }
  expect(containerOf(made, 'worker').variables.GATEWAY_AGGREGATOR).toBe('dns:///aggregator.backstop-gateway.internal:4317');
  expect(containerOf(made, 'aggregator').variables).toMatchObject({ GATEWAY_PRIMARY_URL: 'https://otlp.example.com', GATEWAY_PRIMARY_PATIENCE: '10s' });
  // Both tokens are the one there is.
  const ValueFrom = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:gateway-abcdef';
  expect(containerOf(made, 'worker').Secrets).toEqual([{ Name: 'GATEWAY_TOKEN', ValueFrom }, { Name: 'GATEWAY_PREVIOUS_TOKEN', ValueFrom }]);
});

test('presets are in their order, whatever the order of the list', () => {
  const made = gatewayIn(everythingIn).template();
  expect(filesOf(made, 'worker')).toEqual(['common.yaml', 'worker.yaml', 'options/archive.yaml', ...['cost', 'security', 'insights'].map((preset) => `presets/${preset}.worker.yaml`)]);
  // Security has nothing for this tier.
  expect(filesOf(made, 'aggregator')).toEqual(['common.yaml', 'aggregator.yaml', 'presets/cost.aggregator.yaml', 'presets/insights.aggregator.yaml', 'options/authorization.yaml']);
  expect(containerOf(made, 'worker').variables).toMatchObject({ GATEWAY_SAMPLE_PERCENT: '10', GATEWAY_FOLD_INTERVAL: '60s', GATEWAY_PREFIX: 'a/b' });
  expect(containerOf(made, 'aggregator').variables).toMatchObject({ GATEWAY_PRIMARY_PATIENCE: '30s', GOMEMLIMIT: '3276MiB' });
  // ECS takes 64 KiB.
  for (const tier of ['worker', 'aggregator']) expect(containerOf(made, tier).bytes).toBeLessThan(60_000);
});

test.each(['smallest', 'everything'])('the roles of %s have the statements of the Terraform module', (name) => {
  const { stack } = gatewayIn(name === 'everything' ? everythingIn : undefined);
  expect(statementsOf(stack, /TasksStart/)).toEqual(PERMISSIONS[name].start);
  expect(statementsOf(stack, /TasksArchiveworker/)).toEqual(PERMISSIONS[name].worker);
  expect(statementsOf(stack, /TasksArchiveaggregator/)).toEqual(PERMISSIONS[name].aggregator);
  // And nothing else has a policy.
  const { start, worker, aggregator } = PERMISSIONS[name];
  expect(statementsOf(stack, /./)).toHaveLength(start.length + worker.length + aggregator.length);
});

test('only the load balancer reaches the workers, and only workers the aggregator', () => {
  const made = gatewayIn().template();
  const groups = made.findResources('AWS::EC2::SecurityGroup');
  const nameOf = (value: any): string => groups[value?.['Fn::GetAtt']?.[0]]?.Properties.GroupName ?? '?';
  const rules = Object.values(made.findResources('AWS::EC2::SecurityGroupIngress')).map(({ Properties: rule }) => {
    expect(rule.FromPort).toBe(rule.ToPort);
    return `${nameOf(rule.SourceSecurityGroupId)} > ${nameOf(rule.GroupId)}:${rule.FromPort}`;
  });
  expect(rules.sort()).toEqual([
    'backstop-gateway-doors > backstop-gateway-worker:13133',
    'backstop-gateway-doors > backstop-gateway-worker:4318',
    'backstop-gateway-doors > backstop-gateway-worker:8088',
    'backstop-gateway-worker > backstop-gateway-aggregator:4317',
  ]);
  const inline = Object.values(groups).map(({ Properties }) => [Properties.GroupName, (Properties.SecurityGroupIngress ?? []).map(({ CidrIp, FromPort }: any) => `${CidrIp}:${FromPort}`)]);
  expect(Object.fromEntries(inline)).toEqual({ 'backstop-gateway-doors': ['10.0.0.0/8:443'], 'backstop-gateway-worker': [], 'backstop-gateway-aggregator': [] });
  const egress = Object.values(made.findResources('AWS::EC2::SecurityGroupEgress')).map(({ Properties: rule }) => `${nameOf(rule.GroupId)}:${rule.FromPort}`);
  expect(egress.sort()).toEqual(['backstop-gateway-doors:13133', 'backstop-gateway-doors:4318', 'backstop-gateway-doors:8088']);
});

test('a group of functions is let in by the connections', () => {
  const { stack, gateway, template } = gatewayIn();
  gateway.connections.allowDefaultPortFrom(SecurityGroup.fromSecurityGroupId(stack, 'Functions', 'sg-11111111'));
  gateway.connections.allowDefaultPortFrom(Peer.prefixList('pl-11111111'));
  template().hasResourceProperties('AWS::EC2::SecurityGroupIngress', { SourceSecurityGroupId: 'sg-11111111', FromPort: 443, ToPort: 443 });
});

test('a service starts when its roles may do what it needs and its doors are open', () => {
  const services = Object.values(gatewayIn().template().findResources('AWS::ECS::Service'));
  for (const { DependsOn } of services) {
    expect(DependsOn).toEqual(expect.arrayContaining([expect.stringMatching(/TasksStart/), expect.stringMatching(/TasksArchive/)]));
  }
  const all = services.flatMap(({ DependsOn }) => DependsOn);
  expect(all).toEqual(expect.arrayContaining([expect.stringMatching(/LoadBalancerHttps/), expect.stringMatching(/NdjsonRule/)]));
  // Else both tiers are replaced at once, and what the workers hold for the aggregator goes with their disks.
  expect(all).toContainEqual(expect.stringMatching(/AggregatorService/));
});

test('alarms notify, or are left out', () => {
  const { template } = gatewayIn((stack) => ({ alarms: { actions: [new SnsAction(Topic.fromTopicArn(stack, 'Ops', 'arn:aws:sns:eu-west-1:123456789012:ops'))] } }));
  template().allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: ['arn:aws:sns:eu-west-1:123456789012:ops'], OKActions: ['arn:aws:sns:eu-west-1:123456789012:ops'] });
  const none = gatewayIn(() => ({ hasAlarms: false })).template();
  none.resourceCountIs('AWS::CloudWatch::Alarm', 0);
  none.resourceCountIs('AWS::Logs::MetricFilter', 0);
});

test('what is known at deployment is not judged', () => {
  const { template } = gatewayIn((stack) => ({ primary: { url: Fn.importValue('Url') }, archive: { bucket: new Bucket(stack, 'Own') } }));
  expect(containerOf(template(), 'aggregator').variables.GATEWAY_PRIMARY_URL).toEqual({ 'Fn::ImportValue': 'Url' });
});

const LOAD_BALANCER = (stack: Stack) => leastIn(stack).loadBalancer;
test.each<[string, (stack: Stack) => Partial<BackstopGatewayProps>]>([
  ['gatewayName is not 2 to 25', () => ({ gatewayName: 'a-name-of-more-than-25-letters' })],
  ['image is not pinned', () => ({ image: 'otel/opentelemetry-collector-contrib:latest' })],
  ['loadBalancer.vpcSubnets has fewer than two', (stack) => ({ cluster: clusterIn(stack, 1) })],
  ['loadBalancer.vpcSubnets has fewer than two', (stack) => ({ cluster: clusterIn(stack, 1), loadBalancer: { ...LOAD_BALANCER(new Stack(stack, 'Other')), internal: false } })],
  ['loadBalancer.allowedCidrs has an entry', (stack) => ({ loadBalancer: { ...LOAD_BALANCER(stack), allowedCidrs: ['all'] } })],
  ['loadBalancer.allowedCidrs has an entry', (stack) => ({ loadBalancer: { ...LOAD_BALANCER(stack), allowedCidrs: ['10.0.0.0/33'] } })],
  ['primary.url is not an https address', () => ({ primary: { url: 'http://otlp.example.com' } })],
  ['primary.patience is not', () => ({ primary: { url: 'https://otlp.example.com', patience: Duration.seconds(4) } })],
  ['primary.patience is not', () => ({ primary: { url: 'https://otlp.example.com', patience: Duration.minutes(1) } })],
  ['archive.prefix is not', (stack) => ({ archive: { bucket: Bucket.fromBucketName(stack, 'Bucket', 'my-archive'), prefix: '/x' } })],
  ['has the alias of an unknown key', (stack) => ({ token: secretIn(stack, 'gateway', Alias.fromAliasName(stack, 'Alias', 'alias/mine') as unknown as Key) })],
  ['COST removes records for good', (stack) => ({ presets: [COST], archive: { bucket: Bucket.fromBucketName(stack, 'Bucket', 'my-archive'), raw: false } })],
  ['presetSettings.samplePercent is not', () => ({ presets: [COST], presetSettings: { samplePercent: 101 } })],
  ['presetSettings.foldInterval is not', () => ({ presets: [COST], presetSettings: { foldInterval: Duration.millis(500) } })],
  ['only the preset COST reads it', () => ({ presets: [SECURITY], presetSettings: { samplePercent: 1 } })],
  ['workers.count is not', () => ({ workers: { count: 0 } })],
  ['aggregator has fewer than', () => ({ aggregator: { memoryLimitMiB: 256 } })],
  ['alarms is set, and hasAlarms is false', () => ({ hasAlarms: false, alarms: {} })],
])('%s: refused', (problem, change) => {
  const { template } = gatewayIn(change);
  expect(template).toThrow(problem);
});

test('cdk-nag has nothing to say of it', () => {
  expect(verdictOn((stack) => new BackstopGateway(stack, 'Gateway', { ...leastIn(stack), presets: [SECURITY] }))).toBe('');
});
