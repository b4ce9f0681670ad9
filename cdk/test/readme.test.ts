/** Every snippet of the READMEs compiles as it stands, and is synthesised. */
import * as fs from 'fs';
import * as path from 'path';
import { App, Aspects, CustomResource, Duration, Mixins, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { DeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import * as ts from 'typescript';
import { arnOf, ENV, functionIn, layer, MINIMUM, zips } from './app';
import * as library from '../src';

const LIBRARY = path.join(__dirname, '..');
const README = fs.readFileSync(path.join(LIBRARY, 'README.md'), 'utf8');
const OVERVIEW = fs.readFileSync(path.join(LIBRARY, '../README.md'), 'utf8');

const blocksOf = (text: string) => [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
/** Calls that stand in tables and sentences. */
const callsOf = (text: string) => [...text.replace(/^```.*?^```$/gms, '').matchAll(/`((?:new )?(?:Backstop|Aspects|Mixins|archive\.)[^`]*\([^`]*\))`/g)].map(([, code]) => code);

/** What the snippets refer to and do not show. */
const GIVEN = {
  ...library,
  Aspects,
  CustomResource,
  Duration,
  Mixins,
  ScheduleExpression,
  id: 'Given',
  architecture: Architecture.X86_64,
  arn: arnOf('x86_64'),
  prefix: '/backstop/layer',
  parameterPrefix: '/backstop/layer',
  release: '0.1.0',
  url: 'https://logs.example.com/v1',
  image: `otel/opentelemetry-collector-contrib@sha256:${'0'.repeat(64)}`,
  shareWith: { organizationId: 'o-abcde12345' },
  props: MINIMUM,
};
const TYPES = {
  app: 'App',
  stack: 'Stack',
  scope: 'Stack',
  fn: 'Function',
  archive: 'BackstopArchive',
  controller: 'BackstopController',
  grantee: 'Role',
  secret: 'ISecret',
  directory: 'string',
  file: 'string',
  props: 'BackstopProps',
  shareWith: "BackstopLayerProps['shareWith']",
  architecture: 'Architecture',
  bucket: 'IBucket',
  stream: 'IDeliveryStream',
  key: 'IKey',
  code: 'Code',
  cluster: 'ICluster',
  certificate: 'ICertificate',
};

/** An app with functions whose paths are those of the snippets, and what comes of a snippet in it. */
function synthesised(code: string): any[] {
  const app = new App();
  const stack = new Stack(app, 'Shop', { env: ENV });
  const fn = functionIn(stack, 'PaymentsIn');
  functionIn(stack, 'Audit');
  const directory = zips();
  const file = path.join(directory, 'layers.json');
  fs.copyFileSync(path.join(LIBRARY, 'examples/layers.json'), file);
  const archive = /archive\.|BackstopReplay/.test(code) ? new library.BackstopArchive(stack, 'Given archive') : undefined;
  const controller = code.includes('controller.') ? new library.BackstopController(stack, 'Given controller', {
    code: Code.fromBucket(Bucket.fromBucketName(stack, 'Zips', 'artefacts'), 'controller-arm64.zip'),
    wanted: library.BackstopWantedState.fromBucket(Bucket.fromBucketName(stack, 'Wanted', 'config'), 'backstop.toml'),
    state: { bucket: Bucket.fromBucketName(stack, 'Runs', 'state') },
  }) : undefined;
  const cdk = {
    code: Code.fromBucket(Bucket.fromBucketName(stack, 'Artefacts', 'artefacts'), 'replay-function-arm64.zip'),
    bucket: Bucket.fromBucketName(stack, 'Bucket', 'my-archive'),
    stream: DeliveryStream.fromDeliveryStreamArn(stack, 'Stream', `arn:aws:firehose:eu-west-1:${ENV.account}:deliverystream/records`),
    key: Key.fromKeyArn(stack, 'Key', `arn:aws:kms:eu-west-1:${ENV.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`),
  };
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', { vpcId: 'vpc-11111111', availabilityZones: ['eu-west-1a', 'eu-west-1b'], privateSubnetIds: ['subnet-11111111', 'subnet-22222222'] });
  const network = {
    cluster: Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'main', vpc }),
    certificate: Certificate.fromCertificateArn(stack, 'Certificate', `arn:aws:acm:eu-west-1:${ENV.account}:certificate/1234abcd-12ab-34cd-56ef-1234567890ab`),
  };
  const given: Record<string, unknown> = { ...GIVEN, ...cdk, ...network, app, stack, scope: stack, fn, directory, file, archive, controller, grantee: fn.role, secret: Secret.fromSecretNameV2(stack, 'Secret', 'backstop/token') };
  // A manifest is read from the working directory.
  const before = process.cwd();
  process.chdir(directory);
  try {
    const { outputText } = ts.transpileModule(code.replace(/^import .*$/gm, ''), { compilerOptions: { target: ts.ScriptTarget.ES2022 } });
    const result = new globalThis.Function(...Object.keys(given), outputText)(...Object.values(given));
    // A way to a layer, or part of the settings, is used as the rest of the table says.
    if (result && 'layerFor' in result) library.Backstop.of(stack).attachAll({ ...MINIMUM, layer: result });
    else if (result && 'primary' in result) library.Backstop.of(stack).attachAll({ layer, ...result });
    else if (result && 'fallback' in result && !('node' in result)) library.Backstop.of(stack).attachAll({ layer, ...result });
    else if (result && 'fallback' in result) library.Backstop.of(stack).attachAll({ layer, fallback: { archive: result } });
    const assembly = app.synth();
    const messages = assembly.stacks.flatMap((one) => one.messages).filter(({ level }) => level === 'error');
    expect(messages).toEqual([]);
  } finally {
    process.chdir(before);
  }
  return Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function'));
}

/** As code: a part of the settings is an object, a call is what it returns. */
const asCode = (text: string) => (/^\w+: /.test(text) ? `return { ${text} };` : `return ${text.replace('[…]', `['${arnOf('x86_64')}']`)};`);

const BLOCKS = [...blocksOf(README), ...blocksOf(OVERVIEW)].map((code) => (/^\w+: /.test(code) ? asCode(code.trim()) : code));
const CALLS = [...new Set(callsOf(README))].map(asCode);

test('there are snippets, or nothing is shown here', () => {
  expect(BLOCKS.length).toBeGreaterThanOrEqual(4);
  expect(CALLS.length).toBeGreaterThanOrEqual(10);
});

test.each([...BLOCKS, ...CALLS])('%s', (code) => {
  const functions = synthesised(code);
  const attached = functions.filter(({ Properties }) => JSON.stringify(Properties.Environment ?? {}).includes('BACKSTOP_'));
  // But where somebody is granted something, or nothing is attached here.
  expect(attached.length > 0).toBe(!/^(return archive\.grant|new BackstopGateway|new BackstopController|new CustomResource)/.test(code));
});

test('all of them compile', () => {
  const names = Object.keys(library).join(', ');
  const declared = [...Object.entries(GIVEN).filter(([name]) => !(name in library) && !(name in TYPES) && !['Aspects', 'CustomResource', 'Duration', 'Mixins', 'ScheduleExpression'].includes(name)).map(([name]) => [name, 'string']), ...Object.entries(TYPES)]
    .map(([name, type]) => `declare const ${name}: ${type};`).join('\n');
  const source = `
    import { App, Aspects, CustomResource, Duration, Mixins, Stack } from 'aws-cdk-lib';
    import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
    import { ICluster } from 'aws-cdk-lib/aws-ecs';
    import { Role } from 'aws-cdk-lib/aws-iam';
    import { DeliveryStream, IDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
    import { IKey } from 'aws-cdk-lib/aws-kms';
    import { Architecture, Code, Function } from 'aws-cdk-lib/aws-lambda';
    import { IBucket } from 'aws-cdk-lib/aws-s3';
    import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
    import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
    import { ${names}, BackstopProps, BackstopLayerProps } from '../src';
    ${declared}
    ${[...BLOCKS, ...CALLS].map((code) => `(() => {\n${code.replace(/^import .*$/gm, '')}\n})();`).join('\n')}
  `;
  const file = path.join(__dirname, 'readme.generated.ts');
  const options: ts.CompilerOptions = { noEmit: true, strict: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, types: ['node'] };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...others) => (name === file ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true) : read(name, ...others));
  host.fileExists = (name) => name === file || ts.sys.fileExists(name);
  const program = ts.createProgram([file], options, host);
  const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
  expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))).toEqual([]);
}, 120_000);
