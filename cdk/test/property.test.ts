/** Random apps: attaching is complete, idempotent, and leaves alone what is the user's. */
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';
import { PythonFunction } from '@aws-cdk/aws-lambda-python-alpha';
import { App, Aspects, CfnWaitConditionHandle, IAspect, Mixins, NestedStack, Stack, Stage } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import {
  Alias, Architecture, CfnFunction, Code, DockerImageCode, DockerImageFunction, Function, LayerVersion, Runtime, SingletonFunction,
} from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { IConstruct } from 'constructs';
import * as fc from 'fast-check';
import { arnOf, ENV, MINIMUM } from './app';
import { Backstop, BackstopAspect, BackstopMixin } from '../src';

const KINDS = ['function', 'alias', 'resource', 'included', 'sam', 'singleton', 'image', 'nodejs', 'python'] as const;
const PLACES = ['stack', 'nested', 'stage'] as const;
const WAYS = ['all', 'aspect', 'mixin', 'own'] as const;
const OTHERS = ['none', 'before', 'after'] as const;

const aFunction = fc.record({
  kind: fc.constantFrom(...KINDS),
  place: fc.constantFrom(...PLACES),
  arm: fc.boolean(),
  layers: fc.integer({ min: 0, max: 6 }).map((count) => Math.min(count, 5)),
  variables: fc.dictionary(fc.constantFrom('TABLE', 'QUEUE', 'BACKSTOP_S3_BUCKET', 'BACKSTOP_LOG_LEVEL'), fc.constantFrom('one', 'two')),
});
type FunctionShape = { kind: typeof KINDS[number]; place: typeof PLACES[number]; arm: boolean; layers: number; variables: Record<string, string> };
type AppShape = { functions: FunctionShape[]; ways: (typeof WAYS[number])[]; others: typeof OTHERS[number]; flags: boolean };
const anApp: fc.Arbitrary<AppShape> = fc.record({
  functions: fc.array(aFunction, { minLength: 1, maxLength: 6 }),
  ways: fc.array(fc.constantFrom(...WAYS), { minLength: 1, maxLength: 3 }),
  others: fc.constantFrom(...OTHERS),
  // What `cdk init` sets for a new app, or what an old one has.
  flags: fc.boolean(),
});

// But one: with it an error ends the synthesis, and there is no template in which to see what was left alone.
const RECOMMENDED = {
  ...JSON.parse(fs.readFileSync(require.resolve('aws-cdk-lib/recommended-feature-flags.json'), 'utf8')),
  '@aws-cdk/core:annotationsInValidationReport': false,
};

const ownLayer = (number: number) => `arn:aws:lambda:eu-west-1:111122223333:layer:own-${9 - number}:1`;

function make(stack: Stack, id: string, { kind, arm, layers, variables }: FunctionShape): void {
  const arns = Array.from({ length: layers }, (_, number) => ownLayer(number));
  const versions = () => arns.map((arn, number) => LayerVersion.fromLayerVersionArn(stack, `${id}Own${number}`, arn));
  const architecture = arm ? Architecture.ARM_64 : Architecture.X86_64;
  const environment = variables;
  const common = { runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('x') };
  const raw = { runtime: 'nodejs22.x', handler: 'index.handler', architectures: [architecture.name], layers: arns, environment: { variables } };
  switch (kind) {
    case 'function': new Function(stack, id, { ...common, architecture, environment, layers: versions() }); return;
    case 'alias': {
      const fn = new Function(stack, id, { ...common, architecture, environment, layers: versions() });
      new Alias(stack, `${id}Live`, { aliasName: 'live', version: fn.currentVersion });
      return;
    }
    case 'resource': new CfnFunction(stack, id, { ...raw, code: { zipFile: 'x' }, role: 'arn:aws:iam::111122223333:role/theirs' }); return;
    case 'sam': new SamFunction(stack, id, { ...raw, codeUri: 's3://code/one.zip' }); return;
    case 'singleton': new SingletonFunction(stack, id, { ...common, uuid: id, architecture, environment, layers: versions() }); return;
    case 'nodejs': new NodejsFunction(stack, id, { code: Code.fromInline('x'), handler: 'index.handler', runtime: Runtime.NODEJS_22_X, architecture, environment, layers: versions() }); return;
    case 'python': new PythonFunction(stack, id, { entry: path.join(__dirname, 'python'), runtime: Runtime.PYTHON_3_13, architecture, environment, layers: versions() }); return;
    case 'included': {
      const properties = {
        Code: { ZipFile: 'x' }, Role: 'arn:aws:iam::111122223333:role/theirs', Runtime: 'nodejs22.x', Handler: 'index.handler', Architectures: raw.architectures, Layers: arns, Environment: { Variables: variables },
      };
      const templateFile = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'backstop-cdk-')), 'template.json');
      fs.writeFileSync(templateFile, JSON.stringify({ Resources: { [id]: { Type: 'AWS::Lambda::Function', Properties: properties } } }));
      new CfnInclude(stack, `${id}Included`, { templateFile });
      return;
    }
    case 'image': new DockerImageFunction(stack, id, {
      architecture, environment, code: DockerImageCode.fromEcr(Repository.fromRepositoryName(stack, `${id}Images`, 'orders')),
    });
  }
}

