/** What attaching does, to one function and to many. */
import { App, Aspects, Duration, Mixins, Size, Stack, Stage } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, CfnFunction, Function, LayerVersion } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { arnOf, ENV, errorsOf, functionIn, layer, MERGED, MINIMUM, propertiesOf, stackOf, warningsOf } from './app';
import { Backstop, BackstopAspect, BackstopAttachAllProps, BackstopCompression, BackstopFlushStrategy, BackstopFormat, BackstopLayer, BackstopLevel, BackstopLogLevel, BackstopMetrics, BackstopMixin, BackstopRoute, BackstopSecret, BackstopSignal, BackstopSink, BackstopTelemetryType } from '../src';
import { REGISTER } from '../src/register';

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
      format: BackstopFormat.ELASTIC,
      signals: [BackstopSignal.LOGS, BackstopSignal.TRACES],
      otlpUrl: 'http://otlp.internal',
      options: { index: 'logs-x', ids: 'false' },
      token: BackstopSecret.fromSecretsManager(secret, 'token'),
      headers: { 'X-Team': BackstopSecret.unsafePlainText('payments') },
      compression: BackstopCompression.NONE,
      timeout: Duration.seconds(2),
      allowPlaintext: true,
    },
    fallback: {
      firehoseStream: 'records',
      s3Bucket: 'my-archive',
      s3Region: 'eu-west-1',
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
    otlpReceiver: true,
    transforms: {
      route: BackstopRoute.MIRROR,
      minLevel: BackstopLevel.INFO,
      filter: ['drop type=platform.start', 'keep level=error'],
      redact: ['email', 'record.user.name'],
      redactArchive: false,
      dedupe: true,
      sample: '10%',
      sampleKeep: ['error', 'slow>1s'],
      insights: true,
      configFile: 'backstop.env',
    },
    logLevel: BackstopLogLevel.DEBUG,
    metrics: BackstopMetrics.BOTH,
  });
  const { Variables } = propertiesOf(stack).Environment;
  // A token has one source; those that the function reads are in read.test.ts.
  const isRead = (name: string) => name.startsWith('BACKSTOP_PRIMARY_TOKEN_');
  expect(Object.keys(Variables).sort()).toEqual(REGISTER.map((variable) => variable.name).filter((name) => !isRead(name)).sort());
  expect(JSON.stringify(Variables.BACKSTOP_PRIMARY_TOKEN)).toContain('{{resolve:secretsmanager:');
  expect(Variables).toMatchObject({
    BACKSTOP_PRIMARY_HEADERS: 'X-Team=payments',
    BACKSTOP_PRIMARY_OPTIONS: 'ids=false,index=logs-x',
    BACKSTOP_PRIMARY_TIMEOUT_MS: '2000',
    BACKSTOP_ALLOW_PLAINTEXT: 'true',
    BACKSTOP_FALLBACK: 's3,firehose',
    BACKSTOP_MAX_ADDED_MS: '50',
    BACKSTOP_BUFFER_MAX_BYTES: '8388608',
    BACKSTOP_SPOOL_MAX_BYTES: '0',
    BACKSTOP_FILTER: 'drop type=platform.start; keep level=error',
    BACKSTOP_REDACT: 'email,record.user.name',
    BACKSTOP_REDACT_ARCHIVE: 'false',
    BACKSTOP_DEDUPE: 'true',
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
  expect(Object.values(BackstopRoute)).toEqual(valuesOf('BACKSTOP_ROUTE'));
  expect(Object.values(BackstopLevel)).toEqual(valuesOf('BACKSTOP_MIN_LEVEL'));
  expect(Object.values(BackstopLogLevel)).toEqual(valuesOf('BACKSTOP_LOG_LEVEL'));
  expect(Object.values(BackstopMetrics)).toEqual(valuesOf('BACKSTOP_METRICS'));
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
    Backstop.attach(functionIn(stack, 'Orders', { environment: { BACKSTOP_REDACTED: 'false' } }), MINIMUM);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('BACKSTOP_REDACTED')]);
  });

  test('a layer that is computed otherwise stays beside one that is computed', () => {
    const stack = stackOf();
    const resource = functionIn(stack).node.defaultChild as CfnFunction;
    resource.layers = ['{{resolve:ssm:/their/layer}}'];
    Backstop.attach(resource, { ...MINIMUM, layer: BackstopLayer.fromParameters('/backstop/layer', '0.1.0') });
    expect(propertiesOf(stack).Layers).toEqual(['{{resolve:ssm:/their/layer}}', '{{resolve:ssm:/backstop/layer/0.1.0/x86_64}}']);
  });

  test('a property that is overridden as far down as a variable wins', () => {
    const stack = stackOf();
    const resource = functionIn(stack).node.defaultChild as CfnFunction;
    resource.addPropertyOverride('Environment.Variables.BACKSTOP_LOG_LEVEL', 'error');
    resource.addPropertyOverride('Architectures', ['arm64']);
    Backstop.attach(resource, { ...MINIMUM, logLevel: BackstopLogLevel.DEBUG });
    expect(propertiesOf(stack).Environment.Variables).toEqual({ ...MERGED, BACKSTOP_LOG_LEVEL: 'error' });
    expect(propertiesOf(stack).Layers).toEqual([arnOf('arm64')]);
  });

  test('a code signing configuration is told', () => {
    const stack = stackOf();
    const resource = functionIn(stack).node.defaultChild as CfnFunction;
    resource.codeSigningConfigArn = 'arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0123456789abcdef0';
    Backstop.attach(resource, MINIMUM);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('sign the layer with a profile')]);
  });

  test('another extension is told', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    fn.addLayers(LayerVersion.fromLayerVersionArn(stack, 'Other', 'arn:aws:lambda:eu-west-1:464622532012:layer:Datadog-Extension:80'));
    Backstop.attach(fn, MINIMUM);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('Datadog-Extension')]);
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
    expect(warningsOf(stack)).toEqual([expect.stringContaining('in plain text')]);
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
    Backstop.of(stack).attachAll({ ...MINIMUM, include: ['Shop/Payments*'], exclude: ['*Audit/*'] });
    const layers = Object.entries(Template.fromStack(stack).findResources('AWS::Lambda::Function')).map(([id, fn]) => [id.replace(/[0-9A-F]{8}$/, ''), 'Layers' in fn.Properties]);
    expect(Object.fromEntries(layers)).toEqual({ Orders: false, Payments: true, PaymentsAudit: false });
  });

  test.each([['Shop/Payments', 'Payments'], ['Shop/Payments/Resource', 'Payments'], ['*/Orders', 'Orders']])('by the path %s alone', (path_, chosen) => {
    const stack = stackOf();
    functionIn(stack, 'Orders');
    functionIn(stack, 'Payments');
    Backstop.of(stack).attachAll({ ...MINIMUM, include: [path_] });
    const attached = Object.entries(Template.fromStack(stack).findResources('AWS::Lambda::Function')).filter(([, fn]) => 'Layers' in fn.Properties);
    expect(attached.map(([id]) => id.replace(/[0-9A-F]{8}$/, ''))).toEqual([chosen]);
  });

  test.each<[string, (stack: Stack, props: BackstopAttachAllProps) => void]>([
    ['attachAll', (stack, props) => Backstop.of(stack).attachAll(props)],
    ['an Aspect', (stack, props) => Aspects.of(stack).add(new BackstopAspect(props))],
    ['a Mixin', (stack, props) => Mixins.of(stack).apply(new BackstopMixin(props))],
  ])('a pattern of %s that fits nothing is an error', (_way, attach) => {
    const stack = stackOf();
    functionIn(stack);
    attach(stack, { ...MINIMUM, include: ['Shop/Orders', 'Shop/Order'] });
    expect(() => Template.fromStack(stack)).toThrow('matches `Shop/Order`');
  });

  test('a selector beside the props, as it was before, is an error', () => {
    const stack = stackOf();
    const before = { include: ['Shop/Orders'] };
    for (const call of [
      () => (Backstop.of(stack) as any).attachAll(MINIMUM, before),
      () => new (BackstopAspect as any)(MINIMUM, before),
      () => new (BackstopMixin as any)(MINIMUM, before),
    ]) expect(call).toThrow('takes include and exclude inside its props');
  });

  test('the same secret twice is no other setting', () => {
    const stack = stackOf();
    const secret = Secret.fromSecretNameV2(stack, 'Secret', 'token');
    const props = () => ({ ...MINIMUM, primary: { ...MINIMUM.primary!, token: BackstopSecret.fromSecretsManager(secret) } });
    Backstop.attach(functionIn(stack), props());
    Backstop.of(stack).attachAll(props());
    expect(warningsOf(stack)).toEqual([]);
  });

  test('of different settings those nearest to the function hold, and it is told', () => {
    const said = (level: BackstopLogLevel) => ({ ...MINIMUM, logLevel: level });
    const levelsIn = (calls: ((stack: Stack, fn: Function) => void)[]) => calls.map((way) => {
      const stack = stackOf();
      way(stack, functionIn(stack));
      expect(warningsOf(stack)).toEqual([expect.stringContaining('different settings')]);
      return propertiesOf(stack).Environment.Variables.BACKSTOP_LOG_LEVEL;
    });
    expect(levelsIn([
      (stack, fn) => { Backstop.of(stack).attachAll(said(BackstopLogLevel.DEBUG)); Backstop.attach(fn, said(BackstopLogLevel.ERROR)); },
      (stack) => {
        Backstop.of(stack.node.root).attachAll(said(BackstopLogLevel.DEBUG));
        Backstop.of(stack).attachAll(said(BackstopLogLevel.ERROR));
      },
      (stack) => { Backstop.of(stack).attachAll(said(BackstopLogLevel.ERROR)); Backstop.of(stack).attachAll(said(BackstopLogLevel.DEBUG)); },
    ])).toEqual(['error', 'error', 'error']);
  });

  test('other settings that come when all is settled are told', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    Backstop.attach(fn, MINIMUM);
    Aspects.of(new Construct(stack, 'Zeta')).add({ visit: () => Backstop.attach(fn, { ...MINIMUM, logLevel: BackstopLogLevel.DEBUG }) });
    expect(propertiesOf(stack).Environment.Variables).toEqual(MERGED);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('the earlier settings hold')]);
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
    expect(() => app.synth()).toThrow('attachAll has not reached Prod: call it after you create all stages');
  });

  test('a stage that was synthesised before, as a pipeline does, is an error', () => {
    const app = new App();
    const stage = new Stage(app, 'Prod');
    functionIn(new Stack(stage, 'Inner', { env: ENV }));
    stage.synth();
    Backstop.of(app).attachAll(MINIMUM);
    expect(() => app.synth()).toThrow('attachAll has not reached Prod');
  });

  test('more functions than CDK lets Aspects be added for', () => {
    const app = new App({ context: { '@aws-cdk/core:aspectStabilization': true } });
    const stack = new Stack(app, 'Shop', { env: ENV });
    for (let number = 0; number < 110; number += 1) functionIn(stack, `Fn${number}`);
    // From an Aspect of the user's own, too.
    Aspects.of(stack).add({ visit: (node) => { if (node instanceof Function) Backstop.attach(node, MINIMUM); } });
    Template.fromStack(stack).allResourcesProperties('AWS::Lambda::Function', { Layers: [arnOf('x86_64')] });
  });

  test("CloudFormation's own principal is left alone", () => {
    const stack = stackOf();
    new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    Backstop.of(stack).attachAll(MINIMUM);
    expect(Object.keys(Template.fromStack(stack).toJSON().Resources)).toHaveLength(1);
  });
});
