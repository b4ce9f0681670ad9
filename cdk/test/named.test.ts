/** Fallbacks by what CDK has of them: constructs, imported or not, and archives that are there already. */
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { DeliveryStream, S3Bucket } from 'aws-cdk-lib/aws-kinesisfirehose';
import { Alias, Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { ENV, errorsOf, functionIn, layer, MINIMUM, propertiesOf, stackOf, warningsOf } from './app';
import { Backstop, BackstopArchive, BackstopFallback } from '../src';

const KEY_ARN = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const STREAM_ARN = 'arn:aws:firehose:eu-west-1:111122223333:deliverystream/records';

/** What a function with the fallback may do, by action; and its variables. */
function attached(fallback: (stack: Stack) => BackstopFallback) {
  const stack = stackOf();
  Backstop.attach(functionIn(stack), { layer, fallback: fallback(stack) });
  expect([...errorsOf(stack), ...warningsOf(stack)]).toEqual([]);
  const template = Template.fromStack(stack);
  const [policy] = Object.entries(template.findResources('AWS::IAM::Policy')).filter(([id]) => id.startsWith('Backstop')).map(([, one]) => one);
  const [fn] = Object.values(template.findResources('AWS::Lambda::Function'));
  const granted = Object.fromEntries(policy.Properties.PolicyDocument.Statement.map(({ Action, Resource }: any) => [Action, Resource]));
  return { granted, variables: fn.Properties.Environment.Variables };
}

test('a bucket, a stream and a key as constructs of the app', () => {
  const { granted, variables } = attached((stack) => {
    const bucket = new Bucket(stack, 'Bucket');
    return { bucket, stream: new DeliveryStream(stack, 'Stream', { destination: new S3Bucket(bucket) }), encryptionKey: new Key(stack, 'Key') };
  });
  const idOf = (value: any) => JSON.stringify(value).match(/"(?:Ref|Fn::GetAtt)":\[?"([A-Za-z]+)/)![1];
  expect(Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, idOf(value)]))).toEqual({
    BACKSTOP_FIREHOSE_STREAM: 'Stream', BACKSTOP_S3_BUCKET: 'Bucket', BACKSTOP_S3_KMS_KEY_ID: 'Key',
  });
  expect(variables.BACKSTOP_FIREHOSE_STREAM['Fn::GetAtt'][1]).toBe('Arn');
  expect(Object.fromEntries(Object.entries(granted).map(([action, value]) => [action, idOf(value)]))).toEqual({
    'firehose:PutRecordBatch': 'Stream', 's3:PutObject': 'AWS', 'kms:GenerateDataKey': 'Key',
  });
});

test("a bucket's own key is granted, and the functions are not told to name it", () => {
  const { granted, variables } = attached((stack) => {
    const encryptionKey = new Alias(stack, 'Alias', { aliasName: 'alias/mine', targetKey: new Key(stack, 'Key') });
    return { bucket: new Bucket(stack, 'Bucket', { encryption: BucketEncryption.KMS, encryptionKey }), kmsKeyArns: [KEY_ARN] };
  });
  expect(Object.keys(variables)).toEqual(['BACKSTOP_S3_BUCKET']);
  expect(granted['kms:GenerateDataKey']).toEqual([KEY_ARN, { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] }]);
});

test('imported ones are as their names', () => {
  const byConstruct = attached((stack) => ({
    bucket: Bucket.fromBucketName(stack, 'Bucket', 'my-archive'),
    stream: DeliveryStream.fromDeliveryStreamArn(stack, 'Stream', STREAM_ARN),
    encryptionKey: Key.fromKeyArn(stack, 'Key', KEY_ARN),
  }));
  expect(byConstruct).toEqual(attached(() => ({ s3Bucket: 'my-archive', firehoseStream: STREAM_ARN, s3KmsKeyId: KEY_ARN })));
});

test('those of another stack are referred to', () => {
  const app = new App();
  const platform = new Stack(app, 'Platform', { env: ENV });
  const bucket = new Bucket(platform, 'Bucket');
  const stack = new Stack(app, 'Shop', { env: ENV });
  functionIn(stack);
  Backstop.of(app).attachAll({ layer, fallback: { bucket } });
  expect(propertiesOf(stack).Environment.Variables.BACKSTOP_S3_BUCKET).toEqual({ 'Fn::ImportValue': expect.stringContaining('Platform:') });
  expect(errorsOf(stack)).toEqual([]);
});

