/** The alarms, as a table: the same as `alarms.json` of the Terraform module `monitoring`, to which a test compares them. */
import { ComparisonOperator, Stats } from 'aws-cdk-lib/aws-cloudwatch';

/** What an alarm watches, and when it is raised. */
export interface AlarmKind {
  readonly namespace: string;
  readonly metric: string;
  readonly statistic: string;
  readonly comparison: ComparisonOperator;
  readonly threshold: number;
  readonly description: string;
}

const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = ComparisonOperator;

/** By the end of their names. */
export const ALARMS = {
  'records-diverted': {
    namespace: 'Backstop',
    metric: 'Diverted',
    statistic: Stats.SUM,
    comparison: GREATER_THAN_THRESHOLD,
    threshold: 0,
    description: 'A primary fails: its records go to the archive. Fix it, then replay. See docs/operations.md.',
  },
  'records-dropped': {
    namespace: 'Backstop',
    metric: 'Dropped',
    statistic: Stats.SUM,
    comparison: GREATER_THAN_THRESHOLD,
    threshold: 0,
    description: 'Records are lost: neither the primary nor a fallback took them. See docs/operations.md.',
  },
  'dead-letters': {
    namespace: 'Backstop',
    metric: 'DeadLetters',
    statistic: Stats.SUM,
    comparison: GREATER_THAN_THRESHOLD,
    threshold: 0,
    description: 'A primary refuses single records for good: they are in the archive with its answer. See docs/operations.md.',
  },
  'firehose-failed': {
    namespace: 'AWS/Firehose',
    metric: 'DeliveryToS3.Success',
    statistic: Stats.MINIMUM,
    comparison: LESS_THAN_THRESHOLD,
    threshold: 1,
    description: 'The delivery stream cannot write to the archive. It tries for 24 hours. See docs/operations.md.',
  },
  'archive-not-replayed': {
    namespace: 'AWS/S3',
    metric: 'NumberOfObjects',
    statistic: Stats.AVERAGE,
    comparison: GREATER_THAN_THRESHOLD,
    threshold: 0,
    description: 'The archive has had objects for days: replay them with --after delete. See docs/operations.md.',
  },
} satisfies Record<string, AlarmKind>;

/** The name of an alarm. */
export type AlarmName = keyof typeof ALARMS;

/** Those that watch what the extension counts. */
export const ON_RECORDS: readonly AlarmName[] = ['records-diverted', 'records-dropped', 'dead-letters'];
