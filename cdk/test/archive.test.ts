import { App, Duration, RemovalPolicy, Size, Stack, Validations } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Alias, Key } from 'aws-cdk-lib/aws-kms';
import { Runtime } from 'aws-cdk-lib/aws-lambda';
import { EventType } from 'aws-cdk-lib/aws-s3';
import { LambdaDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { ENV, functionIn, layer, stackOf } from './app';
import { verdictOn } from './nag';
import { Backstop, BackstopArchive, BackstopArchiveProps } from '../src';

const archiveIn = (stack: Stack, props: BackstopArchiveProps = {}) => new BackstopArchive(stack, 'Archive', props);
const templateOf = (props: BackstopArchiveProps = {}) => {
  const stack = stackOf();
  archiveIn(stack, props);
  return Template.fromStack(stack);
};
const withKey = () => {
  const stack = stackOf();
  const encryptionKey = new Key(stack, 'Key', { enableKeyRotation: true });
  const archive = archiveIn(stack, { encryptionKey });
  return { stack, archive };
};

test('the bucket is private, encrypted, over TLS only, and stays', () => {
  const template = templateOf();
  template.hasResource('AWS::S3::Bucket', {
    DeletionPolicy: 'Retain',
    Properties: {
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
      LifecycleConfiguration: {
        Rules: [{
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 }, ExpirationInDays: 365, Id: 'age', Status: 'Enabled', Transitions: [{ StorageClass: 'STANDARD_IA', TransitionInDays: 30 }],
        }],
      },
    },
  });
  template.hasResourceProperties('AWS::S3::BucketPolicy', {
    PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })]) },
  });
});

test('a request that names no encryption is not refused', () => {
  for (const template of [templateOf(), Template.fromStack(withKey().stack)]) {
    const [policy] = Object.values(template.findResources('AWS::S3::BucketPolicy'));
    const denials = policy.Properties.PolicyDocument.Statement.filter((statement: any) => statement.Action === 's3:PutObject' && statement.Effect === 'Deny');
    expect(denials.length).toBeGreaterThan(1);
    for (const { Condition } of denials) {
      // IfExists holds for what is not there as a match; Null false asks that it is there.
      expect([['StringNotEqualsIfExists'], ['Null']]).toContainEqual(Object.keys(Condition));
      if (Condition.Null) expect(Condition.Null).toEqual({ 's3:x-amz-server-side-encryption-customer-algorithm': 'false' });
    }
  }
});

test('the stream writes the layout of the archive, and errors apart', () => {
  templateOf({ prefix: 'telemetry', streamName: 'records' }).hasResourceProperties('AWS::KinesisFirehose::DeliveryStream', {
    DeliveryStreamName: 'records',
    DeliveryStreamEncryptionConfigurationInput: { KeyType: 'AWS_OWNED_CMK' },
    ExtendedS3DestinationConfiguration: {
      Prefix: 'telemetry/v1/stream=records/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/',
      ErrorOutputPrefix: 'telemetry-errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/',
      CompressionFormat: 'GZIP',
      FileExtension: '.ndjson.gz',
      BufferingHints: { IntervalInSeconds: 300, SizeInMBs: 64 },
    },
  });
});

test('a key of the user encrypts, and is the only one', () => {
  const { stack } = withKey();
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::S3::Bucket', {
    BucketEncryption: { ServerSideEncryptionConfiguration: [{ BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } }] },
  });
  template.hasResourceProperties('AWS::S3::BucketPolicy', { PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Sid: 'NoOtherKey' })]) } });
});

test('an alias of a key is the key behind it, or refused where that is not known', () => {
  const stack = stackOf();
  const encryptionKey = new Alias(stack, 'Alias', { aliasName: 'alias/archive', targetKey: new Key(stack, 'Key', { enableKeyRotation: true }) });
  const archive = archiveIn(stack, { encryptionKey });
  Backstop.attach(functionIn(stack), { layer, fallback: { archive } });
  for (const policy of Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'))) {
    expect(JSON.stringify(policy)).not.toContain('alias');
    expect(JSON.stringify(policy)).toContain('"Fn::GetAtt":["Key');
  }
  const unknown = stackOf();
  archiveIn(unknown, { encryptionKey: Alias.fromAliasName(unknown, 'Alias', 'alias/theirs') });
  expect(() => Template.fromStack(unknown)).toThrow('encryptionKey is the alias');
});

