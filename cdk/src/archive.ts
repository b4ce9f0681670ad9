/**
 * Where records go when the primary fails: a bucket, a delivery stream before it, alarms, tables for Athena.
 *
 * The layout is the archive's, version 1, so that `backstop replay` reads it. Nothing in it denies a request
 * that names no encryption: the extension names none unless a key is set, and then the bucket's applies.
 */
import { ArnFormat, Duration, Names, RemovalPolicy, Size, SizeRoundingBehavior, Stack, Token, Validations } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, MetricProps, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Effect, Grant, IGrantable, PolicyStatement, Role, ServicePrincipal, StarPrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, LogStream, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule, ObjectOwnership, StorageClass } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { BackstopArchiveAttributes, ImportedArchive } from './archive-base';
import { BackstopAlarmOptions, BackstopArchiveProps, BackstopLifecycle } from './archive-props';
import { ArchiveTables } from './archive-tables';
import { BackstopFallback, IBackstopArchive, keyBehind } from './fallback';
import { acknowledgeStars, fallbackStatements, grantAll, isAlias, readStatements } from './grants';

/** Bucket, delivery stream, alarms and tables. Give it as `fallback.archive`. */
export class BackstopArchive extends Construct implements IBackstopArchive {
  /**
   * An existing archive, such as another app's.
   *
   * @param scope the construct that refers to it
   * @param id its id in that scope
   * @param attributes its names and its key
   */
  public static fromArchiveAttributes(scope: Construct, id: string, attributes: BackstopArchiveAttributes): IBackstopArchive {
    return new ImportedArchive(scope, id, attributes);
  }

  /** The bucket. */
  public readonly bucket: Bucket;
  /** The ARN of the delivery stream, if there is one. */
  public readonly streamArn?: string;
  /** The prefix of the archive's keys. */
  public readonly prefix: string;
  /** The value for `backstop replay --from`. */
  public readonly replayFrom: string;
  /** The settings and the permissions that functions get for this archive. */
  public readonly fallback: BackstopFallback;
  private readonly streamName: string;
  private readonly stream?: CfnDeliveryStream;
  private readonly encryptionKey?: IKey;

  constructor(scope: Construct, id: string, props: BackstopArchiveProps = {}) {
    super(scope, id);
    this.prefix = props.prefix ?? 'backstop';
    // The stream's name is in the keys of its objects, so the stream must know it before it exists.
    this.streamName = props.streamName ?? Names.uniqueResourceName(this, { maxLength: 64, separator: '-' });
    this.encryptionKey = keyBehind(props.encryptionKey);
    this.node.addValidation({ validate: () => problemsOf(this.prefix, this.streamName, props, this.encryptionKey) });

    this.bucket = this.makeBucket(props);
    this.replayFrom = `s3://${this.bucket.bucketName}/${this.prefix}`;
    if (props.hasStream ?? true) {
      this.stream = this.makeStream(props);
      this.streamArn = this.stream.attrArn;
    }
    this.fallback = {
      firehoseStream: this.streamArn,
      s3Bucket: this.bucket.bucketName,
      s3Prefix: this.prefix,
      s3ExpectedBucketOwner: Stack.of(this).account,
      kmsKeyArns: this.encryptionKey ? [this.encryptionKey.keyArn] : undefined,
    };
    if (props.alarms) this.makeAlarms(props.alarms);
    if (props.tables) {
      new ArchiveTables(this, 'Tables', { bucketName: this.bucket.bucketName, prefix: this.prefix, streamName: this.stream && this.streamName, options: props.tables });
    }
  }

  /** Lets a function, a role or another principal write to the archive, and nothing else. */
  public grantWrite(grantee: IGrantable): Grant {
    return grantAll(grantee, fallbackStatements(this, this.fallback));
  }

  /** Lets a function, a role or another principal read the archive, as `backstop replay` does, and nothing else. */
  public grantRead(grantee: IGrantable): Grant {
    return grantAll(grantee, readStatements(this, this.fallback));
  }

