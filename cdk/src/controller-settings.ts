/**
 * What a controller is asked for, and what is wrong with it.
 *
 * The names, defaults and bounds are those of the Terraform module `controller`. Must not: make any resource.
 */
import { Duration, Token } from 'aws-cdk-lib';
import { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { IStringParameter } from 'aws-cdk-lib/aws-ssm';
import { keyBehind } from './fallback';
import { isAlias } from './grants';

/** What a controller may write. */
export enum BackstopControllerMode {
  /** Nothing. */
  REPORT = 'report',
  /** The layer, at functions that never had it from here. */
  ATTACH = 'attach',
  /** The same, and what has drifted. */
  ENFORCE = 'enforce',
}

/** Where `backstop.toml` is, the wanted state. */
export class BackstopWantedState {
  /** A parameter of Parameter Store. */
  public static fromParameter(parameter: IStringParameter): BackstopWantedState {
    return new BackstopWantedState(parameter);
  }

  /** An object in a bucket. */
  public static fromBucket(bucket: IBucket, key: string): BackstopWantedState {
    return new BackstopWantedState(undefined, bucket, key);
  }

  private constructor(private readonly parameter?: IStringParameter, private readonly bucket?: IBucket, private readonly key?: string) {}

  /**
   * As the function reads it.
   * @internal
   */
  public _address(): string {
    return this.parameter ? `ssm:${this.parameter.parameterName}` : `s3://${this.bucket!.bucketName}/${this.key}`;
  }

  /**
   * The parameter, if it is one.
   * @internal
   */
  public _parameter(): IStringParameter | undefined {
    return this.parameter;
  }

  /**
   * The bucket, if it is an object.
   * @internal
   */
  public _bucket(): IBucket | undefined {
    return this.bucket;
  }

  /**
   * The ARN of the object, if it is one.
   * @internal
   */
  public _objectArns(): string[] {
    return this.bucket ? [this.bucket.arnForObjects(this.key!)] : [];
  }
}

/** Where runs are kept, so that each can be undone. */
export interface BackstopControllerState {
  /** A bucket of yours. */
  readonly bucket: IBucket;
  /**
   * What all keys begin with.
   * @default 'backstop-controller'
   */
  readonly prefix?: string;
  /**
   * The key that encrypts them.
   * @default - the bucket's own encryption
   */
  readonly encryptionKey?: IKey;
}

/** Events that make a plan for single functions soon. Lambda's own events need nothing else. */
export interface BackstopControllerEvents {
  /**
   * Whether the calls that a trail of yours records are events, too.
   * @default false
   */
  readonly cloudtrail?: boolean;
  /**
   * How long an event waits, so that a deployment can end: 0 to 900 seconds.
   * @default - 60 seconds
   */
  readonly delay?: Duration;
}

/** Alarms: on what failed, on what was left, and on a plan that does not come. */
export interface BackstopControllerAlarms {
  /**
   * What to notify.
   * @default - nothing
   */
  readonly actions?: IAlarmAction[];
  /**
   * Whether there is an alarm while the mode leaves functions that have drifted.
   * @default false
   */
  readonly drift?: boolean;
  /**
   * How long no plan over everything may work, in whole hours up to 168. A cron expression needs it.
   * @default - three times the interval of the schedule, if that is a rate
   */
  readonly planWithin?: Duration;
}

/** A controller. */
export interface BackstopControllerProps {
  /** The function's code: `Code.fromAsset('controller-arm64.zip')`, of the release. */
  readonly code: Code;
  /** Where `backstop.toml` is, the wanted state. */
  readonly wanted: BackstopWantedState;
  /** Where runs are kept, so that each can be undone. */
  readonly state: BackstopControllerState;
  /**
   * The name of the function. The queues, the alarms and the log group are named after it.
   * @default 'backstop-controller'
   */
  readonly controllerName?: string;
  /**
   * What may be written.
   * @default BackstopControllerMode.REPORT
   */
  readonly mode?: BackstopControllerMode;
  /**
   * How often to plan over everything, such as `ScheduleExpression.rate(Duration.hours(1))`.
   * @default - never
   */
  readonly schedule?: ScheduleExpression;
  /**
   * Events that make a plan for single functions soon.
   * @default - none
   */
  readonly events?: BackstopControllerEvents;
  /**
   * Alarms.
   * @default - none
   */
  readonly alarms?: BackstopControllerAlarms;
  /**
   * The most writes to one function within an hour, 1 to 100. After these the function is left, and an alarm is raised.
   * @default 3
   */
  readonly maxWritesPerHour?: number;
  /**
   * Whether to write functions that CloudFormation or Terraform manages, by their tags. Their next deployment may revert
   * the change.
   * @default false
   */
  readonly includeManaged?: boolean;
  /**
   * Names of functions that are never written, such as the replay function. The controller never writes itself.
   * @default - none
   */
  readonly never?: string[];
  /**
   * A parameter of Parameter Store that allows writes only while its value is `run`. The object `controller/stop` below
   * `state.prefix` stops them, too.
   * @default - none
   */
  readonly switchParameter?: IStringParameter;
  /**
   * ARNs of the roles in other accounts that `[targets]` of the wanted state names, such as
   * `arn:aws:iam::*:role/BackstopInstaller`.
   * @default - none
   */
  readonly assumeRoleArns?: string[];
  /**
   * The secrets that `token_secret_arn` of the wanted state names. A token by reference needs none: the functions read it.
   * @default - none
   */
  readonly secrets?: ISecret[];
  /**
   * Keys that encrypt the wanted state or the secrets: the role may decrypt with them. Those of buckets and secrets that
   * CDK knows need not be named.
   * @default - none
   */
  readonly encryptionKeys?: IKey[];
  /**
   * Keys that encrypt environments of functions. The role may decrypt with them; unless the mode is `REPORT`, it may also
   * encrypt with them and create grants on them, through Lambda alone.
   * @default - none
   */
  readonly environmentKeys?: IKey[];
  /**
   * A key of yours for the queues, whose policy lets EventBridge use it.
   * @default - SQS encrypts them with its own
   */
  readonly queueKey?: IKey;
  /**
   * The architecture of the code.
   * @default Architecture.ARM_64
   */
  readonly architecture?: Architecture;
  /**
   * The memory of the function, 256 to 10240 MiB.
   * @default 512
   */
  readonly memorySize?: number;
  /**
   * How long CloudWatch keeps the function's log.
   * @default - one month
   */
  readonly logRetention?: RetentionDays;
}

export const nameOf = ({ controllerName }: BackstopControllerProps) => controllerName ?? 'backstop-controller';
export const modeOf = ({ mode }: BackstopControllerProps) => mode ?? BackstopControllerMode.REPORT;
export const prefixOf = ({ state }: BackstopControllerProps) => state.prefix ?? 'backstop-controller';
export const writesOf = ({ maxWritesPerHour }: BackstopControllerProps) => maxWritesPerHour ?? 3;

const known = (keys: (IKey | undefined)[]) => keys.flatMap((key) => keyBehind(key) ?? []);

/** The key that encrypts the state, if one is known. */
export const stateKeyOf = ({ state }: BackstopControllerProps) => keyBehind(state.encryptionKey ?? state.bucket.encryptionKey);

/** The keys that encrypt environments of functions. */
export const environmentKeysOf = ({ environmentKeys = [] }: BackstopControllerProps): IKey[] => known(environmentKeys);

/** The keys of what the function reads: those that are named, and those that are known of buckets and secrets. */
export const readKeysOf = (props: BackstopControllerProps): IKey[] => known([
  props.wanted._bucket()?.encryptionKey, ...(props.secrets ?? []).map((secret) => secret.encryptionKey), ...(props.encryptionKeys ?? []),
  ...environmentKeysOf(props),
]);

/** The hours between two plans, if the schedule is a rate; a cron expression has no one interval. */
function intervalOf({ schedule }: BackstopControllerProps): number | undefined {
  const [, number, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(schedule?.expressionString ?? '') ?? [];
  return number === undefined ? undefined : Number(number) * { minute: 1 / 60, hour: 1, day: 24 }[unit as 'minute' | 'hour' | 'day'];
}

/** The hours within which a plan over everything must work, if they are known. */
export function planHoursOf(props: BackstopControllerProps): number | undefined {
  const [hours, interval] = [props.alarms?.planWithin?.toHours({ integral: false }), intervalOf(props)];
  return hours ?? (interval === undefined ? undefined : Math.min(168, Math.ceil(3 * interval)));
}

/** What the function reads. */
export function variablesOf(props: BackstopControllerProps): Record<string, string> {
  const { state, includeManaged, never = [], switchParameter } = props;
  const all: Record<string, string | undefined> = {
    CONTROLLER_CONFIG: props.wanted._address(),
    CONTROLLER_STATE: `s3://${state.bucket.bucketName}/${prefixOf(props)}`,
    CONTROLLER_STATE_KMS_KEY_ID: keyBehind(state.encryptionKey)?.keyArn,
    CONTROLLER_MODE: modeOf(props),
    CONTROLLER_MAX_WRITES: String(writesOf(props)),
    CONTROLLER_INCLUDE_MANAGED: includeManaged ? 'true' : undefined,
    CONTROLLER_NEVER: never.length === 0 ? undefined : never.join(','),
    CONTROLLER_SWITCH: switchParameter && `ssm:${switchParameter.parameterName}`,
  };
  return Object.fromEntries(Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** Whether something is said that is not of its form; what is known later is not judged. */
const isOdd = (text: string, form: RegExp) => !Token.isUnresolved(text) && !form.test(text);
const isOut = (value: number | undefined, least: number, most: number) =>
  value !== undefined && !Token.isUnresolved(value) && (value < least || value > most || !Number.isInteger(value));

/** What is wrong with a controller, in sentences that say what to do. */
export function controllerProblems(props: BackstopControllerProps): string[] {
  const problems: string[] = [];
  // 40, so that the names of the queues and the alarms have room for what is added to it.
  if (isOdd(nameOf(props), /^[a-zA-Z0-9_-]{1,40}$/)) problems.push('controllerName is not 1 to 40 letters, digits, hyphens and underscores.');
  if (isOdd(prefixOf(props), /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/)) {
    problems.push('state.prefix is invalid: use letters, digits, dots, hyphens and underscores, with single slashes between parts and none at the ends.');
  }
  if (props.schedule && isOdd(props.schedule.expressionString, /^(rate|cron)[(].+[)]$/)) {
    problems.push('schedule is not a rate or a cron expression: give ScheduleExpression.rate or ScheduleExpression.cron.');
  }
  if (isOut(props.maxWritesPerHour, 1, 100)) problems.push('maxWritesPerHour is not a whole number from 1 to 100.');
  if (isOut(props.memorySize, 256, 10240)) problems.push('memorySize is not a whole number from 256 to 10240.');
  if ((props.never ?? []).some((name) => isOdd(name, /^[a-zA-Z0-9_-]{1,64}$/))) problems.push('never has an entry that is not the name of a function.');
  if ((props.assumeRoleArns ?? []).some((arn) => isOdd(arn, /^arn:aws[a-z-]*:iam::([0-9]{12}|[*]):role\/[A-Za-z0-9+=,.@_/-]+$/))) {
    problems.push('assumeRoleArns has an entry that is not the ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME.');
  }
  const interval = intervalOf(props);
  const hours = planHoursOf(props);
  if (isOut(props.alarms?.planWithin?.toHours({ integral: false }), 1, 168)) problems.push('alarms.planWithin is not a whole number of hours from 1 to 168.');
  if (props.alarms && props.schedule && hours === undefined) {
    problems.push('schedule is a cron expression, from which no interval is known: set alarms.planWithin to the time within which a plan must work.');
  }
  if (props.alarms && interval !== undefined && hours !== undefined && hours <= interval) {
    problems.push('alarms.planWithin is not longer than the interval of schedule, so that the alarm would be raised between two plans. It has at most 168 hours: plan more often than once a week.');
  }
  if (known([...readKeysOf(props), stateKeyOf(props), props.queueKey]).some((key) => isAlias(key.keyArn))) {
    problems.push('A key is the alias of an unknown key, and a policy cannot grant an alias: give the key itself.');
  }
  return problems;
}
