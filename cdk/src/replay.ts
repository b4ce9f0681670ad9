/**
 * The replay in your account: a queue of objects, a function that sends their records to the primary, a dead-letter queue,
 * and what starts it without anybody.
 *
 * It is what the Terraform module `replay` makes, with the same permissions, which a test compares. What costs is off by
 * default. Must not: attach the extension to the function.
 */
import { ArnFormat, Duration, Size, Stack } from 'aws-cdk-lib';
import { Alarm, AlarmProps, ComparisonOperator, IAlarmAction, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, CfnEventSourceMapping, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { IBackstopArchive } from './fallback';
import { acknowledgeStars, secretStatements } from './grants';
import { problemsOf } from './problems';
import { BackstopDistributedMap, ReplayMap, ofThisAccount } from './replay-map';
import { BackstopPrimary, BackstopProps, referencesOf, variablesOf } from './settings';

/** What to do with an object once all of its records are at the primary. */
export enum BackstopReplayMark {
  /** Tag it; the next replay skips it. */
  TAG = 'tag',
  /** Move it below PREFIX/replayed/. */
  MOVE = 'move',
  /** Delete it. */
  DELETE = 'delete',
  /** Leave it unchanged. */
  KEEP = 'keep',
}

/** What starts a replay without anybody: a probe looks for objects, asks the primary, and begins. */
export interface BackstopReplaySchedule {
  /**
   * How often the probe runs.
   * @default - every 5 minutes
   */
  readonly rate?: Duration;
  /**
   * The most objects that one probe puts into the queue, 1 to 250000.
   * @default 100000
   */
  readonly maxObjects?: number;
  /**
   * The most stored bytes that one probe puts into the queue.
   * @default - 100 GiB
   */
  readonly maxSize?: Size;
  /**
   * How long an object must have been in the archive before the probe takes it, up to 12 hours.
   * @default - one minute
   */
  readonly settleFor?: Duration;
}

/** Alarms: on the dead-letter queue, and on an archive that is not replayed. */
export interface BackstopReplayAlarms {
  /**
   * What to notify.
   * @default - nothing
   */
  readonly actions?: IAlarmAction[];
  /**
   * How long the archive may hold objects that were not replayed, 1 to 24 hours. Needs a schedule.
   * @default - 6 hours
   */
  readonly notEmptyFor?: Duration;
  /**
   * Messages in the dead-letter queue that stop the replay.
   * @default - nothing stops it
   */
  readonly stopAtDeadLetters?: number;
}

/** A replay. */
export interface BackstopReplayProps {
  /** The function's code: `Code.fromAsset('replay-function-arm64.zip')`, of the release. */
  readonly code: Code;
  /** The archive to replay. */
  readonly archive: IBackstopArchive;
  /** Where to replay it to. */
  readonly primary: BackstopPrimary;
  /**
   * The name of the function and of the queue, and the beginning of the other names.
   * @default 'backstop-replay'
   */
  readonly replayName?: string;
  /**
   * The architecture of the code.
   * @default Architecture.ARM_64
   */
  readonly architecture?: Architecture;
  /**
   * The memory of the function, in MiB.
   * @default 512
   */
  readonly memorySize?: number;
  /**
   * The longest time that an invocation may take, 60 to 900 seconds.
   * @default - 5 minutes
   */
  readonly timeout?: Duration;
  /**
   * What to do with an object once all of its records are at the primary.
   * @default BackstopReplayMark.TAG
   */
  readonly after?: BackstopReplayMark;
  /**
   * The most invocations at the same time, 2 to 1000.
   * @default 2
   */
  readonly functions?: number;
  /**
   * Objects that one invocation replays side by side, 1 to 64.
   * @default 4
   */
  readonly objects?: number;
  /**
   * Messages that one invocation gets, 1 to 10.
   * @default 5
   */
  readonly batchSize?: number;
  /**
   * The most records in one request, 1 to 100000.
   * @default 1000
   */
  readonly batchRecords?: number;
  /**
   * How long a message waits after its first failure, up to an hour. Each further failure doubles it.
   * @default - 30 seconds
   */
  readonly retryAfter?: Duration;
  /**
   * The most that one invocation sends in a second, such as `5000` records or `2MB`.
   * @default - no limit
   */
  readonly rate?: string;
  /**
   * Attempts at an object before it goes to the dead-letter queue.
   * @default 5
   */
  readonly maxReceives?: number;
  /**
   * A key of yours for the queues.
   * @default - SQS encrypts them with its own
   */
  readonly queueKey?: IKey;
  /**
   * What starts a replay without anybody.
   * @default - you begin, with `backstop replay --enqueue`
   */
  readonly schedule?: BackstopReplaySchedule;
  /**
   * Alarms.
   * @default - none
   */
  readonly alarms?: BackstopReplayAlarms;
  /**
   * A state machine that replays the archive's prefix, for more than a million objects.
   * @default - none
   */
  readonly distributedMap?: BackstopDistributedMap;
  /**
   * How long CloudWatch keeps the function's log.
   * @default - one month
   */
  readonly logRetention?: RetentionDays;
}

/** Replays an archive inside the account. */
export class BackstopReplay extends Construct {
  /** The function. */
  public readonly fn: Function;
  /** The queue of objects: its URL is the value for `backstop replay --enqueue` and `--follow`. */
  public readonly queue: Queue;
  /** The queue of objects that cannot be replayed, each with its reason. */
  public readonly deadLetters: Queue;
  /** The alarms. */
  public readonly alarms: Alarm[] = [];
  /** The ARN of the state machine, if there is one. */
  public readonly stateMachineArn?: string;
  private readonly replayName: string;

  constructor(scope: Construct, id: string, props: BackstopReplayProps) {
    super(scope, id);
    this.replayName = props.replayName ?? 'backstop-replay';
    const wanted: BackstopProps = { primary: props.primary };
    this.node.addValidation({ validate: () => [...problemsOf(wanted), ...replayProblems(props)] });

    const timeout = props.timeout ?? Duration.minutes(5);
    const encryption = props.queueKey ? QueueEncryption.KMS : QueueEncryption.SQS_MANAGED;
    const common = { encryption, encryptionMasterKey: props.queueKey, enforceSSL: true, retentionPeriod: Duration.days(14) };
    this.deadLetters = new Queue(this, 'DeadLetters', { ...common, queueName: `${this.replayName}-dead-letters` });
    this.queue = new Queue(this, 'Queue', {
      ...common,
      queueName: this.replayName,
      visibilityTimeout: Duration.seconds(Math.min(6 * timeout.toSeconds(), 43200)),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: props.maxReceives ?? 5 },
    });
    const logGroup = new LogGroup(this, 'Log', { logGroupName: `/aws/lambda/${this.replayName}`, retention: props.logRetention ?? RetentionDays.ONE_MONTH });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    const statements = this.statements(props, wanted, logGroup);
    const permissions = new Policy(this, 'Permissions', { statements });
    permissions.attachToRole(role);
    acknowledgeStars(permissions, statements);
    this.fn = new Function(this, 'Function', {
      functionName: this.replayName,
      description: 'Replays the archive to its primary.',
      code: props.code,
      runtime: Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture: props.architecture ?? Architecture.ARM_64,
      memorySize: props.memorySize ?? 512,
      timeout,
      role,
      logGroup,
      environment: { ...variablesOf(wanted), ...this.variables(props) },
    });
    const mapping = new CfnEventSourceMapping(this, 'Mapping', {
      functionName: this.fn.functionArn,
      eventSourceArn: this.queue.queueArn,
      batchSize: props.batchSize ?? 5,
      functionResponseTypes: ['ReportBatchItemFailures'],
      scalingConfig: { maximumConcurrency: props.functions ?? 2 },
    });
    mapping.node.addDependency(permissions);
    if (props.schedule) this.makeSchedule(props.schedule);
    if (props.alarms) this.makeAlarms(props.alarms, props.schedule !== undefined);
    if (props.distributedMap) {
      const map = new ReplayMap(this, 'Map', { name: `${this.replayName}-map`, fn: this.fn, archive: props.archive, options: props.distributedMap });
      this.stateMachineArn = map.machine.attrArn;
    }
  }

  private variables({ archive, after, objects, batchRecords, rate, retryAfter, schedule }: BackstopReplayProps): Record<string, string> {
    const { s3Bucket, s3Prefix, s3Region, s3ExpectedBucketOwner } = archive.fallback;
    const all: Record<string, string | number | undefined> = {
      BACKSTOP_S3_BUCKET: s3Bucket,
      BACKSTOP_S3_PREFIX: s3Prefix,
      BACKSTOP_S3_REGION: s3Region,
      BACKSTOP_S3_EXPECTED_BUCKET_OWNER: s3ExpectedBucketOwner,
      BACKSTOP_REPLAY_QUEUE_URL: this.queue.queueUrl,
      BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL: this.deadLetters.queueUrl,
      BACKSTOP_REPLAY_AFTER: after ?? BackstopReplayMark.TAG,
      BACKSTOP_REPLAY_CONCURRENCY: objects ?? 4,
      BACKSTOP_REPLAY_BATCH_RECORDS: batchRecords,
      BACKSTOP_REPLAY_RATE: rate,
      BACKSTOP_REPLAY_RETRY_SECONDS: retryAfter?.toSeconds(),
      BACKSTOP_REPLAY_SETTLE_SECONDS: schedule?.settleFor?.toSeconds(),
      BACKSTOP_REPLAY_MAX_OBJECTS: schedule?.maxObjects,
      BACKSTOP_REPLAY_MAX_BYTES: schedule?.maxSize?.toBytes(),
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]));
  }

  /** What the function calls, and what Lambda's poller calls for it. */
  private statements({ archive, after, queueKey }: BackstopReplayProps, wanted: BackstopProps, log: LogGroup): PolicyStatement[] {
    const stack = Stack.of(this);
    const { s3Bucket, s3Prefix, kmsKeyArns } = archive.fallback;
    const bucket = stack.formatArn({ service: 's3', account: '', region: '', resource: s3Bucket!, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    const fn = stack.formatArn({ service: 'lambda', resource: 'function', resourceName: this.replayName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
    const [objects, state] = [`${bucket}/${s3Prefix}/v1/*`, `${bucket}/${s3Prefix}/replay/*`];
    const allow = (actions: string[], resources: string[], conditions?: Record<string, unknown>) =>
      new PolicyStatement({ actions, resources, conditions });
    const via = (service: string) => ({ StringLike: { 'kms:ViaService': `${service}.*` } });
    const marks = {
      [BackstopReplayMark.TAG]: [allow(['s3:PutObjectTagging'], [objects])],
      [BackstopReplayMark.MOVE]: [allow(['s3:PutObject', 's3:PutObjectTagging'], [`${bucket}/${s3Prefix}/replayed/v1/*`]), allow(['s3:DeleteObject'], [objects])],
      [BackstopReplayMark.DELETE]: [allow(['s3:DeleteObject'], [objects])],
      [BackstopReplayMark.KEEP]: [],
    };
    const variables = variablesOf(wanted);
    const secrets = secretStatements(this, {
      secretArn: variables.BACKSTOP_PRIMARY_TOKEN_SECRET_ARN,
      parameter: variables.BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER,
      ciphertext: variables.BACKSTOP_PRIMARY_TOKEN_KMS,
      keyId: variables.BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID,
      texts: [variables.BACKSTOP_PRIMARY_TOKEN, variables.BACKSTOP_PRIMARY_HEADERS],
    }, referencesOf(wanted));
    return [
      allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [log.logGroupArn]),
      // A read of a key that is missing has no prefix: with IfExists it is answered with 404, and not with 403.
      allow(['s3:ListBucket'], [bucket], { StringLikeIfExists: { 's3:prefix': [`${s3Prefix}/v1/*`, `${s3Prefix}/replay/*`] } }),
      allow(['s3:GetObject', 's3:GetObjectTagging'], [objects]),
      allow(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], [state]),
      allow(
        ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility', 'sqs:SendMessage'],
        [this.queue.queueArn],
      ),
      allow(['sqs:SendMessage'], [this.deadLetters.queueArn]),
      // It knows no resource.
      allow(['lambda:ListEventSourceMappings'], ['*']),
      allow(['lambda:UpdateEventSourceMapping'],
        [stack.formatArn({ service: 'lambda', resource: 'event-source-mapping', resourceName: '*', arnFormat: ArnFormat.COLON_RESOURCE_NAME })],
        { ArnEquals: { 'lambda:FunctionArn': fn } }),
      ...marks[after ?? BackstopReplayMark.TAG],
      ...(kmsKeyArns?.length ? [allow(['kms:Decrypt', 'kms:GenerateDataKey'], kmsKeyArns, via('s3'))] : []),
      ...(queueKey ? [allow(['kms:Decrypt', 'kms:GenerateDataKey'], [queueKey.keyArn], via('sqs'))] : []),
      ...secrets,
    ];
  }

  private makeSchedule({ rate }: BackstopReplaySchedule): void {
    const role = new Role(this, 'ScheduleRole', { assumedBy: ofThisAccount(this, 'scheduler.amazonaws.com') });
    this.fn.grantInvoke(role);
    const minutes = (rate ?? Duration.minutes(5)).toMinutes();
    new CfnSchedule(this, 'Schedule', {
      name: `${this.replayName}-probe`,
      description: 'Looks for objects to replay, asks the primary, and begins.',
      scheduleExpression: `rate(${minutes} minute${minutes === 1 ? '' : 's'})`,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: this.fn.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify({ mode: 'probe' }),
        // The next one comes soon.
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
      },
    });
  }

  private makeAlarms({ actions = [], notEmptyFor, stopAtDeadLetters }: BackstopReplayAlarms, hasSchedule: boolean): void {
    const deadLetters = (period: Duration) => this.deadLetters.metricApproximateNumberOfMessagesVisible({ period, statistic: 'Maximum' });
    this.makeAlarm('dead-letters', deadLetters(Duration.minutes(5)), 'Objects could not be replayed. The attribute backstop-reason of each message in the dead-letter queue says why; to try again, move them back to the queue.', actions);
    if (stopAtDeadLetters !== undefined) {
      const alarm = this.makeAlarm('stop', deadLetters(Duration.minutes(1)), `Too many objects could not be replayed: the replay is stopped. To go on, invoke ${this.replayName} with {"mode": "resume"}.`,
        actions, { threshold: stopAtDeadLetters - 1 });
      alarm.addAlarmAction({ bind: () => ({ alarmActionArn: this.fn.functionArn }) });
      this.fn.addPermission('StopByAlarm', {
        principal: new ServicePrincipal('lambda.alarms.cloudwatch.amazonaws.com'), sourceAccount: Stack.of(this).account, sourceArn: alarm.alarmArn,
      });
    }
    if (hasSchedule) {
      const hours = (notEmptyFor ?? Duration.hours(6)).toHours();
      const metric = new Metric({ namespace: 'Backstop/Replay', metricName: 'UnreplayedObjects', dimensionsMap: { FunctionName: this.replayName }, statistic: 'Minimum', period: Duration.hours(1) });
      const description = `The archive has held records that were not replayed for ${hours} hours, or the probe has not said so for as long. The log of ${this.replayName} says why.`;
      // Without a number the probe does not run, or fails: then nobody knows what the archive holds.
      this.makeAlarm('archive-not-empty', metric, description, actions, { evaluationPeriods: hours, treatMissingData: TreatMissingData.BREACHING });
    }
  }

  private makeAlarm(name: string, metric: Metric, alarmDescription: string, actions: IAlarmAction[], options: Partial<AlarmProps> = {}): Alarm {
    const alarm = new Alarm(this, name, {
      alarmName: `${this.replayName}-${name}`,
      alarmDescription,
      metric,
      threshold: 0,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...options,
    });
    alarm.addAlarmAction(...actions);
    alarm.addOkAction(...actions);
    this.alarms.push(alarm);
    return alarm;
  }
}