  private makeBucket(props: BackstopArchiveProps): Bucket {
    const { encryptionKey: key } = this;
    const bucket = new Bucket(this, 'Bucket', {
      bucketName: props.bucketName,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      encryption: key ? BucketEncryption.KMS : BucketEncryption.S3_MANAGED,
      encryptionKey: key,
      // One call to KMS for many objects.
      bucketKeyEnabled: key ? true : undefined,
      versioned: props.versioned,
      lifecycleRules: [lifecycleOf(props)],
      serverAccessLogsBucket: props.serverAccessLogs,
      removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
      autoDeleteObjects: props.autoDeleteObjects,
    });
    const refuse = (sid: string, condition: string, header: string, value: string) => bucket.addToResourcePolicy(new PolicyStatement({
      sid, effect: Effect.DENY, principals: [new StarPrincipal()], actions: ['s3:PutObject'], resources: [bucket.arnForObjects('*')], conditions: { [condition]: { [header]: value } },
    }));
    // Refuse only requests that name another encryption: the extension names none, so that rule would refuse every record.
    refuse('NoOtherEncryption', 'StringNotEqualsIfExists', 's3:x-amz-server-side-encryption', key ? 'aws:kms' : 'AES256');
    refuse('NoKeysOfCallers', 'Null', 's3:x-amz-server-side-encryption-customer-algorithm', 'false');
    if (key) refuse('NoOtherKey', 'StringNotEqualsIfExists', 's3:x-amz-server-side-encryption-aws-kms-key-id', key.keyArn);
    if (!props.serverAccessLogs) {
      Validations.of(bucket).acknowledge({ id: 'AwsSolutions-S1', reason: 'Users who need logs of a bucket of logs set serverAccessLogs.' });
    }
    return bucket;
  }