/** What comes of an app: its stacks' resources, by path. */
function synthesised(shape: AppShape, ways: readonly (typeof WAYS[number])[]): Record<string, any> {
  const app = new App({ analyticsReporting: false, context: { ...(shape.flags ? RECOMMENDED : {}), 'aws:cdk:bundling-stacks': [] } });
  const stack = new Stack(app, 'Shop', { env: ENV });
  const nested = new NestedStack(stack, 'Nested');
  const stage = new Stack(new Stage(app, 'Prod'), 'Shop', { env: ENV });
  const places = { stack, nested, stage };
  // CDK takes no stack without a resource.
  Object.values(places).forEach((one) => new CfnWaitConditionHandle(one, 'Nothing'));
  shape.functions.forEach((fn, number) => make(places[fn.place], `Fn${number}`, fn));
  const other = (priority: number) => Aspects.of(stack).add({
    visit: (node) => {
      if (!CfnFunction.isCfnFunction(node)) return;
      node.addPropertyOverride('Tags', [{ Key: 'seen', Value: 'yes' }]);
      node.environment = { variables: { ...(stack.resolve(node.environment)?.variables ?? {}), OTHER: 'aspect' } };
    },
  }, { priority });
  if (shape.others === 'before') other(100);
  for (const way of ways) {
    if (way === 'all') Backstop.of(app).attachAll(MINIMUM);
    if (way === 'aspect') [app, stage.node.scope!].forEach((scope) => Aspects.of(scope).add(new BackstopAspect(MINIMUM)));
    // From an Aspect of the user's own.
    const isFunction = (node: IConstruct) => CfnFunction.isCfnFunction(node) || SamFunction.isCfnFunction(node);
    const own: IAspect = { visit: (node) => { if (isFunction(node)) Backstop.attach(node, MINIMUM); } };
    if (way === 'own') [app, stage.node.scope!].forEach((scope) => Aspects.of(scope).add(own));
    if (way === 'mixin') Mixins.of(app).apply(new BackstopMixin(MINIMUM));
  }
  if (shape.others === 'after') other(950);
  return Object.fromEntries(Object.entries(places).map(([name, one]) => [name, Template.fromStack(one).toJSON().Resources ?? {}]));
}

const functionsOf = (resources: Record<string, any>): any[] =>
  Object.values(resources).filter((resource) => ['AWS::Lambda::Function', 'AWS::Serverless::Function'].includes(resource.Type));
const listed = (resources: Record<string, any>) => Object.values(resources).flatMap(functionsOf);

test('attaching is complete, keeps what the user has, and is the same however and however often it is done', () => {
  let attached = 0;
  let refused = 0;
  fc.assert(fc.property(anApp, (shape) => {
    const [without, once] = [synthesised(shape, []), synthesised(shape, ['all'])];
    expect(synthesised(shape, shape.ways)).toEqual(once);
    expect(synthesised(shape, [...shape.ways, ...shape.ways])).toEqual(once);

    const [before, after] = [listed(without), listed(once)];
    expect(after).toHaveLength(shape.functions.length);
    after.forEach(({ Properties: now }, number) => {
      const { Properties: was } = before[number];
      const { Layers: layersNow, Environment: environmentNow, Policies: _now, ...othersNow } = now;
      const { Layers: layersBefore, Environment: environmentBefore, Policies: _before, ...othersBefore } = was;
      expect(othersNow).toEqual(othersBefore);
      const [architecture] = was.Architectures ?? ['x86_64'];
      const own = layersBefore ?? [];
      const variables = environmentBefore?.Variables ?? {};
      if (own.length === 5) {
        refused += 1;
        expect(layersNow).toEqual(layersBefore);
        expect(environmentNow?.Variables ?? {}).toEqual(variables);
      } else {
        attached += 1;
        expect(layersNow ?? []).toEqual(was.PackageType === 'Image' ? [] : [...own, arnOf(architecture)]);
        expect(environmentNow.Variables).toEqual({
          BACKSTOP_PRIMARY_URL: 'https://logs.example.com/v1', BACKSTOP_S3_BUCKET: 'my-archive', ...variables,
        });
      }
    });
  }), { numRuns: Number(process.env.BACKSTOP_CDK_CASES ?? 25) });
  // Both ends were seen, or the test has shown less than it says.
  expect(attached).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
}, 300_000);