test('a function may be told of new objects, and write to the archive', () => {
  const stack = stackOf();
  const archive = archiveIn(stack);
  const fn = functionIn(stack);
  archive.bucket.addEventNotification(EventType.OBJECT_CREATED, new LambdaDestination(fn));
  Backstop.attach(fn, { layer, fallback: { archive } });
  // Template refuses circles.
  Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', { Environment: Match.anyValue() });
});

test('a function with the archive writes to both, and needs nothing more', () => {
  const { stack, archive } = withKey();
  Backstop.attach(functionIn(stack), { layer, fallback: { archive } });
  const template = Template.fromStack(stack);
  const [fn] = Object.values(template.findResources('AWS::Lambda::Function'));
  expect(Object.keys(fn.Properties.Environment.Variables)).toEqual(['BACKSTOP_FIREHOSE_STREAM', 'BACKSTOP_S3_BUCKET', 'BACKSTOP_S3_PREFIX', 'BACKSTOP_S3_EXPECTED_BUCKET_OWNER']);
  expect(fn.Properties.Environment.Variables.BACKSTOP_S3_EXPECTED_BUCKET_OWNER).toBe(ENV.account);
  const policy = Object.entries(template.findResources('AWS::IAM::Policy')).find(([id]) => id.startsWith('BackstopPolicy'))![1];
  expect(policy.Properties.PolicyDocument.Statement.map((statement: any) => statement.Action)).toEqual(['firehose:PutRecordBatch', 's3:PutObject', 'kms:GenerateDataKey']);
});

