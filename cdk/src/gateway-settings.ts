/**
 * What a gateway is asked for, and what is wrong with it.
 *
 * The names, defaults and bounds are those of the Terraform module `gateway`. Must not: make any resource.
 */
import { Duration, Token } from 'aws-cdk-lib';
import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import { SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { ICluster } from 'aws-cdk-lib/aws-ecs';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { keyBehind } from './fallback';
import { isAlias } from './grants';

/** What a gateway does to records on their way. docs/gateway.md says what each removes. */
export enum BackstopGatewayPreset {
  /** Drops debug, folds repeats, samples by invocation. */
  COST = 'cost',
  /** Redacts what looks like a secret. */
  SECURITY = 'security',
  /** Counts by function, level and pattern, as metrics. */
  INSIGHTS = 'insights',
}

/** The settings of the preset `COST`. */
export interface BackstopGatewayPresetSettings {
  /**
   * Of a hundred invocations, those whose records are kept (`GATEWAY_SAMPLE_PERCENT`).
   * @default 25
   */
  readonly samplePercent?: number;
  /**
   * The time within which repeats become one record (`GATEWAY_FOLD_INTERVAL`).
   * @default - 30 seconds
   */
  readonly foldInterval?: Duration;
}

/** The load balancer before the workers. */
export interface BackstopGatewayLoadBalancer {
  /** The certificate of the address that functions send to. */
  readonly certificate: ICertificate;
  /**
   * Who may reach it, as ranges of addresses such as `10.0.0.0/8`. For a security group: `gateway.connections`.
   * @default - nobody
   */
  readonly allowedCidrs?: string[];
  /**
   * Its subnets, in two availability zones or more.
   * @default - the private subnets of the cluster's VPC; its public ones if it is not internal
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * Whether it has private addresses only.
   * @default true
   */
  readonly internal?: boolean;
  /**
   * Whether it may not be deleted.
   * @default false
   */
  readonly deletionProtection?: boolean;
}

/** The OTLP backend. */
export interface BackstopGatewayPrimary {
  /** Its base address. */
  readonly url: string;
  /**
   * The secret whose value is the whole header `authorization`.
   * @default - none
   */
  readonly authorization?: ISecret;
  /**
   * How long a batch is tried at a backend that is down before it goes to S3, 5 to 30 seconds.
   * @default - 10 seconds
   */
  readonly patience?: Duration;
}

/** Where raw and undelivered records go. */
export interface BackstopGatewayArchive {
  /** The bucket. Tasks may use the key that it encrypts with, if CDK knows the key. */
  readonly bucket: IBucket;
  /**
   * The prefix of all keys.
   * @default 'gateway'
   */
  readonly prefix?: string;
  /**
   * Whether everything that comes in is archived.
   * @default true
   */
  readonly raw?: boolean;
}

/** The size of a task. */
export interface BackstopGatewayAggregator {
  /**
   * CPU units.
   * @default 1024
   */
  readonly cpu?: number;
  /**
   * Memory, in MiB.
   * @default 2048
   */
  readonly memoryLimitMiB?: number;
}

/** The workers. */
export interface BackstopGatewayWorkers extends BackstopGatewayAggregator {
  /**
   * How many there are.
   * @default 2
   */
  readonly count?: number;
}

/** The alarms: on records that were dropped, refused, not taken by the primary, or wait. */
export interface BackstopGatewayAlarms {
  /**
   * What to notify.
   * @default - nothing
   */
  readonly actions?: IAlarmAction[];
}

/** A gateway. */
export interface BackstopGatewayProps {
  /** The ECS cluster, whose VPC has the tasks and the load balancer. */
  readonly cluster: ICluster;
  /**
   * The official image, `otel/opentelemetry-collector-contrib`, by its digest, or a copy of it in a registry of yours.
   */
  readonly image: string;
  /** The load balancer before the workers. */
  readonly loadBalancer: BackstopGatewayLoadBalancer;
  /** The secret whose value is the token that functions send. */
  readonly token: ISecret;
  /** The OTLP backend. */
  readonly primary: BackstopGatewayPrimary;
  /** Where raw and undelivered records go. */
  readonly archive: BackstopGatewayArchive;
  /**
   * The beginning of the names of all resources.
   * @default 'backstop-gateway'
   */
  readonly gatewayName?: string;
  /**
   * The subnets of the tasks, with a route to the registry of images, S3 and the primary.
   * @default - the private subnets of the cluster's VPC
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * The secret with the previous token, which stays valid while functions change to the new one.
   * @default - none
   */
  readonly previousToken?: ISecret;
  /**
   * What is done to records on their way.
   * @default - nothing: everything passes through
   */
  readonly presets?: BackstopGatewayPreset[];
  /**
   * The settings of the preset `COST`.
   * @default - a quarter of the invocations, and 30 seconds
   */
  readonly presetSettings?: BackstopGatewayPresetSettings;
  /**
   * The workers.
   * @default - two, each with 1024 CPU units and 2048 MiB
   */
  readonly workers?: BackstopGatewayWorkers;
  /**
   * The size of the aggregator.
   * @default - 1024 CPU units and 2048 MiB
   */
  readonly aggregator?: BackstopGatewayAggregator;
  /**
   * Whether there are alarms.
   * @default true
   */
  readonly hasAlarms?: boolean;
  /**
   * What the alarms notify.
   * @default - nothing
   */
  readonly alarms?: BackstopGatewayAlarms;
  /**
   * How long CloudWatch keeps the collectors' own logs. They hold no records.
   * @default - one month
   */
  readonly logRetention?: RetentionDays;
  /**
   * The key of the collectors' own logs.
   * @default - CloudWatch's own
   */
  readonly logKey?: IKey;
}

/** The parts that most of a gateway's resources need. */
export const nameOf = ({ gatewayName }: BackstopGatewayProps) => gatewayName ?? 'backstop-gateway';
export const prefixOf = ({ archive }: BackstopGatewayProps) => archive.prefix ?? 'gateway';
export const isRaw = ({ archive }: BackstopGatewayProps) => archive.raw ?? true;
export const sizeOf = ({ cpu = 1024, memoryLimitMiB = 2048 }: BackstopGatewayAggregator = {}) => ({ cpu, memoryLimitMiB });

/** Whether a text is a range of addresses of IP version 4. */
export function isRange(cidr: string): boolean {
  const [, address, bits] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(cidr) ?? [];
  return address !== undefined && address.split('.').every((part) => Number(part) <= 255) && Number(bits) <= 32;
}

/** Whether something is said that is not of its form; what is known later is not judged. */
const isOdd = (text: string, form: RegExp) => !Token.isUnresolved(text) && !form.test(text);
const isOut = (value: number | undefined, least: number, most = Infinity) =>
  value !== undefined && !Token.isUnresolved(value) && (value < least || value > most || !Number.isInteger(value));

/** What is wrong with a gateway, in sentences that say what to do. */
export function gatewayProblems(props: BackstopGatewayProps): string[] {
  const problems: string[] = [];
  const { image, loadBalancer, token, previousToken, primary, archive, presets = [], presetSettings = {}, workers = {}, aggregator = {} } = props;
  // A target group's name has at most 32 characters.
  if (isOdd(nameOf(props), /^[a-z][a-z0-9-]{0,23}[a-z0-9]$/)) {
    problems.push('gatewayName is not 2 to 25 lower-case letters, digits and hyphens that begin with a letter.');
  }
  if (isOdd(image, /^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$/)) {
    problems.push('image is not pinned: give NAME@sha256:DIGEST. `docker buildx imagetools inspect otel/opentelemetry-collector-contrib:0.159.0` shows the digest.');
  }
  if ((loadBalancer.allowedCidrs ?? []).some((cidr) => !Token.isUnresolved(cidr) && !isRange(cidr))) {
    problems.push('loadBalancer.allowedCidrs has an entry that is not a range of addresses, such as 10.0.0.0/8.');
  }
  if (isOdd(primary.url, /^https:\/\/[^/?#@]+(\/[^?#]*)?$/)) problems.push('primary.url is not an https address without a user, a query and a fragment.');
  // With more, all batches in flight would wait for the backend, and nothing would go to S3 meanwhile: the disk goes with the task.
  if (isOut(primary.patience?.toSeconds({ integral: false }), 5, 30)) problems.push('primary.patience is not 5 to 30 whole seconds: a task\'s disk goes with the task.');
  if (isOdd(prefixOf(props), /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/)) problems.push('archive.prefix is not letters, digits and ._- with single slashes between.');
  if ([archive.bucket, token, previousToken, primary.authorization].some((one) => isAlias(keyBehind(one?.encryptionKey)?.keyArn ?? ''))) {
    problems.push('archive.bucket or a secret has the alias of an unknown key, and a policy cannot grant an alias: give the key itself.');
  }
  if (presets.includes(BackstopGatewayPreset.COST) && !isRaw(props)) {
    problems.push('The preset COST removes records for good without archive.raw: set it to true, or leave the preset out.');
  }
  if (isOut(presetSettings.samplePercent, 0, 100)) problems.push('presetSettings.samplePercent is not a whole number from 0 to 100.');
  if (isOut(presetSettings.foldInterval?.toSeconds({ integral: false }), 1)) problems.push('presetSettings.foldInterval is not a duration of whole seconds, 1 or more.');
  if (Object.values(presetSettings).some((value) => value !== undefined) && !presets.includes(BackstopGatewayPreset.COST)) {
    problems.push('presetSettings is set, and only the preset COST reads it: add the preset, or remove the settings.');
  }
  if (isOut(workers.count, 1)) problems.push('workers.count is not a whole number, 1 or more.');
  for (const [tier, size] of [['workers', workers], ['aggregator', aggregator]] as const) {
    const { cpu, memoryLimitMiB } = sizeOf(size);
    if (isOut(cpu, 256) || isOut(memoryLimitMiB, 512)) problems.push(`${tier} has fewer than 256 CPU units or 512 MiB.`);
  }
  if (props.hasAlarms === false && props.alarms) problems.push('alarms is set, and hasAlarms is false: remove one of the two.');
  return problems;
}
