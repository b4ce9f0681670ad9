import * as fs from 'fs';
import * as path from 'path';
import { App, Aws, Fn, NestedStack, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Alias, Architecture } from 'aws-cdk-lib/aws-lambda';
import { arnOf, ENV, functionIn, MINIMUM, stackOf, zips } from './app';
import { Backstop, BackstopLayer, BackstopLayerProps, IBackstopLayer } from '../src';

const layersOf = (stack: Stack) => Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function')).map((fn) => fn.Properties.Layers);
const errorsOf = (stack: Stack) => Annotations.fromStack(stack).findError('*', Match.anyValue()).map((message) => String(message.entry.data));
const attachAll = (stack: Stack, layer: IBackstopLayer) => Backstop.of(stack).attachAll({ ...MINIMUM, layer });

describe('BackstopLayer', () => {
  test('publishes both architectures under the names of the command line, and keeps versions', () => {
    const stack = stackOf();
    new BackstopLayer(stack, 'Layer', { directory: zips(), release: '1.2.3', shareWith: { organizationId: 'o-abcde12345', accounts: ['444455556666'] }, parameterPrefix: 'backstop/layer' });
    const template = Template.fromStack(stack);
    for (const architecture of ['x86_64', 'arm64']) {
      template.hasResource('AWS::Lambda::LayerVersion', {
        Properties: { LayerName: `backstop-extension-${architecture}-1-2-3`, CompatibleArchitectures: [architecture], LicenseInfo: 'Apache-2.0' },
        DeletionPolicy: 'Retain',
        UpdateReplacePolicy: 'Retain',
      });
      template.hasResourceProperties('AWS::SSM::Parameter', { Name: `/backstop/layer/1.2.3/${architecture}` });
    }
    template.resourceCountIs('AWS::Lambda::LayerVersionPermission', 4);
    template.allResources('AWS::Lambda::LayerVersionPermission', { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    template.hasResourceProperties('AWS::Lambda::LayerVersionPermission', { Principal: '*', OrganizationId: 'o-abcde12345' });
    template.hasResourceProperties('AWS::Lambda::LayerVersionPermission', { Principal: '444455556666' });
  });

  test('does not keep what it is told not to', () => {
    const stack = stackOf();
    new BackstopLayer(stack, 'Layer', { directory: zips(), retain: false });
    Template.fromStack(stack).allResources('AWS::Lambda::LayerVersion', { DeletionPolicy: 'Delete' });
  });

  test('serves its own stack and nested ones', () => {
    const stack = stackOf();
    const layer = new BackstopLayer(stack, 'Layer', { directory: zips() });
    const nested = new NestedStack(stack, 'Nested');
    functionIn(nested);
    attachAll(stack, layer);
    expect(layersOf(nested)[0]).toEqual([{ Ref: expect.stringContaining('Layerx8664') }]);
    expect(layer.versionFor(Architecture.ARM_64)?.layerName).toBe('backstop-extension-arm64-0-1-0');
  });

  test('is refused to another stack, where a reference could not be updated', () => {
    const app = new App();
    const layer = new BackstopLayer(new Stack(app, 'Platform', { env: ENV }), 'Layer', { directory: zips() });
    const stack = new Stack(app, 'Shop', { env: ENV });
    functionIn(stack);
    attachAll(stack, layer);
    expect(errorsOf(stack)).toEqual([expect.stringContaining('The stack Platform publishes the layer')]);
    expect(layersOf(stack)).toEqual([undefined]);
  });

  test('reaches another stack by its parameter', () => {
    const stack = stackOf();
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromParameters('/backstop/layer', '1.2.3'));
    expect(layersOf(stack)).toEqual([['{{resolve:ssm:/backstop/layer/1.2.3/x86_64}}']]);
  });

  test.each<[Partial<BackstopLayerProps>, string]>([
    [{ release: 'latest' }, 'release is not a version'],
    [{ shareWith: { accounts: ['1234'] } }, 'the id of an account'],
    [{ shareWith: { organizationId: 'o-1' } }, 'organizationId is not the id of an organization'],
    [{ parameterPrefix: '/' }, 'parameterPrefix is invalid'],
    [{ parameterPrefix: '/aws/backstop' }, 'no name that begins with aws'],
  ])('with %j is refused', (props, message) => {
    const stack = stackOf();
    new BackstopLayer(stack, 'Layer', { directory: zips(), ...props });
    expect(() => Template.fromStack(stack)).toThrow(message);
    const other = stackOf();
    functionIn(other);
    attachAll(other, BackstopLayer.fromZips({ directory: zips(), ...props }));
    expect(errorsOf(other)).toEqual([expect.stringContaining(message)]);
  });

  test('is shared with an account once, also where it is a token', () => {
    const stack = stackOf();
    new BackstopLayer(stack, 'Layer', { directory: zips(), shareWith: { accounts: ['444455556666', '444455556666', Aws.ACCOUNT_ID] } });
    Template.fromStack(stack).resourceCountIs('AWS::Lambda::LayerVersionPermission', 4);
  });

  test('without a zip it says so', () => {
    const stack = stackOf();
    new BackstopLayer(stack, 'Layer', { directory: 'nowhere' });
    expect(() => Template.fromStack(stack)).toThrow('no extension-x86_64.zip in nowhere');
  });
});

describe('a list of ARNs', () => {
  test.each<[IBackstopLayer, string]>([
    [BackstopLayer.fromArns(['arn:aws:lambda:eu-west-1:111122223333:layer:mine:1']), 'does not say which architecture'],
    [BackstopLayer.fromArns(['arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-x86_64-0-1-0']), 'is not the ARN of a layer version'],
    [BackstopLayer.fromArn('hello', Architecture.X86_64), 'is not the ARN of a layer version'],
    [BackstopLayer.fromArn(arnOf('arm64'), Architecture.X86_64), 'is for arm64 by its name'],
    [BackstopLayer.fromParameters('', '1.2.3'), 'parameterPrefix is invalid'],
  ])('%# that cannot be right is an error', (layer, message) => {
    const stack = stackOf();
    functionIn(stack);
    attachAll(stack, layer);
    expect(errorsOf(stack)).toEqual([expect.stringContaining(message)]);
  });

  test('holds an ARN that is known later', () => {
    const stack = stackOf();
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromArn(Fn.importValue('Layer'), Architecture.X86_64));
    expect(layersOf(stack)).toEqual([[{ 'Fn::ImportValue': 'Layer' }]]);
  });
});

