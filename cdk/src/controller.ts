/**
 * The controller in your account: a function that keeps functions as a `backstop.toml` wants them, a queue of events, and a
 * schedule.
 *
 * It is what the Terraform module `controller` makes, with the same permissions, variables and alarms, which tests compare.
 * What costs is off by default. Must not: attach the extension to the function.
 */
import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Alarm, AlarmProps, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, CfnEventSourceMapping, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import { Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { controllerStatements } from './controller-policy';
import { BackstopControllerEvents, BackstopControllerProps, controllerProblems, modeOf, nameOf, planHoursOf, prefixOf, variablesOf, writesOf } from './controller-settings';
import { acknowledgeStars, allow } from './grants';

/** Calls of CloudTrail, by the beginnings of their names: some have the API's version behind them. */
const CALLS = ['CreateFunction', 'UpdateFunctionConfiguration', 'UpdateFunctionCode', 'TagResource', 'UntagResource'];
const CLOUDTRAIL = 'AWS API Call via CloudTrail';

/** Why there are stars in the policy. */
const STARS = 'The wanted state selects functions in all regions; what it lists names no resource, and objects are below the prefix of its state.';

/** Keeps the functions of your accounts as a `backstop.toml` wants them. */
export class BackstopController extends Construct {
  /** The function: its ARN is a `serviceToken` of custom resources. */
  public readonly fn: Function;
  /** The queue of events. */
  public readonly queue: Queue;
  /** The queue of events that could not be planned for. */
  public readonly deadLetters: Queue;
  /** The alarms. */
  public readonly alarms: Alarm[] = [];
  /** The value for `--state` of `backstop undo`, `backstop runs` and `backstop controller status`. */
  public readonly state: string;
  private readonly controllerName: string;

  constructor(scope: Construct, id: string, private readonly props: BackstopControllerProps) {
    super(scope, id);
    this.controllerName = nameOf(props);
    this.state = `s3://${props.state.bucket.bucketName}/${prefixOf(props)}`;
    this.node.addValidation({ validate: () => controllerProblems(props) });

    [this.queue, this.deadLetters] = this.makeQueues();
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/aws/lambda/${this.controllerName}`, retention: props.logRetention ?? RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY,
    });
    // Its ARN is what the trust policies of the roles in other accounts name.
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    const statements = controllerStatements(this, props, logGroup, this.queue);
    const permissions = new Policy(this, 'Permissions', { statements });
    permissions.attachToRole(role);
    acknowledgeStars(permissions, statements, STARS);
    this.fn = new Function(this, 'Function', {
      functionName: this.controllerName,
      description: `Keeps the functions of the account as backstop.toml wants them: mode ${modeOf(props)}.`,
      code: props.code,
      runtime: Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture: props.architecture ?? Architecture.ARM_64,
      memorySize: props.memorySize ?? 512,
      timeout: Duration.minutes(15),
      // Two at once would write the same functions.
      reservedConcurrentExecutions: 1,
      role,
      logGroup,
      environment: variablesOf(props),
    });
    this.fn.node.addDependency(permissions);
    if (props.events) this.makeEvents(props.events);
    if (props.schedule) this.makeSchedule(props.schedule.expressionString);
    if (props.alarms) this.makeAlarms();
  }

  /** The queue's delay lets a deployment end, and what cannot be planned goes to the dead-letter queue. */
  private makeQueues(): [Queue, Queue] {
    const { queueKey, events } = this.props;
    const common = { encryption: queueKey ? QueueEncryption.KMS : QueueEncryption.SQS_MANAGED, encryptionMasterKey: queueKey, enforceSSL: true };
    // By its name: each of the two queues would otherwise wait for the other.
    const arn = Stack.of(this).formatArn({ service: 'sqs', resource: this.controllerName, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    const deadLetters = new Queue(this, 'DeadLetters', {
      ...common,
      queueName: `${this.controllerName}-dead-letters`,
      retentionPeriod: Duration.days(14),
      redriveAllowPolicy: { redrivePermission: RedrivePermission.BY_QUEUE, sourceQueues: [Queue.fromQueueArn(this, 'Source', arn)] },
    });
    const queue = new Queue(this, 'Queue', {
      ...common,
      queueName: this.controllerName,
      deliveryDelay: events?.delay ?? Duration.minutes(1),
      retentionPeriod: Duration.days(1),
      visibilityTimeout: Duration.minutes(90),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
    });
    return [queue, deadLetters];
  }

  private makeEvents({ cloudtrail = false }: BackstopControllerEvents): void {
    // Lambda's own events need no trail. Whatever they are called, they are not those of CloudTrail.
    this.makeRule('state', { 'source': ['aws.lambda'], 'detail-type': [{ 'anything-but': CLOUDTRAIL }] });
    if (cloudtrail) {
      this.makeRule('cloudtrail', {
        'source': ['aws.lambda'],
        'detail-type': [CLOUDTRAIL],
        'detail': { eventSource: ['lambda.amazonaws.com'], eventName: CALLS.map((prefix) => ({ prefix })), errorCode: [{ exists: false }] },
      });
    }
    new CfnEventSourceMapping(this, 'Mapping', {
      functionName: this.fn.functionArn,
      eventSourceArn: this.queue.queueArn,
      batchSize: 100,
      // Many events of one deployment are one plan.
      maximumBatchingWindowInSeconds: 30,
      // The least that there is; the reserved concurrency of 1 holds back the other.
      scalingConfig: { maximumConcurrency: 2 },
    });
  }

  private makeRule(kind: string, eventPattern: object): void {
    const rule = new CfnRule(this, `Rule-${kind}`, {
      name: `${this.controllerName}-${kind}`,
      description: `Functions that changed, for ${this.controllerName}.`,
      eventPattern,
      targets: [{ id: 'queue', arn: this.queue.queueArn }],
    });
    this.queue.addToResourcePolicy(new PolicyStatement({
      principals: [new ServicePrincipal('events.amazonaws.com')],
      actions: ['sqs:SendMessage'],
      resources: [this.queue.queueArn],
      conditions: { ArnEquals: { 'aws:SourceArn': rule.attrArn } },
    }));
  }

  private makeSchedule(scheduleExpression: string): void {
    const role = new Role(this, 'ScheduleRole', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', { conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } } }),
    });
    const permissions = new Policy(this, 'SchedulePermissions', { statements: [allow('Invoke', ['lambda:InvokeFunction'], [this.fn.functionArn])] });
    permissions.attachToRole(role);
    new CfnSchedule(this, 'Schedule', {
      name: `${this.controllerName}-plan`,
      description: 'Plans over everything.',
      scheduleExpression,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: this.fn.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify({ action: 'plan' }),
        retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: 1800 },
      },
    }).node.addDependency(permissions);
  }

  private makeAlarms(): void {
    const { schedule, events, alarms } = this.props;
    const log = `/aws/lambda/${this.controllerName}`;
    const counted: Record<string, [string, string]> = {
      errors: ['Errors', `A plan failed: the wanted state, the state or an API could not be used. The log group ${log} says why.`],
      failed: ['Failed', 'Functions could not be written. `backstop controller status` says which, and why.'],
      limited: ['Limited', `Functions were written ${writesOf(this.props)} times within an hour and are now left: somebody else changes them back. \`backstop controller status\` says which.`],
      skipped: ['Skipped', 'Accounts, regions, functions or names could not be read. `backstop controller status` says which.'],
      stopped: ['Stopped', 'The switch stops all writes.'],
      ...(alarms?.drift ? { drifted: ['Drifted', `Functions differ from what they were given, and the mode ${modeOf(this.props)} leaves them.`] } : {}),
    };
    for (const [name, [metricName, text]] of Object.entries(counted)) this.makeAlarm(name, text, this.counted(metricName, 'Maximum'));
    const hours = planHoursOf(this.props);
    if (schedule && hours !== undefined) {
      // A function that fails before it counts, or a schedule that does not run.
      this.makeAlarm('no-plan', `No plan over everything has worked for ${hours} hours.`, this.counted('Plans', 'Sum'), {
        threshold: 1,
        evaluationPeriods: hours,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.BREACHING,
      });
    }
    // What ends in no line of metrics: the function ran out of time or memory, or did not start. Lambda tries a plan three
    // times; one failure for an event that must wait is nothing to look at.
    this.makeAlarm('invocations', `Invocations of the function failed. The log group ${log} says why.`,
      this.fn.metricErrors({ statistic: 'Sum', period: Duration.hours(1) }), { threshold: 2 });
    if (events) {
      this.makeAlarm('dead-letters', 'Events could not be planned for. Nothing is lost: the next plan over everything finds what they were about.',
        this.deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: Duration.minutes(5) }));
    }
  }

  private counted(metricName: string, statistic: string): Metric {
    return new Metric({
      namespace: 'Backstop/Controller', metricName, dimensionsMap: { FunctionName: this.controllerName }, statistic, period: Duration.hours(1),
    });
  }

  private makeAlarm(name: string, alarmDescription: string, metric: Metric, options: Partial<AlarmProps> = {}): void {
    const alarm = new Alarm(this, name, {
      alarmName: `${this.controllerName}-${name}`,
      alarmDescription,
      metric,
      threshold: 0,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...options,
    });
    alarm.addAlarmAction(...(this.props.alarms?.actions ?? []));
    alarm.addOkAction(...(this.props.alarms?.actions ?? []));
    this.alarms.push(alarm);
  }
}
