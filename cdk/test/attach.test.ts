import { App, Aspects, Duration, Mixins, Size, Stack, Stage } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { CfnRole, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Alias, Architecture, CfnFunction, Code, DockerImageCode, DockerImageFunction, Function, LayerVersion, Runtime, SingletonFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { arnOf, ENV, functionIn, layer, MINIMUM, stackOf } from './app';
import { Backstop, BackstopAspect, BackstopCompression, BackstopFlushStrategy, BackstopFormat, BackstopLayer, BackstopLogLevel, BackstopMixin, BackstopProps, BackstopSecret, BackstopSink, BackstopTelemetryType } from '../src';
import { REGISTER } from '../src/register';

/** The only function's properties. */
function propertiesOf(stack: Stack, type = 'AWS::Lambda::Function'): any {
  const found = Object.values(Template.fromStack(stack).findResources(type));
  expect(found).toHaveLength(1);
  return found[0].Properties;
}

const errorsOf = (stack: Stack) => Annotations.fromStack(stack).findError('*', Match.anyValue()).map((message) => String(message.entry.data));
const warningsOf = (stack: Stack) => Annotations.fromStack(stack).findWarning('*', Match.anyValue()).map((message) => String(message.entry.data));

const MERGED = {
  BACKSTOP_PRIMARY_URL: 'https://logs.example.com/v1', BACKSTOP_S3_BUCKET: 'my-archive',
};

test('a function gets layer, environment and the right to write', () => {
  const stack = stackOf();
  Backstop.attach(functionIn(stack), MINIMUM);
  const { Layers, Environment } = propertiesOf(stack);
  expect(Layers).toEqual([arnOf('x86_64')]);
  expect(Environment.Variables).toEqual(MERGED);
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: { Statement: [{ Action: 's3:PutObject', Effect: 'Allow', Resource: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::my-archive/backstop/v1/*']] } }] },
  });
  expect(errorsOf(stack)).toEqual([]);
  expect(warningsOf(stack)).toEqual([]);
});

test('handler, runtime and code stay as they were', () => {
  const [without, attached] = [stackOf(), stackOf()].map((stack, position) => {
    const fn = functionIn(stack);
    if (position === 1) Backstop.attach(fn, MINIMUM);
    return propertiesOf(stack);
  });
  const { Layers, Environment, ...others } = attached;
  expect([Layers, Environment]).not.toContain(undefined);
  expect(others).toEqual(without);
});

test('every variable of the register can be set, and no other is', () => {
  const stack = stackOf();
  const secret = Secret.fromSecretNameV2(stack, 'Secret', 'token');
  Backstop.attach(functionIn(stack), {
    layer,
    primary: {
      url: 'http://collector.internal/v1',
      format: BackstopFormat.JSON,
      token: BackstopSecret.fromSecretsManager(secret, 'token'),
      headers: { 'X-Team': BackstopSecret.unsafePlainText('payments') },
      compression: BackstopCompression.NONE,
      timeout: Duration.seconds(2),
      allowPlaintext: true,
    },
    fallback: {
      firehoseStream: 'records',
      s3Bucket: 'my-archive',
      s3Prefix: 'telemetry',
      s3KmsKeyId: 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
      s3ExpectedBucketOwner: '111122223333',
      order: [BackstopSink.S3, BackstopSink.FIREHOSE],
    },
    flush: {
      strategy: BackstopFlushStrategy.END,
      interval: Duration.seconds(2),
      maxAdded: Duration.millis(50),
      bufferMax: Size.mebibytes(8),
      spoolMax: Size.bytes(0),
    },
    tags: { team: 'payments', stage: 'prod' },
    telemetryTypes: [BackstopTelemetryType.FUNCTION],
    logLevel: BackstopLogLevel.DEBUG,
  });
  const { Variables } = propertiesOf(stack).Environment;
  expect(Object.keys(Variables).sort()).toEqual(REGISTER.map((variable) => variable.name).sort());
  expect(JSON.stringify(Variables.BACKSTOP_PRIMARY_TOKEN)).toContain('{{resolve:secretsmanager:');
  expect(Variables).toMatchObject({
    BACKSTOP_PRIMARY_HEADERS: 'X-Team=payments',
    BACKSTOP_PRIMARY_TIMEOUT_MS: '2000',
    BACKSTOP_ALLOW_PLAINTEXT: 'true',
    BACKSTOP_FALLBACK: 's3,firehose',
    BACKSTOP_MAX_ADDED_MS: '50',
    BACKSTOP_BUFFER_MAX_BYTES: '8388608',
    BACKSTOP_SPOOL_MAX_BYTES: '0',
    BACKSTOP_TAGS: 'team=payments,stage=prod',
  });
  expect(errorsOf(stack)).toEqual([]);
});

test('enumerations hold what the register does', () => {
  const valuesOf = (name: string) => REGISTER.find((variable) => variable.name === name)!.values;
  expect(Object.values(BackstopFormat)).toEqual(valuesOf('BACKSTOP_PRIMARY_FORMAT'));
  expect(Object.values(BackstopCompression)).toEqual(valuesOf('BACKSTOP_PRIMARY_COMPRESSION'));
  expect(Object.values(BackstopSink)).toEqual(valuesOf('BACKSTOP_FALLBACK'));
  expect(Object.values(BackstopFlushStrategy)).toEqual(valuesOf('BACKSTOP_FLUSH_STRATEGY'));
  expect(Object.values(BackstopTelemetryType)).toEqual(valuesOf('BACKSTOP_TELEMETRY_TYPES'));
  expect(Object.values(BackstopLogLevel)).toEqual(valuesOf('BACKSTOP_LOG_LEVEL'));
});

describe('what the user has', () => {
  test('variables win, also those that come later', () => {
    const stack = stackOf();
    const fn = functionIn(stack, 'Orders', { environment: { TABLE: 'orders', BACKSTOP_PRIMARY_URL: 'https://own.example.com/' } });
    Backstop.attach(fn, { ...MINIMUM, logLevel: BackstopLogLevel.DEBUG });
    fn.addEnvironment('BACKSTOP_LOG_LEVEL', 'error');
    expect(propertiesOf(stack).Environment.Variables).toEqual({
      ...MERGED, TABLE: 'orders', BACKSTOP_PRIMARY_URL: 'https://own.example.com/', BACKSTOP_LOG_LEVEL: 'error',
    });
    expect(warningsOf(stack).filter((text) => text.includes('keeps its own value'))).toHaveLength(2);
  });

  test('layers keep their order, also those that come later', () => {
    const stack = stackOf();
    const own = (name: string) => LayerVersion.fromLayerVersionArn(stack, name, `arn:aws:lambda:eu-west-1:111122223333:layer:${name}:1`);
    const fn = functionIn(stack, 'Orders', { layers: [own('zeta')] });
    Backstop.attach(fn, MINIMUM);
    fn.addLayers(own('alpha'));
    expect(propertiesOf(stack).Layers.map((arn: string) => arn.split(':')[6])).toEqual(['zeta', 'alpha', 'backstop-extension-x86_64-0-1-0']);
  });

  test('a layer of Backstop is replaced where it stands', () => {
    const stack = stackOf();
    const resource = functionIn(stack).node.defaultChild as CfnFunction;
    const others = ['arn:aws:lambda:eu-west-1:111122223333:layer:zeta:1', 'arn:aws:lambda:eu-west-1:111122223333:layer:alpha:1'];
    resource.layers = [others[0], 'arn:aws:lambda:eu-west-1:999922223333:layer:backstop-extension-x86_64-0-0-9:4', others[1]];
    Backstop.attach(resource, MINIMUM);
    expect(propertiesOf(stack).Layers).toEqual([others[0], arnOf('x86_64'), others[1]]);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('is replaced')]);
  });

  test('a name that Backstop does not know is told', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack, 'Orders', { environment: { BACKSTOP_ROUTE: 'mirror' } }), MINIMUM);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('BACKSTOP_ROUTE')]);
  });

  test('another extension is told', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    fn.addLayers(LayerVersion.fromLayerVersionArn(stack, 'Other', 'arn:aws:lambda:eu-west-1:464622532012:layer:Datadog-Extension:80'));
    Backstop.attach(fn, MINIMUM);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('Datadog-Extension')]);
  });
});

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
    ['no layer', { ...MINIMUM, layer: undefined }, 'There is no layer'],
    ['a layer of another architecture', { ...MINIMUM, layer: BackstopLayer.fromArn(arnOf('arm64'), Architecture.ARM_64) }, 'no layer for x86_64'],
    ['a layer of another region', { ...MINIMUM, layer: BackstopLayer.fromArns([arnOf('x86_64', 1, 'us-east-1')]) }, 'only in us-east-1'],
    ['zips that are not there', { ...MINIMUM, layer: BackstopLayer.fromZips({ directory: 'nowhere' }) }, 'no extension-x86_64.zip in nowhere'],
    ['nowhere to deliver', { layer }, 'neither primary nor fallback'],
    ['plain http', { ...MINIMUM, primary: { url: 'http://logs.example.com' } }, 'plain http'],
    ['no address', { ...MINIMUM, primary: { url: 'logs.example.com' } }, 'https://'],
    ['an address with a password', { ...MINIMUM, primary: { url: 'https://me:secret@logs.example.com' } }, 'not an address of the form'],
    ['an order without its stream', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', order: [BackstopSink.FIREHOSE] } }, 'names firehose'],
    ['a sink twice', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', order: [BackstopSink.S3, BackstopSink.S3] } }, 'each once'],
    ['settings of S3 without a bucket', { ...MINIMUM, fallback: { s3Prefix: 'x' } }, 'there is no bucket'],
    ['an alias without its key', { ...MINIMUM, fallback: { s3Bucket: 'my-archive', s3KmsKeyId: 'alias/mine' } }, 'is an alias'],
    ['too long a timeout', { ...MINIMUM, primary: { url: 'https://a.example', timeout: Duration.minutes(2) } }, '100 to 60000'],
    ['too much added', { ...MINIMUM, flush: { maxAdded: Duration.seconds(11) } }, '0 to 10000'],
    ['a buffer too small', { ...MINIMUM, flush: { bufferMax: Size.kibibytes(1) } }, '1048576 to 268435456'],
    ['a tag with a comma', { ...MINIMUM, tags: { team: 'a,b' } }, 'tags holds'],
    ['a header of the connection', { ...MINIMUM, primary: { url: 'https://a.example', headers: { Host: BackstopSecret.unsafePlainText('x') } } }, 'remove Content-Type'],
    ['a header with a comma', { ...MINIMUM, primary: { url: 'https://a.example', headers: { 'X-A': BackstopSecret.unsafePlainText('a,b') } } }, 'cannot be sent'],
    ['an empty token', { ...MINIMUM, primary: { url: 'https://a.example', token: BackstopSecret.unsafePlainText('') } }, 'primary.token is empty'],
  ])('%s', (_what, props, message) => {
    expect(refused(props)).toContain(message);
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

describe('secrets', () => {
  test('a parameter of type String is a reference too', () => {
    const stack = stackOf();
    const parameter = StringParameter.fromStringParameterName(stack, 'Token', '/token');
    Backstop.attach(functionIn(stack), { ...MINIMUM, primary: { url: 'https://a.example', token: BackstopSecret.fromStringParameter(parameter) } });
    expect(propertiesOf(stack).Environment.Variables.BACKSTOP_PRIMARY_TOKEN).toHaveProperty('Ref');
    expect(errorsOf(stack)).toEqual([]);
  });

  test('a plain value is told', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack), { ...MINIMUM, primary: { url: 'https://a.example', token: BackstopSecret.unsafePlainText('t0ken') } });
    expect(warningsOf(stack)).toEqual([expect.stringContaining('stands in the template')]);
  });
});

describe('every kind of function', () => {
  test('on arm64', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack, 'Orders', { architecture: Architecture.ARM_64 }), MINIMUM);
    expect(propertiesOf(stack).Layers).toEqual([arnOf('arm64')]);
  });

  test('a resource with a role of the same stack', () => {
    const stack = stackOf();
    const role = new CfnRole(stack, 'Role', { assumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] } });
    const fn = new CfnFunction(stack, 'Orders', { code: { zipFile: 'x' }, runtime: 'nodejs22.x', handler: 'index.handler', role: role.attrArn, environment: { variables: { TABLE: 'orders' } } });
    Backstop.attach(fn, MINIMUM);
    expect(propertiesOf(stack).Layers).toEqual([arnOf('x86_64')]);
    expect(propertiesOf(stack).Environment.Variables).toEqual({ ...MERGED, TABLE: 'orders' });
    Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', { Roles: [{ Ref: 'Role' }] });
    expect(warningsOf(stack)).toEqual([]);
  });

  test('a role that cannot be changed is told, with what it needs', () => {
    const stack = stackOf();
    const role = 'arn:aws:iam::111122223333:role/theirs';
    Backstop.attach(new CfnFunction(stack, 'Orders', { code: { zipFile: 'x' }, runtime: 'nodejs22.x', handler: 'index.handler', role }), MINIMUM);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('s3:PutObject')]);
  });

  test("SAM's, whose role SAM makes", () => {
    const stack = stackOf();
    const fn = new SamFunction(stack, 'Orders', { codeUri: 's3://code/orders.zip', runtime: 'nodejs22.x', handler: 'index.handler', policies: ['AmazonDynamoDBReadOnlyAccess'] });
    Backstop.attach(fn, MINIMUM);
    const { Layers, Environment, Policies } = propertiesOf(stack, 'AWS::Serverless::Function');
    expect(Layers).toEqual([arnOf('x86_64')]);
    expect(Environment.Variables).toEqual(MERGED);
    expect(Policies).toEqual(['AmazonDynamoDBReadOnlyAccess', expect.objectContaining({ Statement: [expect.objectContaining({ Action: 's3:PutObject' })] })]);
  });

  test('a singleton, by itself', () => {
    const stack = stackOf();
    const fn = new SingletonFunction(stack, 'Orders', { uuid: 'one', runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('x') });
    Backstop.attach(fn, MINIMUM);
    expect(propertiesOf(stack).Environment.Variables).toEqual(MERGED);
  });

  test('by an alias, whose version is published anew', () => {
    const versions = [false, true].map((attached) => {
      const stack = stackOf();
      const fn = functionIn(stack);
      const alias = new Alias(stack, 'Live', { aliasName: 'live', version: fn.currentVersion });
      if (attached) Backstop.attach(alias, MINIMUM);
      expect('Layers' in propertiesOf(stack)).toBe(attached);
      return Object.keys(Template.fromStack(stack).findResources('AWS::Lambda::Version'))[0];
    });
    expect(versions[0]).not.toEqual(versions[1]);
  });

  test('a container image gets the environment, and is told what it needs', () => {
    const stack = stackOf();
    const fn = new DockerImageFunction(stack, 'Orders', { code: DockerImageCode.fromEcr(Repository.fromRepositoryName(stack, 'Images', 'orders')) });
    Backstop.attach(fn, { ...MINIMUM, layer: undefined });
    const { Layers, Environment } = propertiesOf(stack);
    expect(Layers).toBeUndefined();
    expect(Environment.Variables).toEqual(MERGED);
    expect(warningsOf(stack)).toEqual([expect.stringMatching(/ADD extension-x86_64.tar.gz \/opt\/\nRUN chmod/)]);
    expect(errorsOf(stack)).toEqual([]);
  });

  test('an imported one is an error by itself, and a warning among all', () => {
    const [alone, all] = [stackOf(), stackOf()];
    Backstop.attach(Function.fromFunctionName(alone, 'Theirs', 'theirs'), MINIMUM);
    Function.fromFunctionName(all, 'Theirs', 'theirs');
    Backstop.of(all).attachAll(MINIMUM);
    expect(errorsOf(alone)).toEqual([expect.stringContaining('Shop/Theirs')]);
    expect(warningsOf(all)).toEqual([expect.stringContaining('Shop/Theirs')]);
  });
});

describe('many at once', () => {
  const ways: [string, (stack: Stack) => void][] = [
    ['attachAll', (stack) => Backstop.of(stack).attachAll(MINIMUM)],
    ['the Aspect', (stack) => Aspects.of(stack).add(new BackstopAspect(MINIMUM))],
    ['the Mixin', (stack) => { Mixins.of(stack).apply(new BackstopMixin(MINIMUM)); }],
    ['each by itself', (stack) => stack.node.children.filter((child) => child instanceof Function).forEach((fn) => Backstop.attach(fn, MINIMUM))],
    ['all of these', (stack) => ways.slice(0, 4).forEach(([, way]) => way(stack))],
  ];
  const built = (way: (stack: Stack) => void) => {
    const stack = stackOf();
    functionIn(stack, 'Orders');
    functionIn(stack, 'Payments', { architecture: Architecture.ARM_64, environment: { TABLE: 'payments' } });
    way(stack);
    expect(warningsOf(stack)).toEqual([]);
    return Template.fromStack(stack).toJSON();
  };

  test.each(ways)('%s comes to the same', (_name, way) => {
    const template = built(way);
    expect(template).toEqual(built(ways[0][1]));
    const functions = Object.values<any>(template.Resources).filter((resource) => resource.Type === 'AWS::Lambda::Function');
    expect(functions.map((fn) => fn.Properties.Layers)).toEqual([[arnOf('x86_64')], [arnOf('arm64')]]);
  });

  test('a selector chooses by path', () => {
    const stack = stackOf();
    functionIn(stack, 'Orders');
    functionIn(stack, 'Payments');
    functionIn(stack, 'PaymentsAudit');
    Backstop.of(stack).attachAll(MINIMUM, { include: ['Shop/Payments*'], exclude: ['*Audit/*'] });
    const layers = Object.entries(Template.fromStack(stack).findResources('AWS::Lambda::Function')).map(([id, fn]) => [id.replace(/[0-9A-F]{8}$/, ''), 'Layers' in fn.Properties]);
    expect(Object.fromEntries(layers)).toEqual({ Orders: false, Payments: true, PaymentsAudit: false });
  });

  test('other settings the second time are told, and the first ones hold', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack), MINIMUM);
    Backstop.of(stack).attachAll({ ...MINIMUM, logLevel: BackstopLogLevel.DEBUG });
    expect(propertiesOf(stack).Environment.Variables).toEqual(MERGED);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('the first ones hold')]);
  });

  test('an Aspect that comes later and sets layers and environment anew undoes nothing', () => {
    const stack = stackOf();
    functionIn(stack);
    Backstop.of(stack).attachAll(MINIMUM);
    Aspects.of(stack).add({
      visit: (node) => {
        if (!CfnFunction.isCfnFunction(node)) return;
        node.layers = ['arn:aws:lambda:eu-west-1:111122223333:layer:late:1'];
        node.environment = { variables: { LATE: 'yes' } };
      },
    }, { priority: 2000 });
    expect(propertiesOf(stack).Layers).toEqual(['arn:aws:lambda:eu-west-1:111122223333:layer:late:1', arnOf('x86_64')]);
    expect(propertiesOf(stack).Environment.Variables).toEqual({ ...MERGED, LATE: 'yes' });
  });

  test('a stage is part of the app', () => {
    const app = new App();
    const inner = new Stack(new Stage(new Stage(app, 'Prod'), 'Deeper'), 'Inner', { env: ENV });
    functionIn(inner);
    Backstop.of(app).attachAll(MINIMUM);
    expect(propertiesOf(inner).Layers).toEqual([arnOf('x86_64')]);
  });

  test('a stage that comes too late for its app is an error', () => {
    const app = new App();
    Backstop.of(app).attachAll(MINIMUM);
    functionIn(new Stack(new Stage(app, 'Prod'), 'Inner', { env: ENV }));
    expect(() => app.synth()).toThrow('Prod was made after attachAll');
  });

  test("CloudFormation's own principal is left alone", () => {
    const stack = stackOf();
    new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    Backstop.of(stack).attachAll(MINIMUM);
    expect(Object.keys(Template.fromStack(stack).toJSON().Resources)).toHaveLength(1);
  });
});
