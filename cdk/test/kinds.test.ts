/** Every kind of function, and its role. */
import * as fs from 'fs';
import * as path from 'path';
import { PythonFunction } from '@aws-cdk/aws-lambda-python-alpha';
import { App, Aspects, Aws, CfnCondition, CfnResource, Fn, Mixins, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Distribution, experimental, LambdaEdgeEventType } from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { CfnRole, IRole, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import { Alias, Architecture, CfnFunction, Code, DockerImageCode, DockerImageFunction, Function, Runtime, SingletonFunction } from 'aws-cdk-lib/aws-lambda';
import { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3';
import { SqsDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Construct } from 'constructs';
import { arnOf, ENV, errorsOf, functionIn, layer, MERGED, MINIMUM, propertiesOf, stackOf, warningsOf, zips } from './app';
import { Backstop, BackstopArchive, BackstopLayer, BackstopMixin } from '../src';

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

  test('in Python, of a class of its own', () => {
    // Its dependencies are brought by Docker, where it is built: CDK builds nothing for stacks that are not deployed.
    const stack = new Stack(new App({ context: { 'aws:cdk:bundling-stacks': [] } }), 'Shop', { env: ENV });
    Backstop.attach(new PythonFunction(stack, 'Orders', { entry: path.join(__dirname, 'python'), runtime: Runtime.PYTHON_3_13, architecture: Architecture.ARM_64 }), MINIMUM);
    expect(propertiesOf(stack)).toMatchObject({ Handler: 'index.handler', Layers: [arnOf('arm64')], Environment: { Variables: MERGED } });
  });

  test('of a construct that holds one', () => {
    class Service extends Construct {
      constructor(scope: Construct, id: string) {
        super(scope, id);
        this.node.defaultChild = functionIn(this);
      }
    }
    const stack = stackOf();
    Backstop.attach(new Service(stack, 'Service'), MINIMUM);
    expect(propertiesOf(stack).Layers).toEqual([arnOf('x86_64')]);
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

  test('a generic resource, as CDK makes for itself, is left alone and told', () => {
    const [without, all] = [stackOf(), stackOf()].map((stack) => {
      const bucket = new Bucket(stack, 'Bucket', { removalPolicy: RemovalPolicy.DESTROY, autoDeleteObjects: true });
      bucket.addObjectCreatedNotification(new SqsDestination(new Queue(stack, 'Queue')));
      new CfnResource(stack, 'Orders', { type: 'AWS::Lambda::Function', properties: { Handler: 'index.handler', Environment: { Variables: { TABLE: 'orders' } } } });
      return stack;
    });
    Backstop.of(all).attachAll(MINIMUM);
    expect(Template.fromStack(all).toJSON()).toEqual(Template.fromStack(without).toJSON());
    Annotations.fromStack(all).hasInfo('/Shop/Orders', Match.stringLikeRegexp('generic CfnResource'));
    expect(warningsOf(all)).toEqual([]);

    const alone = stackOf();
    Backstop.attach(new CfnResource(alone, 'Orders', { type: 'AWS::Lambda::Function' }), MINIMUM);
    expect(errorsOf(alone)).toEqual([expect.stringContaining('generic CfnResource')]);
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

describe('a resource with plain properties', () => {
  const own = 'arn:aws:lambda:eu-west-1:111122223333:layer:own:1';
  const late = 'arn:aws:lambda:eu-west-1:111122223333:layer:late:1';
  const plain = (stack: Stack) => new CfnFunction(stack, 'Orders', {
    code: { zipFile: 'x' }, role: 'arn:aws:iam::111122223333:role/theirs', runtime: 'nodejs22.x', handler: 'index.handler', layers: [own], environment: { variables: { TABLE: 'orders' } },
  });

  test('keeps them plain, so that others can go on from them', () => {
    const stack = stackOf();
    const fn = plain(stack);
    Mixins.of(fn).apply(new BackstopMixin(MINIMUM));
    fn.layers = [...fn.layers!, late];
    const environment = fn.environment as CfnFunction.EnvironmentProperty;
    fn.environment = { ...environment, variables: { ...environment.variables, LATE: 'yes' } };
    expect(propertiesOf(stack).Layers).toEqual([own, late, arnOf('x86_64')]);
    expect(propertiesOf(stack).Environment.Variables).toEqual({ ...MERGED, TABLE: 'orders', LATE: 'yes' });
    expect(errorsOf(stack)).toEqual([]);
  });

  test('may have them changed in their place', () => {
    const stack = stackOf();
    const fn = plain(stack);
    Backstop.attach(fn, MINIMUM);
    fn.layers!.push(late);
    fn.architectures = ['arm64'];
    expect(propertiesOf(stack).Layers).toEqual([own, late, arnOf('arm64')]);
  });

  test('from a template that is included', () => {
    const stack = stackOf();
    const file = path.join(zips(), 'template.json');
    fs.writeFileSync(file, JSON.stringify({
      Parameters: { Table: { Type: 'String' } },
      Resources: {
        Role: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] } } },
        Orders: {
          Type: 'AWS::Lambda::Function',
          Properties: {
            Code: { ZipFile: 'x' }, Role: { 'Fn::GetAtt': ['Role', 'Arn'] }, Runtime: 'nodejs22.x', Handler: 'index.handler', Layers: [own], Environment: { Variables: { TABLE: { Ref: 'Table' } } },
          },
        },
      },
    }));
    new CfnInclude(stack, 'Included', { templateFile: file });
    Backstop.of(stack).attachAll(MINIMUM);
    expect(propertiesOf(stack).Layers).toEqual([own, arnOf('x86_64')]);
    expect(propertiesOf(stack).Environment.Variables).toEqual({ ...MERGED, TABLE: { Ref: 'Table' } });
    Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', { Roles: [{ Ref: 'Role' }] });
    expect(warningsOf(stack)).toEqual([]);
  });
});

test('what another stack has is referred to, also where properties are set anew', () => {
  const app = new App();
  const archive = new BackstopArchive(new Stack(app, 'Platform', { env: ENV }), 'Archive');
  const stack = new Stack(app, 'Shop', { env: ENV });
  const fn = new CfnFunction(stack, 'Orders', { code: { zipFile: 'x' }, role: 'arn:aws:iam::111122223333:role/theirs', runtime: 'nodejs22.x', handler: 'index.handler' });
  Backstop.attach(fn, { layer, fallback: { archive } });
  Aspects.of(stack).add({ visit: (node) => { if (node === fn) fn.environment = { variables: { OWN: 'one' } }; } }, { priority: 950 });
  expect(propertiesOf(stack).Environment.Variables).toMatchObject({ OWN: 'one', BACKSTOP_S3_BUCKET: { 'Fn::ImportValue': expect.stringContaining('Platform:') } });
});

describe('Lambda@Edge', () => {
  const us = { ...ENV, region: 'us-east-1' };
  const edge = (stack: Stack) => new experimental.EdgeFunction(stack, 'Edge', { runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('x') });

  test('is left as it is among all, with a warning', () => {
    const [without, all] = [stackOf(us), stackOf(us)];
    edge(without);
    edge(all);
    Backstop.of(all).attachAll(MINIMUM);
    expect(Template.fromStack(all).toJSON()).toEqual(Template.fromStack(without).toJSON());
    expect(warningsOf(all)).toEqual([expect.stringContaining('Lambda@Edge')]);
    expect(errorsOf(all)).toEqual([]);
  });

  test('is an error by itself, and where it comes later', () => {
    const [alone, later] = [stackOf(us), stackOf(us)];
    Backstop.attach(edge(alone), MINIMUM);
    const fn = functionIn(later);
    Backstop.attach(fn, { ...MINIMUM, layer: BackstopLayer.fromArn(arnOf('x86_64', 1, 'us-east-1'), Architecture.X86_64) });
    new Distribution(later, 'Distribution', {
      defaultBehavior: { origin: new HttpOrigin('example.com'), edgeLambdas: [{ functionVersion: fn.currentVersion, eventType: LambdaEdgeEventType.VIEWER_REQUEST }] },
    });
    expect(errorsOf(alone)).toEqual([expect.stringContaining('Lambda@Edge')]);
    expect(errorsOf(later)).toEqual([expect.stringContaining('Lambda@Edge')]);
    expect(propertiesOf(later).Layers).toBeUndefined();
  });
});

describe('grants', () => {
  const rolesIn = (stack: Stack) => Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy')).map((policy) => policy.Properties.Roles);
  test('are one policy for the roles of a stack, each once', () => {
    const stack = stackOf();
    const role = new Role(stack, 'Shared', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    ['Orders', 'Payments'].forEach((id) => functionIn(stack, id, { role }));
    // A role that names a function: the function must not wait for a policy of that role.
    const audit = functionIn(stack, 'Audit');
    (audit.role as Role).attachInlinePolicy(new Policy(stack, 'Named', { statements: [new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [audit.functionArn] })] }));
    Backstop.of(stack).attachAll(MINIMUM);
    const policies = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy')).filter(([id]) => id.startsWith('Backstop'));
    expect(policies.map(([, policy]) => policy.Properties.Roles.map(({ Ref }: any) => Ref.slice(0, 6)).sort())).toEqual([['AuditS', 'Shared']]);
    for (const fn of Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function'))) {
      expect(JSON.stringify(fn.DependsOn)).not.toContain('Backstop');
    }
  });

  test.each<[string, (stack: Stack) => IRole]>([
    ['is not to be changed', (stack) => new Role(stack, 'Theirs', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }).withoutPolicyUpdates()],
    ['is imported so', (stack) => Role.fromRoleArn(stack, 'Theirs', 'arn:aws:iam::111122223333:role/theirs', { mutable: false })],
    ['is of another account', (stack) => Role.fromRoleArn(stack, 'Theirs', 'arn:aws:iam::444455556666:role/theirs')],
  ])('are told where a role %s', (_what, role) => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack, 'Orders', { role: role(stack) }), MINIMUM);
    Template.fromStack(stack).resourceCountIs('AWS::IAM::Policy', 0);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('s3:PutObject')]);
  });

  test('reach a role of another stack, and an imported one by its name', () => {
    const app = new App();
    const [platform, stack] = ['Platform', 'Shop'].map((id) => new Stack(app, id, { env: ENV }));
    const role = new Role(platform, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    // The archive is where the function is: a policy in the role's stack would be a circle.
    Backstop.attach(functionIn(stack, 'Orders', { role }), { layer, fallback: { archive: new BackstopArchive(stack, 'Archive') } });
    Backstop.attach(functionIn(stack, 'Payments', { role: Role.fromRoleName(stack, 'Imported', 'theirs') }), MINIMUM);
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::IAM::Policy', { Roles: [{ 'Fn::ImportValue': Match.stringLikeRegexp('Role') }] });
    template.hasResourceProperties('AWS::IAM::Policy', { Roles: ['theirs'] });
    Template.fromStack(platform).resourceCountIs('AWS::IAM::Policy', 0);
  });

  test('follow a role that is set afterwards', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    Backstop.attach(fn, MINIMUM);
    const role = new Role(stack, 'Later', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    (fn.node.defaultChild as CfnFunction).role = role.roleArn;
    expect(rolesIn(stack)).toEqual([[{ Ref: expect.stringContaining('Later') }]]);
  });

  test('are told where the role is overridden', () => {
    const stack = stackOf();
    const fn = functionIn(stack);
    Backstop.attach(fn, MINIMUM);
    (fn.node.defaultChild as CfnFunction).addPropertyOverride('Role', 'arn:aws:iam::111122223333:role/corporate');
    Template.fromStack(stack).resourceCountIs('AWS::IAM::Policy', 0);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('s3:PutObject')]);
  });

  test('follow what the function says itself', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack, 'Orders', { environment: { BACKSTOP_S3_BUCKET: 'their-archive', BACKSTOP_S3_PREFIX: 'shop' } }), { ...MINIMUM, fallback: undefined });
    expect(JSON.stringify(resourcesOf(stack))).toContain(':s3:::their-archive/shop/v1/*');
    expect(warningsOf(stack)).toEqual([]);
  });

  test('are apart for archives whose resources have the same names', () => {
    const app = new App();
    const [one, other, shop] = ['One', 'Other', 'Shop'].map((id) => new Stack(app, id, { env: ENV }));
    const archives = [one, other].map((stack) => new BackstopArchive(stack, 'Archive', { hasStream: false }));
    archives.forEach((archive, number) => Backstop.attach(functionIn(shop, `Fn${number}`), { layer, fallback: { archive } }));
    expect(rolesIn(shop)).toHaveLength(2);
    expect(JSON.stringify(resourcesOf(shop))).toMatch(/One:ExportsOutput.*Other:ExportsOutput/);
    // Nor are they the same settings.
    const fn = functionIn(shop, 'Both');
    archives.forEach((archive) => Backstop.attach(fn, { layer, fallback: { archive } }));
    expect(warningsOf(shop)).toContainEqual(expect.stringContaining('Shop/Both/Resource gets Backstop with different settings'));
  });

  test('are under the condition of the role', () => {
    const stack = stackOf();
    const condition = new CfnCondition(stack, 'IsLarge', { expression: Fn.conditionEquals(Aws.REGION, 'eu-west-1') });
    const fn = functionIn(stack, 'Sometimes');
    [fn, fn.role!].forEach((each) => { (each.node.defaultChild as CfnResource).cfnOptions.condition = condition; });
    functionIn(stack, 'Always');
    Backstop.of(stack).attachAll(MINIMUM);
    const policies = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
    expect(policies.map((policy) => `${policy.Condition} ${policy.Properties.Roles.length}`).sort()).toEqual(['IsLarge 1', 'undefined 1']);
  });

  const streamIn = (stack: Stack) => new CfnDeliveryStream(stack, 'Theirs', { deliveryStreamName: 'theirs' });
  const resourcesOf = (stack: Stack) => Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'))
    .flatMap((policy) => policy.Properties.PolicyDocument.Statement.map((statement: any) => statement.Resource));

  test.each<[string, (stack: Stack) => object, unknown]>([
    ['a stream by its name', (stack) => ({ firehoseStream: streamIn(stack).ref }), {
      'Fn::Join': ['', [
        'arn:', { Ref: 'AWS::Partition' }, ':firehose:eu-west-1:111122223333:deliverystream/', { Ref: 'Theirs' },
      ]],
    }],
    ['a stream by its ARN', (stack) => ({ firehoseStream: streamIn(stack).attrArn }), { 'Fn::GetAtt': ['Theirs', 'Arn'] }],
    ['a stream whose name has a token', () => ({ firehoseStream: `records-${Fn.ref('AWS::StackName')}` }), {
      'Fn::Join': ['', [
        'arn:', { Ref: 'AWS::Partition' }, ':firehose:eu-west-1:111122223333:deliverystream/records-', { Ref: 'AWS::StackName' },
      ]],
    }],
    ['a bucket by its name', (stack) => ({ s3Bucket: new CfnBucket(stack, 'Theirs').ref }), {
      'Fn::Join': ['', [
        'arn:', { Ref: 'AWS::Partition' }, ':s3:::', { Ref: 'Theirs' }, '/backstop/v1/*',
      ]],
    }],
    ['a bucket by its ARN', (stack) => ({ s3Bucket: new CfnBucket(stack, 'Theirs').attrArn }), { 'Fn::Join': ['', [{ 'Fn::GetAtt': ['Theirs', 'Arn'] }, '/backstop/v1/*']] }],
  ])('name %s, also where it is a token', (_what, fallback, expected) => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack), { ...MINIMUM, fallback: fallback(stack) });
    expect(resourcesOf(stack)).toEqual([expected]);
  });
});
