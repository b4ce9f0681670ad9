/** What cannot be attached, and what is said then. */
import { App, Aspects, Duration, Fn, Size, Stack, Stage, Token } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Architecture, CfnFunction, Function, LayerVersion } from 'aws-cdk-lib/aws-lambda';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { arnOf, ENV, errorsOf, functionIn, layer, MERGED, MINIMUM, propertiesOf, stackOf } from './app';
import { Backstop, BackstopArchive, BackstopFormat, BackstopLayer, BackstopProps, BackstopSecret, BackstopSignal, BackstopSink } from '../src';

describe('what stops the attaching leaves the function as it was, with an error at it', () => {
  const refused = (props: BackstopProps, change: (stack: Stack) => Function = (stack) => functionIn(stack)) => {
    const [without, attached] = [stackOf(), stackOf()];
    change(without);
    Backstop.attach(change(attached), props);
    expect(Template.fromStack(attached).toJSON().Resources).toEqual(Template.fromStack(without).toJSON().Resources);
    const errors = errorsOf(attached);
    for (const error of errors) expect(error).toContain('Shop/Orders/Resource');
    return errors.join('\n');
  };

  test('a sixth layer', () => {
    const five = (stack: Stack) => functionIn(stack, 'Orders', {
      layers: [1, 2, 3, 4, 5].map((version) => LayerVersion.fromLayerVersionArn(stack, `Own${version}`, `arn:aws:lambda:eu-west-1:111122223333:layer:own${version}:1`)),
    });
    const [without, attached] = [stackOf(), stackOf()];
    five(without);
    Backstop.attach(five(attached), { ...MINIMUM, fallback: undefined });
    expect(propertiesOf(attached)).toEqual(propertiesOf(without));
    expect(errorsOf(attached)).toEqual([expect.stringContaining('6 layers')]);
  });

  test('too large an environment, to the byte', () => {
    const bytes = Buffer.byteLength(JSON.stringify({ ...MERGED, OWN: '' }));
    for (const [size, errors] of [[4096, 0], [4097, 1]]) {
      const stack = stackOf();
      Backstop.attach(functionIn(stack, 'Orders', { environment: { OWN: 'x'.repeat(size - bytes) } }), MINIMUM);
      expect(errorsOf(stack)).toHaveLength(errors);
      expect('BACKSTOP_S3_BUCKET' in propertiesOf(stack).Environment.Variables).toBe(errors === 0);
    }
  });

  test.each<[string, BackstopProps, string]>([
    ['no layer', { ...MINIMUM, layer: undefined }, 'layer is not set'],
    ['a layer of another architecture', { ...MINIMUM, layer: BackstopLayer.fromArn(arnOf('arm64'), Architecture.ARM_64) }, 'no layer for x86_64'],
    ['a layer of another region', { ...MINIMUM, layer: BackstopLayer.fromArns([arnOf('x86_64', 1, 'us-east-1')]) }, 'only in us-east-1'],
    ['zips that are not there', { ...MINIMUM, layer: BackstopLayer.fromZips({ directory: 'nowhere' }) }, 'no extension-x86_64.zip in nowhere'],
    ['nowhere to deliver', { layer }, 'Neither primary nor fallback'],
    ['plain http', { ...MINIMUM, primary: { url: 'http://logs.example.com' } }, 'plain http'],
    ['an OTLP address in plain http', { ...MINIMUM, primary: { url: 'https://a.example', otlpUrl: 'http://otlp.example.com' } }, 'primary.otlpUrl is plain http'],
    ['an OTLP address that is none', { ...MINIMUM, primary: { url: 'https://a.example', otlpUrl: 'otlp.example.com' } }, 'primary.otlpUrl is not an address'],
    ['a signal without an intake', { ...MINIMUM, primary: { url: 'https://a.example', format: BackstopFormat.LOKI, signals: [BackstopSignal.METRICS] } }, 'names metrics, which the format loki does not take'],
    ['a signal twice', { ...MINIMUM, primary: { url: 'https://a.example', signals: [BackstopSignal.LOGS, BackstopSignal.LOGS] } }, 'twice'],
    ['no address', { ...MINIMUM, primary: { url: 'logs.example.com' } }, 'https://'],
    ['an address with a password', { ...MINIMUM, primary: { url: 'https://me:secret@logs.example.com' } }, 'not an address of the form'],
    ['an order without its stream', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', order: [BackstopSink.FIREHOSE] } }, 'names FIREHOSE'],
    ['a sink twice', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', order: [BackstopSink.S3, BackstopSink.S3] } }, 'each once'],
    ['settings of S3 without a bucket', { ...MINIMUM, fallback: { s3Prefix: 'x' } }, 'sets S3 options but no bucket'],
    ['an alias without its key', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', s3KmsKeyId: 'alias/mine' } }, 'is an alias'],
    ['too long a timeout', { ...MINIMUM, primary: { url: 'https://a.example', timeout: Duration.minutes(2) } }, '100 to 60000'],
    ['too much added', { ...MINIMUM, flush: { maxAdded: Duration.seconds(11) } }, '0 to 10000'],
    ['a buffer too small', { ...MINIMUM, flush: { bufferMax: Size.kibibytes(1) } }, '1048576 to 268435456'],
    ['a tag with a comma', { ...MINIMUM, tags: { team: 'a,b' } }, 'tags has'],
    ['a header of the connection', { ...MINIMUM, primary: { url: 'https://a.example', headers: { Host: BackstopSecret.unsafePlainText('x') } } }, 'remove Content-Type'],
    ['a header with a comma', { ...MINIMUM, primary: { url: 'https://a.example', headers: { 'X-A': BackstopSecret.unsafePlainText('a,b') } } }, 'cannot be sent'],
    ['an alias among keys', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', kmsKeyArns: ['arn:aws:kms:eu-west-1:111122223333:alias/mine'] } }, 'has an alias'],
    ['no bucket', { ...MINIMUM, fallback: { s3Bucket: 's3://my-archive' } }, 'fallback.s3Bucket is not a bucket'],
    ['an empty bucket', { ...MINIMUM, fallback: { s3Bucket: '' } }, 'fallback.s3Bucket is not a bucket'],
    ['no stream', { ...MINIMUM, fallback: { firehoseStream: 'a b' } }, 'nor the ARN of a delivery stream'],
    ['a pattern as prefix', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', s3Prefix: '*' } }, 'fallback.s3Prefix is invalid'],
    ['a part of a millisecond', { ...MINIMUM, flush: { interval: Duration.seconds(0.0005) } }, 'would be 0.5'],
    ['a time that is known later', { ...MINIMUM, flush: { interval: Duration.millis(Token.asNumber(Fn.importValue('Time'))) } }, 'would be known later'],
    ['a size that is known later', { ...MINIMUM, flush: { bufferMax: Size.bytes(Token.asNumber(Fn.importValue('Size'))) } }, 'would be known later'],
    ['a tag that is not set', { ...MINIMUM, tags: { team: undefined! } }, 'tags has'],
    ['a token that is not set', { ...MINIMUM, primary: { url: 'https://a.example', token: BackstopSecret.unsafePlainText(undefined!) } }, 'primary.token is empty'],
    ['an empty token', { ...MINIMUM, primary: { url: 'https://a.example', token: BackstopSecret.unsafePlainText('') } }, 'primary.token is empty'],
  ])('%s', (_what, props, message) => {
    expect(refused(props)).toContain(message);
  });

  test('too large an environment, whatever its references become', () => {
    const environment = { OWN: 'x'.repeat(4050), TABLE: Fn.importValue('Table'), QUEUE: Fn.importValue('Queue') };
    expect(refused({ ...MINIMUM, fallback: undefined }, (stack) => functionIn(stack, 'Orders', { environment }))).toContain('bytes as JSON or more');
  });

  test.each<[string, (resource: CfnFunction) => void, string]>([
    ['layers in a parameter', (fn) => { fn.layers = Fn.split(',', Fn.importValue('Layers')); }, 'Its layers are known only at deployment'],
    ['an environment under a condition', (fn) => { fn.environment = Fn.conditionIf('Large', { Variables: { A: 'b' } }, { Variables: {} }); }, 'Its variables are known only at deployment'],
    ['variables under a condition', (fn) => { fn.environment = { variables: Fn.conditionIf('Large', { A: 'b' }, {}) as any }; }, 'Its variables are known only at deployment'],
    ['layers that are written over', (fn) => fn.addPropertyOverride('Layers', [arnOf('x86_64', 9)]), 'overridden by addPropertyOverride'],
    ['layers that are taken away', (fn) => fn.addPropertyDeletionOverride('Layers'), 'overridden by addPropertyOverride'],
    ['an architecture that is a token', (fn) => { fn.architectures = [Fn.importValue('Architecture')]; }, 'is not known before deployment'],
  ])('%s', (_what, change, message) => {
    expect(refused({ ...MINIMUM, fallback: undefined }, (stack) => {
      const fn = functionIn(stack);
      change(fn.node.defaultChild as CfnFunction);
      return fn;
    })).toContain(message);
  });

  test('what is settled is not attached later, when it has no rights', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    const resource = fn.node.defaultChild as CfnFunction;
    resource.layers = [1, 2, 3, 4, 5].map((number) => `arn:aws:lambda:eu-west-1:111122223333:layer:own${number}:1`);
    Backstop.attach(fn, MINIMUM);
    // Later in the tree than the function.
    Aspects.of(new Construct(stack, 'Zeta')).add({ visit: () => { resource.layers = []; } });
    expect(errorsOf(stack)).toEqual([expect.stringContaining('6 layers')]);
    expect(propertiesOf(stack)).not.toHaveProperty('Environment');
    Template.fromStack(stack).resourceCountIs('AWS::IAM::Policy', 0);
  });

  test.each<[string, (fn: CfnFunction) => void]>([
    ['an environment that is taken away', (fn) => fn.addPropertyDeletionOverride('Environment')],
    ['variables that are taken away', (fn) => fn.addPropertyDeletionOverride('Environment.Variables')],
    ['variables that are written over by a condition', (fn) => fn.addPropertyOverride('Environment', { Variables: { 'Fn::If': ['C', {}, {}] } })],
  ])('%s', (_what, override) => {
    const stack = stackOf();
    const fn = functionIn(stack);
    Backstop.attach(fn, { ...MINIMUM, fallback: undefined });
    override(fn.node.defaultChild as CfnFunction);
    expect(errorsOf(stack)).toEqual([expect.stringContaining('variables are overridden')]);
    expect(propertiesOf(stack)).not.toHaveProperty('Layers');
  });

  test('an override that makes the environment too large', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    (fn.node.defaultChild as CfnFunction).addPropertyOverride('Environment.Variables.OWN', 'x'.repeat(4096));
    Backstop.attach(fn, MINIMUM);
    expect(errorsOf(stack)).toEqual([expect.stringContaining('Lambda allows 4096')]);
  });

  test('a layer that says nothing, and one that fails', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack, 'Silent'), { ...MINIMUM, layer: { layerFor: () => ({}) } });
    Backstop.attach(functionIn(stack, 'Failing'), { ...MINIMUM, layer: { layerFor: () => { throw new Error('no such place'); } } });
    expect(errorsOf(stack)).toEqual([expect.stringContaining('neither an ARN nor a problem'), expect.stringContaining('Shop/Failing/Resource. no such place')]);
    expect(JSON.stringify(Template.fromStack(stack).toJSON())).not.toContain('BACKSTOP_');
  });

  test('an archive of another region, account or stage', () => {
    const app = new App();
    const archive = new BackstopArchive(new Stack(app, 'Platform', { env: ENV }), 'Archive');
    const stacks = [
      new Stack(app, 'Region', { env: { ...ENV, region: 'us-east-1' } }),
      new Stack(app, 'Account', { env: { ...ENV, account: '444455556666' } }),
      new Stack(new Stage(app, 'Prod'), 'Stage', { env: ENV }),
    ];
    stacks.forEach((stack) => functionIn(stack));
    Backstop.of(app).attachAll({ layer, fallback: { archive } });
    for (const stack of stacks) expect(errorsOf(stack)).toContainEqual(expect.stringContaining('The archive at Platform/Archive is in another'));
  });

  test('all that is wrong is told together', () => {
    expect(refused({ primary: { url: 'x' }, tags: { '': 'x' } }).split('\n')).toHaveLength(3);
  });

  test('a SecureString, which CloudFormation resolves for no function', () => {
    const stack = stackOf();
    const parameter = StringParameter.fromSecureStringParameterAttributes(stack, 'Token', { parameterName: '/token', version: 1 });
    Backstop.attach(functionIn(stack), { ...MINIMUM, primary: { url: 'https://a.example', token: BackstopSecret.fromStringParameter(parameter) } });
    expect(errorsOf(stack)).toEqual([expect.stringContaining('SecureString')]);
    expect(propertiesOf(stack).Environment).toBeUndefined();
  });
});
