/**
 * The two tiers of a gateway as task definitions: which files of configuration each loads, what they read, and what the tasks
 * may do.
 *
 * The files are those of gateway/collector, which the build puts into the package. Must not: hold any configuration itself.
 */
import * as fs from 'fs';
import * as path from 'path';
import { Duration, Stack } from 'aws-cdk-lib';
import { Capability, ContainerImage, FargateTaskDefinition, LinuxParameters, LogDriver, Secret } from 'aws-cdk-lib/aws-ecs';
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { keyBehind } from './fallback';
import { BackstopGatewayPreset, BackstopGatewayProps, isRaw, nameOf, prefixOf, sizeOf } from './gateway-settings';
import { acknowledge, acknowledgeStars, allow } from './grants';

/** Where the build puts gateway/collector: beside the compiled library, and beside its sources. */
const FILES = path.join(__dirname, '..', 'gateway');

/** A task's disk of 21 GiB, of which the image takes some: the parts are those of common.yaml. */
const QUEUES = {
  GATEWAY_QUEUE_DIRECTORY: '/var/lib/gateway/queue',
  GATEWAY_FILE_BYTES: '2850000000',
  GATEWAY_QUEUE_BYTES: '1050000000',
  GATEWAY_ARCHIVE_QUEUE_BYTES: '1050000000',
};

/** Why there are stars in the policies. */
const STARS = 'Streams of logs and objects have names that are not known before, and ecr:GetAuthorizationToken knows no resource.';

/** A tier, before it is a task definition. */
interface Tier {
  readonly name: 'worker' | 'aggregator';
  readonly files: string[];
  /** The folders below the archive's prefix that it writes. */
  readonly writes: string[];
  readonly ports: number[];
  readonly cpu: number;
  readonly memoryLimitMiB: number;
  readonly variables: Record<string, string>;
  readonly secrets: Record<string, ISecret>;
}

/** The task definitions, and the policies that a service needs before it starts a task. */
export class GatewayTasks extends Construct {
  public readonly worker: FargateTaskDefinition;
  public readonly aggregator: FargateTaskDefinition;
  /** The policies, which ECS and the tasks use from their first moment. */
  public readonly policies: Policy[];

  constructor(scope: Construct, id: string, private readonly props: BackstopGatewayProps, private readonly log: ILogGroup, aggregator: string) {
    super(scope, id);
    const tiers = [workerOf(props, aggregator), aggregatorOf(props)] as const;
    const tasks = new ServicePrincipal('ecs-tasks.amazonaws.com');
    const execution = new Role(this, 'Execution', { assumedBy: tasks });
    const secrets = tiers.flatMap((tier) => Object.values(tier.secrets));
    this.policies = [this.policy('Start', execution, startStatements(this, props, log, secrets))];
    [this.worker, this.aggregator] = tiers.map((tier) => {
      // A role for each tier: neither may write what the other writes.
      const task = new Role(this, `Task-${tier.name}`, { assumedBy: tasks });
      this.policies.push(this.policy(`Archive-${tier.name}`, task, archiveStatements(props, tier)));
      return this.definition(tier, execution, task);
    });
  }

  private policy(id: string, role: Role, statements: PolicyStatement[]): Policy {
    const policy = new Policy(this, id, { statements });
    policy.attachToRole(role);
    acknowledgeStars(policy, statements, STARS);
    return policy;
  }

  private definition(tier: Tier, execution: Role, task: Role): FargateTaskDefinition {
    const definition = new FargateTaskDefinition(this, tier.name, {
      family: `${nameOf(this.props)}-${tier.name}`,
      cpu: tier.cpu,
      memoryLimitMiB: tier.memoryLimitMiB,
      // What the statements here grant is all.
      executionRole: execution.withoutPolicyUpdates(),
      taskRole: task.withoutPolicyUpdates(),
      volumes: [{ name: 'queue' }],
    });
    const capabilities = new LinuxParameters(this, `${tier.name}-capabilities`);
    capabilities.dropCapabilities(Capability.ALL);
    const container = definition.addContainer('collector', {
      containerName: 'collector',
      image: ContainerImage.fromRegistry(this.props.image),
      // The collector reads its configuration from variables: the image has no shell to write a file.
      command: tier.files.map((_, number) => `--config=env:CONFIGURATION_${number}`),
      environment: {
        ...Object.fromEntries(tier.files.map((file, number) => [`CONFIGURATION_${number}`, fs.readFileSync(path.join(FILES, file), 'utf8')])),
        GATEWAY_REGION: Stack.of(this).region,
        GATEWAY_BUCKET: this.props.archive.bucket.bucketName,
        GATEWAY_PREFIX: prefixOf(this.props),
        GOMEMLIMIT: `${Math.floor(tier.memoryLimitMiB * 4 / 5)}MiB`,
        ...QUEUES,
        ...tier.variables,
        ...presetVariables(this.props),
      },
      secrets: Object.fromEntries(Object.entries(tier.secrets).map(([name, secret]) => [name, Secret.fromSecretsManager(secret)])),
      portMappings: tier.ports.map((containerPort) => ({ containerPort })),
      readonlyRootFilesystem: true,
      // Fargate makes the volume for root; without capabilities root may write there, and little else.
      user: '0',
      linuxParameters: capabilities,
      // What is being sent goes to the primary or to S3 in this time, and what a fold holds. Records that wait in a queue
      // behind that stay on the disk, which goes with the task.
      stopTimeout: Duration.seconds(120),
      logging: LogDriver.awsLogs({ logGroup: this.log, streamPrefix: tier.name }),
    });
    container.addMountPoints({ sourceVolume: 'queue', containerPath: '/var/lib/gateway', readOnly: false });
    acknowledge(definition, 'AwsSolutions-ECS2', 'The collector reads its configuration from variables; what is secret comes from Secrets Manager.');
    acknowledge(definition, 'CloudFormation-Validate::E1029', 'What looks like a parameter is for the collector, which replaces it by a variable of its environment.');
    return definition;
  }
}

