/** What is attached and granted follows what the function has in the end, wherever that is said; what cannot follow is an error. */
import * as fs from 'fs';
import * as path from 'path';
import { App, Aspects, Aws, CfnParameter, CfnResource, Fn, Lazy, Mixins, NestedStack, Stack, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { ArnPrincipal, CfnRole, Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import { Key } from 'aws-cdk-lib/aws-kms';
import { CfnFunction, Code, Function, Runtime, SingletonFunction } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { AwsSolutionsChecks } from 'cdk-nag';
import { Construct } from 'constructs';
import { arnOf, ENV, errorsOf, functionIn, layer, MERGED, MINIMUM, propertiesOf, stackOf, warningsOf, zips } from './app';
import { Backstop, BackstopArchive, BackstopAspect, BackstopLayer, BackstopLogLevel, BackstopMixin, BackstopSecret } from '../src';

const resource = (fn: Function) => fn.node.defaultChild as CfnFunction;
const granted = (stack: Stack) => Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'))
  .flatMap((policy) => policy.Properties.PolicyDocument.Statement.map((statement: any) => JSON.stringify(statement.Resource)));
/** At a construct that is visited after all functions. */
const late = (stack: Stack, change: () => void) => Aspects.of(new Construct(stack, 'Zeta')).add({ visit: change });

describe("the function's own variables", () => {
  const primary = MINIMUM.primary!;

  test('may refer to another stack, and the rights do so too', () => {
    const app = new App();
    const bucket = new Bucket(new Stack(app, 'Platform', { env: ENV }), 'Theirs');
    const stack = new Stack(app, 'Shop', { env: ENV });
    Backstop.attach(functionIn(stack, 'Orders', { environment: { BACKSTOP_S3_BUCKET: bucket.bucketName } }), { layer, primary });
    expect(granted(stack)).toEqual([expect.stringMatching(/:s3:::.*"Fn::ImportValue":"Platform:/)]);
  });

  test.each<[string, (stack: Stack) => Record<string, string>, RegExp]>([
    ["a stream's name", (stack) => ({ BACKSTOP_FIREHOSE_STREAM: new CfnDeliveryStream(stack, 'Theirs').ref }), /:deliverystream\/",\{"Ref":"Theirs"\}/],
    ["a bucket's ARN", (stack) => ({ BACKSTOP_S3_BUCKET: new Bucket(stack, 'Theirs').bucketArn }), /^\{"Fn::Join":\["",\[\{"Fn::GetAtt":\["Theirs\w+","Arn"\]\},"\/backstop\/v1\/\*"\]\]\}$/],
    ['a name with a token in it', () => ({ BACKSTOP_S3_BUCKET: `logs-${Aws.ACCOUNT_ID}` }), /:s3:::logs-",\{"Ref":"AWS::AccountId"\},"\/backstop/],
  ])('may be %s', (_what, environment, expected) => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack, 'Orders', { environment: environment(stack) }), { layer, primary });
    expect(granted(stack)).toEqual([expect.stringMatching(expected)]);
  });

  test('may take a fallback away, and then nothing is granted', () => {
    for (const change of [
      (fn: CfnFunction) => fn.addPropertyOverride('Environment.Variables.BACKSTOP_S3_BUCKET', Aws.NO_VALUE),
      (fn: CfnFunction) => fn.addPropertyDeletionOverride('Environment.Variables.BACKSTOP_S3_BUCKET'),
      (fn: CfnFunction) => { fn.environment = { variables: { BACKSTOP_S3_BUCKET: Aws.NO_VALUE } }; },
    ]) {
      const stack = stackOf();
      const fn = functionIn(stack);
      change(resource(fn));
      Backstop.attach(fn, MINIMUM);
      expect(granted(stack)).toEqual([]);
      expect(warningsOf(stack)).toContainEqual(expect.stringContaining('There is no fallback'));
    }
  });

  test('may be set by an override', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    resource(fn).addPropertyOverride('Environment.Variables.BACKSTOP_S3_BUCKET', 'theirs');
    Backstop.attach(fn, MINIMUM);
    expect(granted(stack)).toEqual([expect.stringContaining(':s3:::theirs/backstop')]);
  });

  test('that are secrets in plain text, or an alias of a key, are told', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack, 'Orders', { environment: { BACKSTOP_PRIMARY_TOKEN: 's3cr3t', BACKSTOP_S3_KMS_KEY_ID: 'alias/theirs' } }), MINIMUM);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('a policy cannot grant an alias'), expect.stringContaining('in plain text')]);
  });
});