test('grantWrite grants the same to anybody', () => {
  const { stack, archive } = withKey();
  const role = new Role(stack, 'Writer', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  archive.grantWrite(role).assertSuccess();
  const policy = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy')).find(([id]) => id.startsWith('Writer'))![1];
  expect(policy.Properties.PolicyDocument.Statement.map((statement: any) => statement.Action)).toEqual(['firehose:PutRecordBatch', 's3:PutObject', 'kms:GenerateDataKey']);
});

test('an archive of another stack is attached too', () => {
  const app = new App();
  const archive = archiveIn(new Stack(app, 'Platform', { env: ENV }));
  const stack = new Stack(app, 'Shop', { env: ENV });
  functionIn(stack);
  Backstop.of(app).attachAll({ layer, fallback: { archive } });
  Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', { Environment: { Variables: { BACKSTOP_S3_BUCKET: { 'Fn::ImportValue': Match.stringLikeRegexp('^Platform:') } } } });
});

test('an archive and something else beside it are refused', () => {
  const stack = stackOf();
  Backstop.attach(functionIn(stack), { layer, fallback: { archive: archiveIn(stack), s3Bucket: 'another' } });
  Annotations.fromStack(stack).hasError('/Shop/Orders/Resource', Match.stringLikeRegexp('keep one of the two'));
});

test('without a stream functions write to the bucket alone', () => {
  const stack = stackOf();
  const archive = archiveIn(stack, { hasStream: false, alarms: {}, tables: {} });
  expect(archive.streamArn).toBeUndefined();
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::KinesisFirehose::DeliveryStream', 0);
  // The stream's alarms have nothing to look at: what functions write themselves is what there is.
  template.resourceCountIs('AWS::CloudWatch::Alarm', 1);
  template.hasResourceProperties('AWS::CloudWatch::Alarm', { Namespace: 'AWS/S3', MetricName: 'PutRequests' });
  template.hasResourceProperties('AWS::S3::Bucket', { MetricsConfigurations: [{ Id: 'direct', Prefix: 'backstop/v1/account=' }] });
  template.resourceCountIs('AWS::Glue::Table', 1);
});

test('alarms and tables by option', () => {
  const template = templateOf({ alarms: {}, tables: { firstDay: '2026-01-01', accounts: ['111122223333', '444455556666'] } });
  template.resourceCountIs('AWS::CloudWatch::Alarm', 2);
  template.allResourcesProperties('AWS::CloudWatch::Alarm', { TreatMissingData: 'notBreaching' });
  template.resourceCountIs('AWS::Glue::Table', 2);
  template.hasResourceProperties('AWS::Glue::Table', { TableInput: { Name: 'direct', Parameters: { 'projection.dt.range': '2026-01-01,NOW+1DAY', 'projection.account.values': '111122223333,444455556666' } } });
  // A record is others' JSON: keys of it that differ in case only must not make its row NULL. Then a column is found by its
  // own name, which Glue keeps in lowercase.
  template.allResourcesProperties('AWS::Glue::Table', { TableInput: { StorageDescriptor: { SerdeInfo: { Parameters: { 'case.insensitive': 'false' } } } } });
  for (const table of Object.values(template.findResources('AWS::Glue::Table'))) {
    const { Columns: columns } = table.Properties.TableInput.StorageDescriptor;
    for (const { Name, Type } of columns) expect(`${Name} ${Type}`).toBe(`${Name} ${Type}`.toLowerCase());
  }
  templateOf().resourceCountIs('AWS::Glue::Table', 0);
  templateOf({ alarms: { directWrites: true } }).resourceCountIs('AWS::CloudWatch::Alarm', 3);
});

test.each<[BackstopArchiveProps, string]>([
  [{ prefix: '/slash' }, 'prefix is invalid'],
  [{ streamName: 'a b' }, 'streamName is not'],
  [{ lifecycle: { infrequentAccessAfter: Duration.days(7) } }, 'less than the 30 days'],
  [{ lifecycle: { infrequentAccessAfter: Duration.days(30), glacierInstantAfter: Duration.days(59) } }, 'is less than 30 days after'],
  [{ lifecycle: { glacierInstantAfter: Duration.days(60), expireAfter: Duration.days(60) } }, 'is not later than'],
  [{ lifecycle: { expireAfter: Duration.days(0) } }, 'less than a day'],
  [{ stream: { buffer: Size.mebibytes(129) } }, '1 to 128 MiB'],
  [{ stream: { bufferFor: Duration.minutes(16) } }, '0 to 900 seconds'],
  [{ tables: { firstDay: '2025-13-01' } }, 'firstDay is not a day'],
])('%j is refused', (props, message) => {
  expect(() => templateOf(props)).toThrow(message);
});

describe('cdk-nag', () => {
  test.each<[string, (stack: Stack) => BackstopArchiveProps]>([
    ['the archive as it is', () => ({})],
    ['one with everything', () => ({ alarms: { directWrites: true }, tables: {}, versioned: true, removalPolicy: RemovalPolicy.DESTROY })],
    ['one with a key', (stack) => ({ encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }) })],
    ['what a function beside it is granted', (stack) => {
      const role = new Role(stack, 'Writer', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
      Validations.of(functionIn(stack, 'Orders', { role, runtime: Runtime.NODEJS_24_X })).acknowledge({ id: 'AwsSolutions-L1', reason: 'Not of interest here.' });
      Backstop.of(stack).attachAll({ layer, fallback: { s3Bucket: 'my-archive', firehoseStream: 'records' } });
      return {};
    }],
    ['one without a stream', () => ({ hasStream: false, alarms: {}, prefix: 'telemetry/of/all' })],
  ])('has nothing to say of %s', (_what, props) => {
    expect(verdictOn((stack) => archiveIn(stack, props(stack)))).toBe('');
  });

  test('has something to say of a role that may do everything', () => {
    // Or nothing would be known of the checks.
    expect(verdictOn((stack) => new Role(stack, 'Wide', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }).addToPolicy(
      new PolicyStatement({ actions: ['s3:*'], resources: ['*'] })))).toContain('AwsSolutions-IAM5');
  });
});