/** In this order, whatever the order of the list. */
const presetsOf = ({ presets = [] }: BackstopGatewayProps) => Object.values(BackstopGatewayPreset).filter((preset) => presets.includes(preset));

function workerOf(props: BackstopGatewayProps, aggregatorAddress: string): Tier {
  return {
    name: 'worker',
    files: ['common.yaml', 'worker.yaml', ...(isRaw(props) ? ['options/archive.yaml'] : []), ...presetsOf(props).map((preset) => `presets/${preset}.worker.yaml`)],
    writes: ['v1/stream=gateway'],
    ports: [4318, 8088],
    ...sizeOf(props.workers),
    variables: { GATEWAY_AGGREGATOR: aggregatorAddress },
    secrets: { GATEWAY_TOKEN: props.token, GATEWAY_PREVIOUS_TOKEN: props.previousToken ?? props.token },
  };
}

function aggregatorOf(props: BackstopGatewayProps): Tier {
  const { url, authorization, patience = Duration.seconds(10) } = props.primary;
  // Not each preset has something for this tier.
  const presets = presetsOf(props).map((preset) => `presets/${preset}.aggregator.yaml`).filter((file) => fs.existsSync(path.join(FILES, file)));
  return {
    name: 'aggregator',
    files: ['common.yaml', 'aggregator.yaml', ...presets, ...(authorization ? ['options/authorization.yaml'] : [])],
    writes: ['undelivered', 'undelivered-otlp'],
    ports: [4317],
    ...sizeOf(props.aggregator),
    variables: { GATEWAY_PRIMARY_URL: url, GATEWAY_PRIMARY_PATIENCE: seconds(patience) },
    secrets: authorization ? { GATEWAY_PRIMARY_AUTHORIZATION: authorization } : {},
  };
}

function presetVariables({ presetSettings: { samplePercent, foldInterval } = {} }: BackstopGatewayProps): Record<string, string> {
  return {
    ...(samplePercent === undefined ? {} : { GATEWAY_SAMPLE_PERCENT: String(samplePercent) }),
    ...(foldInterval ? { GATEWAY_FOLD_INTERVAL: seconds(foldInterval) } : {}),
  };
}

const seconds = (duration: Duration) => `${duration.toSeconds({ integral: false })}s`;

/** What ECS does to start a task. The policies are those of permissions.json of the Terraform module, which a test compares. */
function startStatements(scope: Construct, { image }: BackstopGatewayProps, log: ILogGroup, secrets: ISecret[]): PolicyStatement[] {
  const keys = secrets.flatMap(({ encryptionKey }) => keyBehind(encryptionKey)?.keyArn ?? []);
  // An ARN ends in six characters, which a name may leave out and a policy may not.
  const arns = secrets.map((secret) => secret.secretFullArn ?? `${secret.secretArn}-??????`);
  return [
    allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], [log.logGroupArn]),
    allow('ReadSecrets', ['secretsmanager:GetSecretValue'], [...new Set(arns)]),
    ...(keys.length > 0 ? [allow('DecryptSecrets', ['kms:Decrypt'], [...new Set(keys)], { StringLike: { 'kms:ViaService': 'secretsmanager.*' } })] : []),
    ...pullStatements(scope, image),
  ];
}

/** What pulls the image from a repository of ECR; other registries ask for nothing. */
function pullStatements(scope: Construct, image: string): PolicyStatement[] {
  const [, account, region, resourceName] = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)/.exec(image) ?? [];
  if (account === undefined) return [];
  const repository = Stack.of(scope).formatArn({ service: 'ecr', account, region, resource: 'repository', resourceName });
  return [
    // It knows no resource.
    allow('PullToken', ['ecr:GetAuthorizationToken'], ['*']),
    allow('PullImage', ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'], [repository]),
  ];
}

/** What the collector of a tier may do. */
function archiveStatements(props: BackstopGatewayProps, { writes }: Tier): PolicyStatement[] {
  const { bucket } = props.archive;
  const key = keyBehind(bucket.encryptionKey);
  return [
    // A large object is written in parts, which are removed again if one fails.
    allow('Archive', ['s3:AbortMultipartUpload', 's3:PutObject'], writes.map((folder) => bucket.arnForObjects(`${prefixOf(props)}/${folder}/*`))),
    // Decrypt is for an object in parts. The role reads no object.
    ...(key ? [allow('EncryptObjects', ['kms:Decrypt', 'kms:GenerateDataKey'], [key.keyArn], { StringLike: { 'kms:ViaService': 's3.*' } })] : []),
  ];
}