describe('what the function has is looked at, and no more', () => {
  test('JSON as text with references in it stays what it is', () => {
    const app = new App();
    const bucket = new Bucket(new Stack(app, 'Platform', { env: ENV }), 'Theirs');
    const stack = new Stack(app, 'Shop', { env: ENV });
    const fn = functionIn(stack, 'Orders', { environment: { CONFIG: stack.toJsonString({ bucket: bucket.bucketName }) } });
    Backstop.attach(fn, MINIMUM);
    late(stack, () => fn.addEnvironment('LATE', stack.toJsonString({ own: new Bucket(stack, 'Own').bucketName })));
    expect(errorsOf(stack)).toEqual([]);
    expect(JSON.stringify(propertiesOf(stack).Environment.Variables.CONFIG)).toContain('Fn::ImportValue');
  });

  test('beside a function of SAM nothing else is rendered early', () => {
    const stack = stackOf();
    Backstop.attach(new SamFunction(stack, 'Orders', { codeUri: 's3://code/one.zip', handler: 'index.handler', runtime: 'nodejs22.x' }), MINIMUM);
    let isReady = false;
    const tags = Lazy.any({ produce: () => { if (!isReady) throw new Error('not ready yet'); return { seen: 'yes' }; } });
    new CfnResource(stack, 'Other', { type: 'AWS::SSM::Parameter', properties: { Type: 'String', Value: 'x', Tags: tags } });
    late(stack, () => { isReady = true; });
    expect(errorsOf(stack)).toEqual([]);
  });

  test("an imported role that this app makes gets the stack's policy, and nothing waits for that", () => {
    const stack = stackOf();
    const role = new CfnRole(stack, 'Role', { assumeRolePolicyDocument: {} });
    ['Orders', 'Payments'].forEach((id) => functionIn(stack, id, { role: Role.fromRoleArn(stack, `${id}Role`, role.attrArn) }));
    Backstop.of(stack).attachAll(MINIMUM);
    expect(granted(stack)).toHaveLength(1);
    expect(JSON.stringify(Template.fromStack(stack).findResources('AWS::Lambda::Function'))).not.toContain('DependsOn');
  });

  test('dynamic references are taken, and patterns of keys', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack), {
      layer,
      fallback: {
        s3Bucket: '{{resolve:ssm:/bucket}}',
        s3ExpectedBucketOwner: '{{resolve:ssm:/owner}}',
        firehoseStream: '{{resolve:ssm:/stream-arn}}',
        kmsKeyArns: ['{{resolve:ssm:/key}}', 'arn:aws:kms:eu-west-1:111122223333:key/*'],
      },
    });
    expect(errorsOf(stack)).toEqual([]);
    expect(granted(stack)).toContain('"{{resolve:ssm:/stream-arn}}"');
  });

  test('an alias of a key is known behind its token', () => {
    const stack = stackOf();
    const alias = new Key(stack, 'Key').addAlias('theirs');
    Backstop.attach(functionIn(stack), { layer, fallback: { s3Bucket: 'my-archive', s3KmsKeyId: alias.aliasName } });
    expect(granted(stack).join()).not.toContain('alias/');
    expect([...warningsOf(stack), ...errorsOf(stack)]).toEqual([expect.stringContaining('is an alias')]);
  });

  test('a secret that is not used is not told', () => {
    const stack = stackOf();
    const fn = functionIn(stack, 'Orders', { environment: { BACKSTOP_PRIMARY_TOKEN: '{{resolve:secretsmanager:token}}' } });
    Backstop.attach(fn, { ...MINIMUM, primary: { ...MINIMUM.primary!, token: BackstopSecret.unsafePlainText('s3cr3t') } });
    expect(warningsOf(stack)).toEqual([expect.stringContaining('keeps its own value')]);
  });
});