test.each<[string, (stack: Stack) => BackstopFallback, string]>([
  ['a bucket twice', (stack) => ({ bucket: new Bucket(stack, 'Bucket'), s3Bucket: 'my-archive' }), 'fallback.bucket and fallback.s3Bucket set the same thing'],
  ['a stream twice', (stack) => ({ stream: DeliveryStream.fromDeliveryStreamArn(stack, 'Stream', STREAM_ARN), firehoseStream: 'x' }), 'fallback.stream and fallback.firehoseStream'],
  ['a key twice', (stack) => ({ s3Bucket: 'my-archive', encryptionKey: new Key(stack, 'Key'), s3KmsKeyId: KEY_ARN }), 'fallback.encryptionKey and fallback.s3KmsKeyId'],
  ['a key without a bucket', (stack) => ({ firehoseStream: 'x', encryptionKey: new Key(stack, 'Key') }), 'sets S3 options but no bucket'],
  ['an alias of a key that is not known', (stack) => ({ s3Bucket: 'my-archive', encryptionKey: Alias.fromAliasName(stack, 'Alias', 'alias/theirs') }), 'is an alias'],
  ['a bucket beside an archive', (stack) => ({ archive: new BackstopArchive(stack, 'Archive'), bucket: new Bucket(stack, 'Bucket') }), 'keep one of the two'],
  ['a bucket of another region', (stack) => ({ bucket: Bucket.fromBucketAttributes(stack, 'Bucket', { bucketName: 'my-archive', region: 'us-east-2' }) }), "set fallback.s3Region to 'us-east-2'"],
  ['a stream of another account', (stack) => ({ stream: DeliveryStream.fromDeliveryStreamArn(stack, 'Stream', STREAM_ARN.replace('111122223333', '444455556666')) }), 'is in another account'],
])('%s is refused', (_what, fallback, message) => {
  const stack = stackOf();
  Backstop.attach(functionIn(stack), { layer, fallback: fallback(stack) });
  expect(errorsOf(stack).join('\n')).toContain(message);
});

test('a bucket of another region with its region is taken', () => {
  const { variables } = attached((stack) => ({ bucket: Bucket.fromBucketAttributes(stack, 'Bucket', { bucketName: 'my-archive', region: 'us-east-2' }), s3Region: 'us-east-2' }));
  expect(variables).toEqual({ BACKSTOP_S3_BUCKET: 'my-archive', BACKSTOP_S3_REGION: 'us-east-2' });
});

describe('an archive that is there already', () => {
  const ATTRIBUTES = { bucketName: 'my-archive', streamArn: STREAM_ARN, prefix: 'telemetry/of/all' };

  test('is told and granted as one that is made here', () => {
    const { granted, variables } = attached((stack) => ({
      archive: BackstopArchive.fromArchiveAttributes(stack, 'Archive', { ...ATTRIBUTES, encryptionKey: Key.fromKeyArn(stack, 'Key', KEY_ARN) }),
    }));
    expect(variables).toEqual({
      BACKSTOP_FIREHOSE_STREAM: STREAM_ARN, BACKSTOP_S3_BUCKET: 'my-archive', BACKSTOP_S3_PREFIX: 'telemetry/of/all', BACKSTOP_S3_EXPECTED_BUCKET_OWNER: ENV.account,
    });
    expect(granted['firehose:PutRecordBatch']).toBe(STREAM_ARN);
    expect(JSON.stringify(granted['s3:PutObject'])).toContain(':s3:::my-archive/telemetry/of/all/v1/*');
    expect(granted['kms:GenerateDataKey']).toBe(KEY_ARN);
  });

  test('serves the stacks of every stage, as it is only named', () => {
    const app = new App();
    const archive = BackstopArchive.fromArchiveAttributes(new Stack(app, 'Names', { env: { account: '444455556666', region: 'us-east-1' } }), 'Archive', { ...ATTRIBUTES, bucketOwner: '444455556666' });
    const stack = new Stack(app, 'Shop', { env: ENV });
    functionIn(stack);
    Backstop.of(stack).attachAll({ ...MINIMUM, fallback: { archive } });
    expect(errorsOf(stack)).toEqual([]);
    expect(propertiesOf(stack).Environment.Variables.BACKSTOP_S3_EXPECTED_BUCKET_OWNER).toBe('444455556666');
  });
});

test.each<[string, (stack: Stack) => ReturnType<typeof BackstopArchive.fromArchiveAttributes>]>([
  ['made here', (stack) => new BackstopArchive(stack, 'Archive', { encryptionKey: Key.fromKeyArn(stack, 'Key', KEY_ARN) })],
  ['there already', (stack) => BackstopArchive.fromArchiveAttributes(stack, 'Archive', { bucketName: 'my-archive', encryptionKey: Key.fromKeyArn(stack, 'Key', KEY_ARN) })],
])('grantRead lets a replay read an archive %s, and no more', (_what, archive) => {
  const stack = stackOf();
  archive(stack).grantRead(new Role(stack, 'Reader', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') })).assertSuccess();
  const policy = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy')).find(([id]) => id.startsWith('Reader'))![1];
  const [list, read, decrypt, ...others] = policy.Properties.PolicyDocument.Statement;
  expect(others).toEqual([]);
  expect(list).toMatchObject({ Action: 's3:ListBucket', Condition: { StringLike: { 's3:prefix': ['backstop', 'backstop/*'] } } });
  expect(JSON.stringify(list.Resource)).not.toContain('*');
  expect(read.Action).toBe('s3:GetObject');
  expect(JSON.stringify(read.Resource)).toContain('/backstop/v1/*');
  expect(decrypt).toMatchObject({ Action: 'kms:Decrypt', Resource: KEY_ARN });
});