describe('zips', () => {
  test('are published once in each stack that needs them, for the architectures that it needs', () => {
    const app = new App();
    const layer = BackstopLayer.fromZips({ directory: zips() });
    const stacks = ['eu-west-1', 'us-east-1'].map((region) => new Stack(app, `Shop-${region}`, { env: { ...ENV, region } }));
    functionIn(stacks[0], 'Orders');
    functionIn(stacks[0], 'Payments');
    functionIn(stacks[1], 'Orders', { architecture: Architecture.ARM_64 });
    Backstop.of(app).attachAll({ ...MINIMUM, layer });
    const published = stacks.map((stack) => Object.values(Template.fromStack(stack).findResources('AWS::Lambda::LayerVersion')).map((version) => version.Properties.CompatibleArchitectures));
    expect(published).toEqual([[['x86_64']], [['arm64']]]);
  });

  test('from two places in one stack are refused', () => {
    const stack = stackOf();
    Backstop.attach(functionIn(stack), { ...MINIMUM, layer: BackstopLayer.fromZips({ directory: zips() }) });
    Backstop.attach(functionIn(stack, 'Payments'), { ...MINIMUM, layer: BackstopLayer.fromZips({ directory: zips('two') }) });
    expect(errorsOf(stack)).toEqual([expect.stringContaining('Shop/Payments/Resource. The stack Shop publishes the release 0.1.0')]);
  });

  test('write no parameter, which two stacks would', () => {
    const stack = stackOf();
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromZips({ directory: zips(), parameterPrefix: '/backstop' }));
    expect(errorsOf(stack)).toEqual([expect.stringContaining('use parameterPrefix with new BackstopLayer')]);
  });

  test('with another content publish the version of a function anew', () => {
    const versions = ['one', 'one', 'two'].map((content) => {
      const stack = stackOf();
      const fn = functionIn(stack);
      new Alias(stack, 'Live', { aliasName: 'live', version: fn.currentVersion });
      attachAll(stack, BackstopLayer.fromZips({ directory: zips(content) }));
      return Object.keys(Template.fromStack(stack).findResources('AWS::Lambda::Version'))[0];
    });
    expect(versions[1]).toEqual(versions[0]);
    expect(versions[2]).not.toEqual(versions[0]);
  });
});