  /** Writes what it gets, gzipped: the extension ends each line itself. */
  private makeStream(props: BackstopArchiveProps): CfnDeliveryStream {
    const { streamName, prefix, bucket } = this;
    const stack = Stack.of(this);
    const logGroup = new LogGroup(this, 'Log', {
      retention: props.stream?.logRetention ?? RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY,
    });
    const logStream = new LogStream(this, 'LogStream', { logGroup, removalPolicy: RemovalPolicy.DESTROY });
    const arn = stack.formatArn({ service: 'firehose', resource: 'deliverystream', resourceName: streamName });
    const role = new Role(this, 'Role', {
      description: 'Lets the delivery stream write to the archive.',
      // Only this stream, no matter who may pass the role on.
      assumedBy: new ServicePrincipal('firehose.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account }, ArnEquals: { 'aws:SourceArn': arn } },
      }),
    });
    const objects = [bucket.arnForObjects(`${prefix}/v1/stream=${streamName}/*`), bucket.arnForObjects(`${prefix}-errors/*`)];
    role.addToPolicy(new PolicyStatement({ actions: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'], resources: [bucket.bucketArn] }));
    // What AWS asks for; reading is limited to what the stream itself may write.
    const writes = new PolicyStatement({ actions: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'], resources: objects });
    role.addToPolicy(writes);
    acknowledgeStars(role, [writes]);
    role.addToPolicy(new PolicyStatement({
      actions: ['logs:PutLogEvents'],
      resources: [stack.formatArn({ service: 'logs', resource: 'log-group', resourceName: `${logGroup.logGroupName}:log-stream:${logStream.logStreamName}`, arnFormat: ArnFormat.COLON_RESOURCE_NAME })],
    }));
    if (this.encryptionKey) {
      role.addToPolicy(new PolicyStatement({
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [this.encryptionKey.keyArn], conditions: { StringLike: { 'kms:ViaService': 's3.*' } },
      }));
    }
    const when = 'dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/';
    const stream = new CfnDeliveryStream(this, 'Stream', {
      deliveryStreamName: streamName,
      deliveryStreamType: 'DirectPut',
      // Not with the bucket's key: Firehose would need a grant on it beyond S3.
      deliveryStreamEncryptionConfigurationInput: { keyType: 'AWS_OWNED_CMK' },
      extendedS3DestinationConfiguration: {
        roleArn: role.roleArn,
        bucketArn: bucket.bucketArn,
        // The archive's layout, version 1, in UTC. Errors lie apart, so that no replay takes them for records.
        prefix: `${prefix}/v1/stream=${streamName}/${when}`,
        errorOutputPrefix: `${prefix}-errors/!{firehose:error-output-type}/${when}`,
        fileExtension: '.ndjson.gz',
        compressionFormat: 'GZIP',
        bufferingHints: {
          sizeInMBs: (props.stream?.buffer ?? Size.mebibytes(64)).toMebibytes(),
          intervalInSeconds: (props.stream?.bufferFor ?? Duration.seconds(300)).toSeconds(),
        },
        cloudWatchLoggingOptions: { enabled: true, logGroupName: logGroup.logGroupName, logStreamName: logStream.logStreamName },
      },
    });
    // Firehose tries the role when it is made. Of the bucket nothing else is waited for: a notification, or a statement
    // of its policy, may name a function, whose variables name the stream.
    stream.node.addDependency(role, bucket.node.defaultChild!);
    return stream;
  }

  private makeAlarms(options: BackstopAlarmOptions): void {
    const period = options.period ?? Duration.minutes(5);
    const make = (id: string, of: MetricProps, comparisonOperator: ComparisonOperator, threshold: number, alarmDescription: string) => {
      // Without records there are no data points: nothing is wrong.
      const alarm = new Alarm(this, id, {
        metric: new Metric({ ...of, period }),
        comparisonOperator,
        threshold,
        alarmDescription,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
      alarm.addAlarmAction(...(options.actions ?? []));
      alarm.addOkAction(...(options.actions ?? []));
    };
    if (this.stream) {
      const of = { namespace: 'AWS/Firehose', dimensionsMap: { DeliveryStreamName: this.streamName } };
      make('FallbackUsed', { ...of, metricName: 'IncomingRecords', statistic: 'Sum' }, ComparisonOperator.GREATER_THAN_THRESHOLD, 0,
        'Functions divert records to the delivery stream: a primary refuses them, is slow or is down.');
      make('DeliveryFailed', { ...of, metricName: 'DeliveryToS3.Success', statistic: 'Minimum' }, ComparisonOperator.LESS_THAN_THRESHOLD, 1,
        'The delivery stream cannot write to the archive. It tries for 24 hours; its log group says why.');
    }
    if (options.directWrites ?? !this.stream) {
      // What functions write themselves; the stream's objects are elsewhere.
      this.bucket.addMetric({ id: 'direct', prefix: `${this.prefix}/v1/account=` });
      make('DirectWrites', {
        namespace: 'AWS/S3', metricName: 'PutRequests', statistic: 'Sum', dimensionsMap: { BucketName: this.bucket.bucketName, FilterId: 'direct' },
      }, ComparisonOperator.GREATER_THAN_THRESHOLD, 0,
      'Functions write records to the bucket directly: a primary fails, and the delivery stream too, or there is none.');
    }
  }
}

function lifecycleOf(props: BackstopArchiveProps): LifecycleRule {
  const { infrequentAccessAfter, glacierInstantAfter, expireAfter } =
    props.lifecycle ?? { infrequentAccessAfter: Duration.days(30), expireAfter: Duration.days(365) } as BackstopLifecycle;
  const transitions = [
    { storageClass: StorageClass.INFREQUENT_ACCESS, transitionAfter: infrequentAccessAfter },
    { storageClass: StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: glacierInstantAfter },
  ].flatMap(({ storageClass, transitionAfter }) => transitionAfter ? [{ storageClass, transitionAfter }] : []);
  return {
    id: 'age',
    abortIncompleteMultipartUploadAfter: Duration.days(7),
    transitions: transitions.length > 0 ? transitions : undefined,
    expiration: expireAfter,
    noncurrentVersionExpiration: props.versioned ? Duration.days(30) : undefined,
  };
}

function problemsOf(prefix: string, streamName: string, props: BackstopArchiveProps, key?: IKey): string[] {
  const problems: string[] = [];
  const { infrequentAccessAfter: infrequent, glacierInstantAfter: glacier, expireAfter: expire } = props.lifecycle ?? {};
  if (key && isAlias(key.keyArn)) problems.push('encryptionKey is the alias of an unknown key, and a policy cannot grant an alias: give the key itself.');
  if (!Token.isUnresolved(prefix) && !/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/.test(prefix)) {
    problems.push('prefix is invalid: use letters, digits, dots, hyphens and underscores, with single slashes between parts and none at the ends.');
  }
  if (!Token.isUnresolved(streamName) && !/^[A-Za-z0-9._-]{1,64}$/.test(streamName)) {
    problems.push('streamName is not 1 to 64 letters, digits, dots, hyphens and underscores.');
  }
  if (infrequent && infrequent.toDays() < 30) problems.push('lifecycle.infrequentAccessAfter is less than the 30 days that S3 requires.');
  if (infrequent && glacier && glacier.toDays() < infrequent.toDays() + 30) {
    problems.push('lifecycle.glacierInstantAfter is less than 30 days after infrequentAccessAfter, which S3 requires.');
  }
  if (expire && [infrequent, glacier].some((move) => move && move.toDays() >= expire.toDays())) {
    problems.push('lifecycle.expireAfter is not later than the moves to cheaper classes.');
  }
  if (expire && expire.toDays() < 1) problems.push('lifecycle.expireAfter is less than a day.');
  const { buffer, bufferFor } = props.stream ?? {};
  const isWithin = (value: number, least: number, most: number) => value >= least && value <= most;
  if (buffer && !isWithin(buffer.toMebibytes({ rounding: SizeRoundingBehavior.NONE }), 1, 128)) problems.push('stream.buffer is not 1 to 128 MiB.');
  if (bufferFor && !isWithin(bufferFor.toSeconds({ integral: false }), 0, 900)) problems.push('stream.bufferFor is not 0 to 900 seconds.');
  if (props.tables?.firstDay && !/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/.test(props.tables.firstDay)) {
    problems.push('tables.firstDay is not a day such as 2025-01-31.');
  }
  return problems;
}
