/**
 * What an archive can be given.
 *
 * Must not: check or make anything; `archive.ts` does.
 */
import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { BackstopTableOptions } from './archive-base';

/** The steps for objects as they age; a step that you do not name is not taken. */
export interface BackstopLifecycle {
  /**
   * When they move to STANDARD_IA, after at least 30 days.
   * @default - never
   */
  readonly infrequentAccessAfter?: Duration;
  /**
   * When they move to GLACIER_IR, which can be read at once; at least 30 days after a move to STANDARD_IA.
   * @default - never
   */
  readonly glacierInstantAfter?: Duration;
  /**
   * When they are deleted.
   * @default - never
   */
  readonly expireAfter?: Duration;
}

/** The delivery stream. */
export interface BackstopStreamOptions {
  /**
   * Firehose writes an object when it has this much.
   * @default - 64 MiB
   */
  readonly buffer?: Size;
  /**
   * Firehose writes an object after this time at the latest.
   * @default - 300 seconds
   */
  readonly bufferFor?: Duration;
  /**
   * How long CloudWatch keeps the stream's own errors.
   * @default - one month
   */
  readonly logRetention?: RetentionDays;
}

/** Alarms: one while the stream is in use, one when it cannot deliver, one while functions write directly. */
export interface BackstopAlarmOptions {
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
   * Whether there is an alarm on what functions write to the bucket directly. It needs request metrics of the
   * bucket, which cost extra.
   * @default - only if there is no stream
   */
  readonly directWrites?: boolean;
}

/** An archive. */
export interface BackstopArchiveProps {
  /**
   * The name of the bucket.
   * @default - CloudFormation's choice
   */
  readonly bucketName?: string;
  /**
   * The name of the delivery stream, which is in the keys of its objects.
   * @default - made from the construct's path
   */
  readonly streamName?: string;
  /**
   * The prefix of the archive's keys.
   * @default 'backstop'
   */
  readonly prefix?: string;
  /**
   * A key of yours, instead of S3's own keys.
   * @default - S3's own keys (SSE-S3)
   */
  readonly encryptionKey?: IKey;
  /**
   * Whether the bucket keeps overwritten and deleted objects, for 30 days.
   * @default false
   */
  readonly versioned?: boolean;
  /**
   * The steps for objects as they age.
   * @default - STANDARD_IA after 30 days, deleted after 365
   */
  readonly lifecycle?: BackstopLifecycle;
  /**
   * Whether there is a delivery stream; without it functions write only to the bucket.
   * @default true
   */
  readonly hasStream?: boolean;
  /**
   * The delivery stream's settings.
   * @default - 64 MiB or 300 seconds
   */
  readonly stream?: BackstopStreamOptions;
  /**
   * Alarms.
   * @default - none
   */
  readonly alarms?: BackstopAlarmOptions;
  /**
   * Tables for Athena.
   * @default - none
   */
  readonly tables?: BackstopTableOptions;
  /**
   * The bucket for S3's access logs.
   * @default - none
   */
  readonly serverAccessLogs?: IBucket;
  /**
   * What happens to the bucket when it is removed from the stack.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Whether to delete the objects with the bucket; only with `removalPolicy` DESTROY.
   * @default false
   */
  readonly autoDeleteObjects?: boolean;
}