test.each<[string, (stack: Stack) => object, RegExp]>([
  ['a stream', (stack) => ({ firehoseStream: StringParameter.valueForStringParameter(stack, '/stream-arn') }), /^\{"Ref":"SsmParameter/],
  ['a key', (stack) => ({ s3Bucket: 'my-archive', s3KmsKeyId: new CfnParameter(stack, 'Key').valueAsString }), /^\{"Ref":"Key"\}$/],
])('%s that is a parameter is taken for an ARN', (_what, fallback, expected) => {
  const stack = stackOf();
  Backstop.attach(functionIn(stack), { layer, fallback: fallback(stack) });
  expect(granted(stack)).toContainEqual(expect.stringMatching(expected));
});

describe('an architecture that only the deployment knows, or that changes too late, is an error', () => {
  test.each<[string, (fn: CfnFunction) => void]>([
    ['a list that is a token', (fn) => { fn.architectures = Fn.split(',', Fn.importValue('Architectures')); }],
    ['a list under a condition', (fn) => { fn.architectures = Fn.conditionIf('C', ['arm64'], ['x86_64']) as any; }],
    ['an override under a condition', (fn) => fn.addPropertyOverride('Architectures', Fn.conditionIf('C', ['arm64'], ['x86_64']))],
  ])('%s', (_what, change) => {
    const stack = stackOf();
    const fn = functionIn(stack);
    change(resource(fn));
    Backstop.attach(fn, MINIMUM);
    expect(errorsOf(stack)).toEqual([expect.stringContaining('is not known before deployment')]);
    expect(propertiesOf(stack).Layers).toBeUndefined();
  });

  test('an override that deletes it', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    resource(fn).architectures = ['arm64'];
    resource(fn).addPropertyDeletionOverride('Architectures');
    Backstop.attach(fn, MINIMUM);
    expect(propertiesOf(stack).Layers).toEqual([arnOf('x86_64')]);
  });

  test.each<[string, (fn: CfnFunction) => void, string]>([
    ['the architecture', (fn) => { fn.architectures = ['arm64']; }, 'Its architecture changed'],
    ['the role', (fn) => { fn.role = 'arn:aws:iam::111122223333:role/other'; }, 'Its role changed'],
    ['the role by an override', (fn) => fn.addPropertyOverride('Role', 'arn:aws:iam::111122223333:role/other'), 'Its role changed'],
    ['the fallback', (fn) => { fn.environment = { variables: { BACKSTOP_S3_BUCKET: 'late' } }; }, 'Its fallback changed'],
  ])('%s', (_what, change, message) => {
    const stack = stackOf();
    const fn = functionIn(stack);
    Backstop.attach(fn, MINIMUM);
    late(stack, () => change(resource(fn)));
    expect(errorsOf(stack)).toEqual([expect.stringContaining(message)]);
    expect(propertiesOf(stack).Layers).toBeUndefined();
  });
});

test('a variable that is added late to those that are there is one more', () => {
  const stack = stackOf();
  const fn = resource(functionIn(stack));
  fn.environment = { variables: { OWN: 'one' } };
  Backstop.attach(fn, MINIMUM);
  late(stack, () => {
    fn.environment = { variables: { ...(fn.environment as CfnFunction.EnvironmentProperty).variables as object, LATE: 'yes' } };
  });
  expect(propertiesOf(stack).Environment.Variables).toEqual({ ...MERGED, OWN: 'one', LATE: 'yes' });
});

describe('functions of SAM', () => {
  const included = (stack: Stack, globals: object) => {
    const file = path.join(zips(), 'template.json');
    fs.writeFileSync(file, JSON.stringify({
      Transform: 'AWS::Serverless-2016-10-31',
      Parameters: { Layers: { Type: 'CommaDelimitedList' } },
      Globals: { Function: globals },
      Resources: { Orders: { Type: 'AWS::Serverless::Function', Properties: { CodeUri: 's3://code/one.zip', Handler: 'index.handler', Runtime: 'nodejs22.x' } } },
    }));
    new CfnInclude(stack, 'Included', { templateFile: file });
    Backstop.of(stack).attachAll(MINIMUM);
  };
  const SAM = 'AWS::Serverless::Function';
  const theirs = (count: number) => Array.from({ length: count }, (_, number) => `arn:aws:lambda:eu-west-1:111122223333:layer:own${number}:1`);

  test("have what the template's Globals say: the architecture, variables and layers", () => {
    const stack = stackOf();
    included(stack, { Architectures: ['arm64'], Layers: theirs(4), Environment: { Variables: { BACKSTOP_PRIMARY_URL: 'https://theirs.example.com', BACKSTOP_S3_BUCKET: 'theirs' } } });
    const { Layers, Environment, Policies } = propertiesOf(stack, SAM);
    expect(Layers).toEqual([arnOf('arm64')]);
    expect(Environment).toBeUndefined();
    expect(JSON.stringify(Policies)).toContain(':s3:::theirs/backstop');
    expect(errorsOf(stack)).toEqual([]);
  });

  test.each<[string, object, string]>([
    ['a sixth layer', { Layers: theirs(5) }, '6 layers'],
    ['a layer of Backstop', { Layers: [arnOf('x86_64', 7)] }, "The template's Globals already give it a Backstop layer"],
    ['layers that are known later', { Layers: { Ref: 'Layers' } }, "The template's Globals have layers that are known only at deployment"],
  ])('are refused with %s by Globals', (_what, globals, message) => {
    const stack = stackOf();
    included(stack, globals);
    expect(errorsOf(stack)).toEqual([expect.stringContaining(message)]);
    expect(propertiesOf(stack, SAM).Environment).toBeUndefined();
  });

  test('keep their policies beside ours when they are set late, and where they are overridden it is told', () => {
    const [set, overridden] = [stackOf(), stackOf()].map((stack) => {
      const fn = new SamFunction(stack, 'Orders', { codeUri: 's3://code/one.zip', handler: 'index.handler', runtime: 'nodejs22.x' });
      Backstop.attach(fn, MINIMUM);
      return { stack, fn };
    });
    late(set.stack, () => { set.fn.policies = ['Theirs']; });
    expect(propertiesOf(set.stack, SAM).Policies).toEqual(['Theirs', expect.objectContaining({ Statement: expect.anything() })]);
    overridden.fn.addPropertyOverride('Policies', ['Theirs']);
    expect(warningsOf(overridden.stack)).toEqual([expect.stringContaining('s3:PutObject')]);
  });
});

test.each([true, false])('asking from an Aspect refers to what other stacks have, with stabilization %s', (stabilization) => {
  const app = new App({ context: { '@aws-cdk/core:aspectStabilization': stabilization } });
  const archive = new BackstopArchive(new Stack(app, 'Platform', { env: ENV }), 'Archive');
  const stack = new Stack(app, 'Shop', { env: ENV });
  functionIn(new NestedStack(stack, 'Nested'));
  functionIn(stack);
  Aspects.of(app).add({ visit: (node) => { if (node instanceof Function) Backstop.attach(node, { layer, fallback: { archive } }); } });
  app.synth({ skipValidation: true });
  for (const one of [stack, stack.node.findChild('Nested') as Stack]) {
    expect(propertiesOf(one).Environment.Variables.BACKSTOP_S3_BUCKET).toEqual({ 'Fn::ImportValue': expect.stringContaining('Platform:') });
  }
});

test('a role that was imported as not to be changed is not, also where its ARN is of this app', () => {
  const stack = stackOf();
  const role = new Role(stack, 'Theirs', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  Backstop.attach(functionIn(stack, 'Orders', { role: Role.fromRoleArn(stack, 'Imported', role.roleArn, { mutable: false }) }), MINIMUM);
  Template.fromStack(stack).resourceCountIs('AWS::IAM::Policy', 0);
  expect(warningsOf(stack)).toEqual([expect.stringContaining('s3:PutObject')]);
});

test("the archive's bucket may name the function that writes to it", () => {
  const stack = stackOf();
  const archive = new BackstopArchive(stack, 'Archive');
  const fn = functionIn(stack);
  archive.bucket.addToResourcePolicy(new PolicyStatement({
    effect: Effect.DENY, principals: [new ArnPrincipal('*')], actions: ['s3:PutObject'], resources: [archive.bucket.arnForObjects('*')], conditions: { ArnNotEquals: { 'lambda:SourceFunctionArn': fn.functionArn } },
  }));
  Backstop.attach(fn, { layer, fallback: { archive } });
  // Which looks for circles.
  expect(() => Template.fromStack(stack)).not.toThrow();
});

test('a stream of another account is refused, and one of another region is not', () => {
  const [account, region] = [stackOf(), stackOf()];
  Backstop.attach(functionIn(account), { layer, fallback: { firehoseStream: 'arn:aws:firehose:eu-west-1:444455556666:deliverystream/theirs' } });
  Backstop.attach(functionIn(region), { layer, fallback: { firehoseStream: 'arn:aws:firehose:us-east-1:111122223333:deliverystream/ours' } });
  expect(errorsOf(account)).toEqual([expect.stringContaining('is in another account')]);
  expect([...errorsOf(region), ...granted(region)]).toEqual(['"arn:aws:firehose:us-east-1:111122223333:deliverystream/ours"']);
});

describe('of different settings', () => {
  const said = (logLevel: BackstopLogLevel) => ({ ...MINIMUM, logLevel });
  test.each<[string, (stack: Stack, fn: Function) => void]>([
    ['those of an Aspect at the function hold, not those of the app', (stack, fn) => {
      Backstop.of(stack.node.root).attachAll(said(BackstopLogLevel.ERROR));
      Aspects.of(fn).add(new BackstopAspect(said(BackstopLogLevel.DEBUG)));
    }],
    ['those given by name hold, also where they are those of the app', (stack, fn) => {
      const props = said(BackstopLogLevel.DEBUG);
      Backstop.of(stack.node.root).attachAll(props);
      Backstop.of(stack).attachAll(said(BackstopLogLevel.ERROR));
      Backstop.attach(fn, props);
    }],
    ['those given by name hold, not those of a mixin before', (stack, fn) => {
      Mixins.of(stack.node.root).apply(new BackstopMixin(said(BackstopLogLevel.ERROR)));
      Backstop.attach(fn, said(BackstopLogLevel.DEBUG));
    }],
  ])('%s', (_what, attach) => {
    const stack = stackOf();
    attach(stack, functionIn(stack));
    // Twice synthesised, as by each look at it.
    expect(propertiesOf(stack).Environment.Variables.BACKSTOP_LOG_LEVEL).toBe('debug');
    expect(warningsOf(stack)).toEqual([expect.stringContaining('different settings')]);
  });

  test('the layer of those that do not hold is not published, and the same zips are no other setting', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    const directory = zips();
    Backstop.attach(fn, MINIMUM);
    Backstop.of(stack).attachAll({ ...MINIMUM, layer: BackstopLayer.fromZips({ directory }) });
    expect(warningsOf(stack)).toEqual([expect.stringContaining('different settings')]);
    Template.fromStack(stack).resourceCountIs('AWS::Lambda::LayerVersion', 0);
    const other = stackOf();
    functionIn(other);
    for (let time = 0; time < 2; time += 1) Backstop.of(other).attachAll({ ...MINIMUM, layer: BackstopLayer.fromZips({ directory }) });
    expect(warningsOf(other)).toEqual([]);
  });
});

test('a pattern that leaves out nothing is told', () => {
  const stack = stackOf();
  functionIn(stack);
  new SingletonFunction(stack, 'Once', { uuid: 'one', runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('x') });
  Backstop.of(stack).attachAll({ ...MINIMUM, exclude: ['Shop/Orders', 'Shop/Once'] });
  expect(warningsOf(stack)).toEqual([expect.stringContaining('matches `Shop/Once`')]);
});

test.each<[string, (app: App, stack: Stack) => void]>([
  ['with the archive in another stack', (app, stack) => {
    const archive = new BackstopArchive(new Stack(app, 'Platform', { env: ENV }), 'Archive');
    Backstop.of(stack).attachAll({ layer, fallback: { archive } });
  }],
  ['in a nested stack', (_app, stack) => {
    const archive = new BackstopArchive(stack, 'Archive');
    writer(new NestedStack(stack, 'Nested'));
    Backstop.of(stack).attachAll({ layer, fallback: { archive } });
  }],
])('cdk-nag finds nothing in what is granted %s', (_what, build) => {
  const app = new App();
  const stack = new Stack(app, 'Shop', { env: ENV });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  writer(stack);
  build(app, stack);
  expect(() => app.synth()).not.toThrow();
});

function writer(stack: Stack): void {
  const role = new Role(stack, 'Writer', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  Validations.of(functionIn(stack, 'Orders', { role, runtime: Runtime.NODEJS_24_X })).acknowledge({ id: 'AwsSolutions-L1', reason: 'Not of interest here.' });
}