/** What is wrong with a replay, in sentences that say what to do. */
function replayProblems(props: BackstopReplayProps): string[] {
  const problems: string[] = [];
  const isOut = (value: number | undefined, least: number, most: number) =>
    value !== undefined && (value < least || value > most || !Number.isInteger(value));
  if (!props.archive.fallback.s3Bucket) problems.push('archive has no bucket: give an archive with one.');
  if (props.replayName !== undefined && !/^[A-Za-z0-9_-]{1,40}$/.test(props.replayName)) problems.push('replayName is not 1 to 40 letters, digits, hyphens and underscores.');
  if (isOut(props.functions, 2, 1000)) problems.push('functions is not a whole number from 2 to 1000, which is what Lambda accepts.');
  if (isOut(props.objects, 1, 64)) problems.push('objects is not a whole number from 1 to 64.');
  if (isOut(props.batchSize, 1, 10)) problems.push('batchSize is not a whole number from 1 to 10.');
  if (isOut(props.batchRecords, 1, 100_000)) problems.push('batchRecords is not a whole number from 1 to 100000.');
  if (isOut(props.retryAfter?.toSeconds(), 0, 3600)) problems.push('retryAfter is not from 0 to 3600 seconds.');
  if (isOut(props.schedule?.maxObjects, 1, 250_000)) problems.push('schedule.maxObjects is not a whole number from 1 to 250000.');
  if (isOut(props.schedule?.settleFor?.toSeconds(), 0, 43_200)) problems.push('schedule.settleFor is not from 0 seconds to 12 hours.');
  if (isOut(props.maxReceives, 1, 1000)) problems.push('maxReceives is not a whole number from 1 to 1000.');
  if (isOut(props.timeout?.toSeconds(), 60, 900)) problems.push('timeout is not from 60 to 900 seconds.');
  if (props.rate !== undefined && !/^\d+(\.\d+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?(\/s)?$/.test(props.rate)) problems.push('rate is not a rate: write records a second as 5000, or bytes a second as 2MB.');
  if (isOut(props.alarms?.notEmptyFor?.toHours({ integral: false }), 1, 24)) problems.push('alarms.notEmptyFor is not a whole number of hours from 1 to 24, which is as far as an alarm looks back.');
  if (isOut(props.alarms?.stopAtDeadLetters, 1, 1_000_000)) problems.push('alarms.stopAtDeadLetters is less than 1.');
  return problems;
}
