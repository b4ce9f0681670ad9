/** What is wrong for many functions is said once, and where it can be put right. */
import { Annotations, App, Aspects, Mixins, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { BucketDeployment, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { AwsCustomResource, AwsCustomResourcePolicy, PhysicalResourceId } from 'aws-cdk-lib/custom-resources';
import { arnOf, ENV, errorsOf, functionIn, layer, MINIMUM, propertiesOf, stackOf, warningsOf } from './app';
import { Backstop, BackstopAspect, BackstopAttachAllProps, BackstopLayer, BackstopMixin, BackstopSecret } from '../src';

/** An app of two stacks with three functions each. */
function appOf(): { app: App; stacks: Stack[] } {
  const app = new App();
  const stacks = ['Shop', 'Audit'].map((id) => new Stack(app, id, { env: ENV }));
  stacks.forEach((stack) => ['Orders', 'Payments', 'Returns'].forEach((id) => functionIn(stack, id)));
  return { app, stacks };
}

const timesIn = (text: string, part: string) => text.split(part).length - 1;

describe('a mistake in the settings', () => {
  const WAYS: [string, (app: App, props: BackstopAttachAllProps) => void][] = [
    ['attachAll', (app, props) => Backstop.of(app).attachAll(props)],
    ['an Aspect', (app, props) => Aspects.of(app).add(new BackstopAspect(props))],
    ['a Mixin', (app, props) => { Mixins.of(app).apply(new BackstopMixin(props)); }],
  ];
  const MISTAKES: [string, BackstopAttachAllProps, string][] = [
    ['plain http', { ...MINIMUM, primary: { url: 'http://logs.example.com' } }, 'is plain http'],
    ['no layer', { ...MINIMUM, layer: undefined }, 'layer is not set'],
    ['nowhere to deliver', { layer }, 'Neither primary nor fallback'],
    ['S3 options without a bucket', { ...MINIMUM, fallback: { s3Prefix: 'x' } }, 'sets S3 options but no bucket'],
  ];
  test.each(WAYS.flatMap(([way, attach]) => MISTAKES.map(([what, props, message]) => [way, what, attach, props, message] as const)))('of %s, %s, is one error of the app', (_way, _what, attach, props, message) => {
    const { app, stacks } = appOf();
    attach(app, props);
    let text = '';
    try {
      app.synth();
    } catch (error) {
      text = String(error);
    }
    expect(timesIn(text, message)).toBe(1);
    expect(text).toContain('These settings attach Backstop to no function.');
    for (const stack of stacks) expect(stack.node.findAll().flatMap(({ node }) => node.metadata).filter(({ type }) => type === 'aws:cdk:error')).toEqual([]);
  });

  test('two calls with the same mistake say it each for itself', () => {
    const { app, stacks } = appOf();
    stacks.forEach((stack) => Backstop.of(stack).attachAll({ ...MINIMUM, tags: { '': 'x' } }));
    let text = '';
    try {
      app.synth();
    } catch (error) {
      text = String(error);
    }
    expect(timesIn(text, 'tags has a key')).toBe(2);
  });

  test('that no function is left with is none', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack), MINIMUM);
    Backstop.of(stack).attachAll({ ...MINIMUM, primary: { url: 'http://logs.example.com' } });
    expect(propertiesOf(stack).Layers).toEqual([arnOf('x86_64')]);
    expect(errorsOf(stack)).toEqual([]);
  });

  test('of one function alone is its own', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack), { ...MINIMUM, layer: undefined });
    expect(errorsOf(stack)).toEqual([expect.stringMatching(/^Backstop is not attached to Shop\/Orders\/Resource\. layer is not set/)]);
  });
});

describe('what a stack has in common', () => {
  test('a layer that its region lacks is one error of each stack, and nothing is attached', () => {
    const { app, stacks } = appOf();
    Backstop.of(app).attachAll({ ...MINIMUM, layer: BackstopLayer.fromArns([arnOf('x86_64', 1, 'us-east-1')]) });
    for (const stack of stacks) {
      expect(errorsOf(stack)).toEqual([expect.stringContaining('only in us-east-1')]);
      expect(JSON.stringify(Template.fromStack(stack))).not.toContain('BACKSTOP_');
    }
  });

  test('a problem of one function is said beside it', () => {
    const stack = stackOf();
    functionIn(stack, 'Orders');
    functionIn(stack, 'Payments', { environment: { OWN: 'x'.repeat(4096) } });
    functionIn(stack, 'Returns', { environment: { OWN: 'x'.repeat(4096) } });
    Backstop.of(stack).attachAll(MINIMUM);
    expect(errorsOf(stack).map((error) => error.split('.')[0])).toEqual(['Payments', 'Returns'].map((id) => `Backstop is not attached to Shop/${id}/Resource`));
  });

  test('warnings that come of the settings alone are one of each stack', () => {
    const { app, stacks } = appOf();
    Backstop.of(app).attachAll({ layer, primary: { url: 'https://logs.example.com', token: BackstopSecret.unsafePlainText('t0ken') } });
    for (const stack of stacks) {
      expect(warningsOf(stack).sort()).toEqual([expect.stringContaining("holds the primary's token"), expect.stringContaining('There is no fallback')]);
    }
  });
});

test('a warning of the stack is acknowledged at the stack', () => {
  const { app, stacks: [shop, audit] } = appOf();
  Annotations.of(shop).acknowledgeWarning('backstop-cdk:noFallback');
  Backstop.of(app).attachAll({ layer, primary: { url: 'https://logs.example.com' } });
  expect(warningsOf(shop)).toEqual([]);
  expect(warningsOf(audit)).toEqual([expect.stringContaining('There is no fallback')]);
});

describe("functions of CDK's own, of another architecture", () => {
  const OWN: [string, Architecture, (stack: Stack) => void][] = [
    ['a BucketDeployment', Architecture.X86_64, (stack) => new BucketDeployment(stack, 'Deploy', { sources: [Source.data('index.html', 'x')], destinationBucket: new Bucket(stack, 'Site') })],
    ['an AwsCustomResource', Architecture.ARM_64, (stack) => new AwsCustomResource(stack, 'Call', {
      policy: AwsCustomResourcePolicy.fromSdkCalls({ resources: ['*'] }), onCreate: { service: 's3', action: 'ListBuckets', physicalResourceId: PhysicalResourceId.of('x') },
    })],
  ];
  test.each(OWN)('%s is named with the exclude that leaves it out, which does', (_what, architecture, make) => {
    const build = (exclude?: string[]) => {
      const stack = stackOf();
      functionIn(stack, 'Orders', { architecture });
      make(stack);
      Backstop.of(stack).attachAll({ ...MINIMUM, layer: BackstopLayer.fromArn(arnOf(architecture.name), architecture), exclude });
      return errorsOf(stack);
    };
    const [error, ...others] = build();
    expect(others).toEqual([]);
    const exclude = /add exclude: \['([^']+)'\]/.exec(error)![1];
    expect(exclude).toMatch(/^Shop\/[^*]+$/);
    expect(build([exclude])).toEqual([]);
  });
});
