// How long `cdk synth` takes for an app of 200 functions, as ratios: with Backstop to the same app without,
// and to the same template written by hand, whose grants and variables CDK has to work on just so.
// `node scripts/synth-ratio.js [ROUNDS]`, after `npx jsii`. Prints one line of JSON.
const { spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const FUNCTIONS = 200;
const PER_STACK = 100;
const KINDS = ['plain', 'byHand', 'attached'];

/** The app; synthesised in a process of its own, as the command does. */
function app(kind) {
  const { App, Stack } = require('aws-cdk-lib');
  const { PolicyStatement } = require('aws-cdk-lib/aws-iam');
  const { Code, Function, LayerVersion, Runtime } = require('aws-cdk-lib/aws-lambda');
  const { Backstop, BackstopLayer } = require('../lib');
  const arn = 'arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-x86_64-0-1-0:1';
  const url = 'https://logs.example.com/v1';
  const root = new App({ analyticsReporting: false });
  let stack;
  let layer;
  for (let number = 0; number < FUNCTIONS; number += 1) {
    if (number % PER_STACK === 0) {
      stack = new Stack(root, `Stack${number}`, { env: { account: '111122223333', region: 'eu-west-1' } });
      layer = LayerVersion.fromLayerVersionArn(stack, 'Layer', arn);
    }
    const byHand = kind === 'byHand' ? { BACKSTOP_PRIMARY_URL: url, BACKSTOP_S3_BUCKET: 'my-archive' } : {};
    const fn = new Function(stack, `Fn${number}`, {
      runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('x'), environment: { TABLE: 'orders', ...byHand },
      layers: kind === 'byHand' ? [layer] : [],
    });
    if (kind === 'byHand') {
      fn.addToRolePolicy(new PolicyStatement({ actions: ['s3:PutObject'], resources: [`arn:${stack.partition}:s3:::my-archive/backstop/v1/*`] }));
    }
  }
  if (kind === 'attached') {
    Backstop.of(root).attachAll({ layer: BackstopLayer.fromArns([arn]), primary: { url }, fallback: { s3Bucket: 'my-archive' } });
  }
  root.synth();
}

/** The time of one `cdk synth`. */
function milliseconds(kind, directory) {
  const start = process.hrtime.bigint();
  const cli = path.join(__dirname, '..', 'node_modules', 'aws-cdk', 'bin', 'cdk');
  const done = spawnSync(process.execPath, [cli, 'synth', '--quiet', '--output', path.join(directory, kind), '--app', `"${process.execPath}" "${__filename}" app ${kind}`], {
    cwd: directory, encoding: 'utf8', env: { ...process.env, CDK_DISABLE_VERSION_CHECK: '1' },
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return Number(process.hrtime.bigint() - start) / 1e6;
}

const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

function main(rounds) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'backstop-cdk-'));
  // In turns, so that a busy machine weighs on all.
  const times = Array.from({ length: rounds }, () => KINDS.map((kind) => milliseconds(kind, directory)));
  const [plain, byHand, attached] = KINDS.map((_, which) => median(times.map((one) => one[which])));
  fs.rmSync(directory, { recursive: true });
  const ratio = (other) => Number((attached / other).toFixed(3));
  console.log(JSON.stringify({
    functions: FUNCTIONS, rounds, plainMs: Math.round(plain), byHandMs: Math.round(byHand), attachedMs: Math.round(attached), ratio: ratio(plain), ratioToByHand: ratio(byHand),
  }));
}

if (process.argv[2] === 'app') app(process.argv[3]);
else main(Number(process.argv[2] ?? 5));
