/**
 * A dashboard and alarms: on what the extension counts (`BACKSTOP_METRICS`), on the delivery stream, and on what is left
 * in the archive.
 *
 * The alarms are those of the Terraform module `monitoring`. Must not: change a function; attaching does.
 */
import { ArnFormat, Duration, Stack, Token } from 'aws-cdk-lib';
import { Alarm, AlarmStatusWidget, Dashboard, GraphWidget, IAlarmAction, IWidget, MathExpression, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { AlarmKind, AlarmName, ALARMS, ON_RECORDS } from './alarms';
import { IBackstopArchive } from './fallback';

/** How the alarms evaluate, and what they notify. */
export interface BackstopMonitoringAlarms {
  /**
   * What to notify.
   * @default - nothing
   */
  readonly actions?: IAlarmAction[];
  /**
   * The period of evaluation.
   * @default - 5 minutes
   */
  readonly period?: Duration;
  /**
   * Records in a period above which an alarm is raised, by alarm: `records-diverted`, `records-dropped`, `dead-letters`.
   * @default - 0
   */
  readonly thresholds?: { [alarm: string]: number };
}

/** What to watch. */
export interface BackstopMonitoringProps {
  /**
   * The name of the dashboard, and the beginning of the names of the alarms.
   * @default 'backstop'
   */
  readonly monitoringName?: string;
  /**
   * The functions to watch, each with alarms of its own.
   * @default - one alarm of each kind watches all functions of the region
   */
  readonly functions?: IFunction[];
  /**
   * How the alarms evaluate, and what they notify.
   * @default - 5 minutes, and nothing
   */
  readonly alarms?: BackstopMonitoringAlarms;
  /**
   * The archive, for an alarm on the failures of its delivery stream. Leave out `alarms` of the archive then.
   * @default - none
   */
  readonly archive?: IBackstopArchive;
  /**
   * Days with objects in the archive's bucket after which an alarm is raised. Only for a bucket of its own without versions,
   * replayed with `--after delete`: S3 counts the objects that are left, once a day.
   * @default - no alarm
   */
  readonly notReplayedAfter?: Duration;
  /**
   * Whether there is a dashboard.
   * @default true
   */
  readonly hasDashboard?: boolean;
}

/** A dashboard and alarms for functions with Backstop, whose `metrics` are EMF or BOTH. */
export class BackstopMonitoring extends Construct {
  /** The dashboard, if there is one. */
  public readonly dashboard?: Dashboard;
  /** The alarms. */
  public readonly alarms: Alarm[] = [];
  private readonly monitoringName: string;
  private readonly options: BackstopMonitoringAlarms;

  constructor(scope: Construct, id: string, props: BackstopMonitoringProps = {}) {
    super(scope, id);
    this.monitoringName = props.monitoringName ?? 'backstop';
    this.options = props.alarms ?? {};
    this.node.addValidation({ validate: () => problemsOf(this.monitoringName, props) });

    const { functions = [], archive } = props;
    for (const name of ON_RECORDS) {
      if (functions.length === 0) this.makeAlarm(name);
      for (const fn of functions) this.makeAlarm(name, { FunctionName: fn.functionName }, fn);
    }
    const streamArn = archive?.fallback.firehoseStream;
    if (streamArn) this.makeAlarm('firehose-failed', { DeliveryStreamName: streamName(this, streamArn) });
    if (archive?.fallback.s3Bucket && props.notReplayedAfter) {
      // S3 reports it once a day.
      const dimensions = { BucketName: archive.fallback.s3Bucket, StorageType: 'AllStorageTypes' };
      this.makeAlarm('archive-not-replayed', dimensions, undefined, Duration.days(1), days(props.notReplayedAfter));
    }
    if (props.hasDashboard ?? true) this.dashboard = this.makeDashboard(functions);
  }

  private makeAlarm(name: AlarmName, dimensionsMap?: { [name: string]: string }, fn?: IFunction, period?: Duration, evaluationPeriods = 1): void {
    const kind: AlarmKind = ALARMS[name];
    const alarm = new Alarm(this, fn ? `${name}-${fn.node.addr}` : name, {
      alarmName: fn ? `${this.monitoringName}-${name}-${fn.functionName}` : `${this.monitoringName}-${name}`,
      alarmDescription: kind.description,
      metric: new Metric({
        namespace: kind.namespace,
        metricName: kind.metric,
        statistic: kind.statistic,
        dimensionsMap,
        period: period ?? this.options.period ?? Duration.minutes(5),
      }),
      comparisonOperator: kind.comparison,
      threshold: this.options.thresholds?.[name] ?? kind.threshold,
      evaluationPeriods,
      // The extension does not report a count that is zero.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(...(this.options.actions ?? []));
    alarm.addOkAction(...(this.options.actions ?? []));
    this.alarms.push(alarm);
  }

  private makeDashboard(functions: IFunction[]): Dashboard {
    // A search has room for 1,024 characters, so for twelve of the longest names.
    const parts = Array.from({ length: Math.ceil(functions.length / 12) }, (_, at) => functions.slice(at * 12, at * 12 + 12));
    const named = parts.length === 0 ? [''] : parts.map((part) => ` FunctionName=(${part.map((fn) => `"${fn.functionName}"`).join(' OR ')})`);
    const search = (schema: string, metric: string, statistic: string) => named.map((names) => new MathExpression({
      expression: `SEARCH('{Backstop,${schema}} MetricName="${metric}"${names}', '${statistic}', 300)`,
      usingMetrics: {},
      label: '',
      period: Duration.minutes(5),
    }));
    const graph = (title: string, ...left: MathExpression[][]) =>
      new GraphWidget({ title, left: left.flat(), width: 12, height: 6, period: Duration.minutes(5) });
    const rows: IWidget[][] = [
      [new AlarmStatusWidget({ title: 'Alarms', alarms: this.alarms, width: 24, height: 2 })],
      [
        graph('Records received, by function', search('FunctionName', 'Received', 'Sum')),
        graph('Records delivered, by sink', search('FunctionName,Sink', 'Delivered', 'Sum')),
      ],
      [
        graph('Records diverted to a fallback', search('FunctionName', 'Diverted', 'Sum')),
        graph('Records dropped (lost), by reason, and lost before Backstop', search('FunctionName,Reason', 'Dropped', 'Sum'), search('FunctionName', 'LostUpstream', 'Sum')),
      ],
      [
        graph('Dead letters', search('FunctionName', 'DeadLetters', 'Sum')),
        graph('Circuit breaker open, by sink', search('FunctionName,Sink', 'BreakerOpen', 'Maximum')),
      ],
      [
        graph('Records pending in one environment, at most', search('FunctionName', 'Pending', 'Maximum')),
        graph('Milliseconds added to invocations', search('FunctionName', 'AddedMilliseconds', 'Sum')),
      ],
    ];
    return new Dashboard(this, 'Dashboard', { dashboardName: this.monitoringName, widgets: rows });
  }
}

/** The name of a stream that is given by name or ARN; an ARN may be known at deployment only. */
function streamName(scope: Construct, stream: string): string {
  if (!Token.isUnresolved(stream) && !stream.startsWith('arn:')) return stream;
  return Stack.of(scope).splitArn(stream, ArnFormat.SLASH_RESOURCE_NAME).resourceName!;
}

const days = (after: Duration) => Math.max(1, Math.floor(after.toDays({ integral: false })));

function problemsOf(name: string, props: BackstopMonitoringProps): string[] {
  const problems: string[] = [];
  if (!Token.isUnresolved(name) && !/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}$/.test(name)) {
    problems.push('monitoringName is not 1 to 100 letters, digits, hyphens and underscores that begin with a letter or digit.');
  }
  if ((props.functions ?? []).length > 30) {
    problems.push('functions has more than 30 entries, and a dashboard has no room for their alarms: remove it, or create one BackstopMonitoring for each team.');
  }
  for (const [alarm, records] of Object.entries(props.alarms?.thresholds ?? {})) {
    if (!(ON_RECORDS as readonly string[]).includes(alarm)) {
      problems.push(`alarms.thresholds names ${alarm}, which is not an alarm on records: use ${ON_RECORDS.join(', ')}.`);
    } else if (!Token.isUnresolved(records) && !(Number.isInteger(records) && records >= 0)) {
      problems.push(`alarms.thresholds has a value for ${alarm} that is not a whole number, 0 or more.`);
    }
  }
  const period = props.alarms?.period?.toSeconds({ integral: false }) ?? 300;
  if (period < 60 || period > 86400) problems.push('alarms.period is less than a minute or more than a day.');
  const after = props.notReplayedAfter?.toDays({ integral: false }) ?? 1;
  if (after < 1 || after > 7 || !Number.isInteger(after)) problems.push('notReplayedAfter is not a number of whole days from 1 to 7, the most that CloudWatch evaluates.');
  if (props.notReplayedAfter && !props.archive?.fallback.s3Bucket) problems.push('notReplayedAfter is set, but no archive with a bucket: set archive, or remove it.');
  return problems;
}