describe("the command line's manifest", () => {
  const entry = (architecture: string, region: string) => ({ arn: arnOf(architecture, 3, region), version: 3, sha256: 'e2be' });
  const layers = {
    111122223333: { 'eu-west-1': { x86_64: entry('x86_64', 'eu-west-1'), arm64: entry('arm64', 'eu-west-1') }, 'us-east-1': { x86_64: entry('x86_64', 'us-east-1') } },
  };
  const written = (content: object) => {
    const file = path.join(zips(), 'layers.json');
    fs.writeFileSync(file, JSON.stringify(content));
    return file;
  };
  const manifest = written({ schemaVersion: 1, release: '0.1.0', layers });

  test.each([['JSON', manifest], ['a .tfvars.json', written({ backstop_layers: layers })]])('is read as %s', (_form, file) => {
    const stack = stackOf({ ...ENV, region: 'us-east-1' });
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromManifest(file));
    expect(layersOf(stack)).toEqual([[arnOf('x86_64', 3, 'us-east-1')]]);
  });

  test('a region that it lacks is an error that names it', () => {
    const stack = stackOf({ ...ENV, region: 'ap-south-1' });
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromManifest(manifest));
    expect(errorsOf(stack)).toEqual([expect.stringContaining('publish it there with `backstop layer publish --regions ap-south-1`')]);
  });

  test('an architecture that it lacks in a region is an error', () => {
    const stack = stackOf({ ...ENV, region: 'us-east-1' });
    functionIn(stack, 'Orders', { architecture: Architecture.ARM_64 });
    attachAll(stack, BackstopLayer.fromManifest(manifest));
    expect(errorsOf(stack)).toEqual([expect.stringContaining('no layer for arm64 in us-east-1, only in eu-west-1')]);
  });

  test('in a stack without an env CloudFormation chooses the region', () => {
    const stack = new Stack(new App(), 'Shop');
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromManifest(manifest));
    const [[{ 'Fn::FindInMap': [id, ...keys] }]] = layersOf(stack);
    expect(keys).toEqual([{ Ref: 'AWS::Region' }, 'arn']);
    expect(Template.fromStack(stack).findMappings(id)).toEqual({
      [id]: { 'eu-west-1': { arn: arnOf('x86_64', 3) }, 'us-east-1': { arn: arnOf('x86_64', 3, 'us-east-1') } },
    });
  });

  test('has a mapping of its own, which is another one for another manifest', () => {
    const stack = new Stack(new App(), 'Shop');
    const newer = written({ layers: { 111122223333: { 'eu-west-1': { x86_64: { arn: arnOf('x86_64', 4) } } } } });
    [manifest, newer].forEach((file, number) => Backstop.attach(functionIn(stack, `Fn${number}`), { ...MINIMUM, layer: BackstopLayer.fromManifest(file) }));
    const ids = layersOf(stack).map(([layer]) => layer['Fn::FindInMap'][0]);
    expect(new Set(ids).size).toBe(2);
    expect(JSON.stringify(Template.fromStack(stack).findMappings(ids[1]))).toContain(arnOf('x86_64', 4));
  });

  test.each<[string, string]>([
    ['{"layers":', 'cannot be read'],
    ['[]', 'is not a manifest of this version'],
    ['{"schemaVersion":2,"layers":{}}', 'is not a manifest of this version'],
    ['{"layers":{"111122223333":null}}', 'of that region at 111122223333:'],
    ['{"layers":{"111122223333":{"eu-west-1":null}}}', 'of that region at 111122223333.eu-west-1:'],
    ['{"layers":{"111122223333":{"eu-west-1":{"x86_64":"arn"}}}}', 'of that region at 111122223333.eu-west-1.x86_64:'],
    ['{"layers":{"111122223333":{"eu-west-1":{"x86_64":{"arn":5}}}}}', 'of that region at'],
    [`{"layers":{"111122223333":{"eu-west-1":{"x86_64":{"arn":"${arnOf('x86_64', 3, 'us-east-1')}"}}}}}`, 'of that region at'],
  ])('that is %s is an error at the function that says what to do', (content, message) => {
    const file = path.join(zips(), 'layers.json');
    fs.writeFileSync(file, content);
    const stack = stackOf();
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromManifest(file));
    expect(errorsOf(stack)).toEqual([expect.stringMatching(`${message}.*backstop layer publish --manifest`)]);
  });

  test('that is not there is an error at the function too', () => {
    const stack = stackOf();
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromManifest('nowhere.json'));
    expect(errorsOf(stack)).toEqual([expect.stringContaining('nowhere.json cannot be read (ENOENT')]);
  });

  test('of several accounts the one that is named has published', () => {
    const two = written({ layers: { ...layers, 999922223333: layers[111122223333] } });
    const stack = stackOf({ account: '444455556666', region: 'eu-west-1' });
    functionIn(stack);
    attachAll(stack, BackstopLayer.fromManifest(two));
    expect(errorsOf(stack)).toEqual([expect.stringContaining('set `account`')]);
    const other = stackOf({ account: '444455556666', region: 'eu-west-1' });
    functionIn(other);
    attachAll(other, BackstopLayer.fromManifest(two, { account: '111122223333' }));
    expect(layersOf(other)).toEqual([[arnOf('x86_64', 3)]]);
  });
});
