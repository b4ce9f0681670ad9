// Everything in one stack: the layer, from the zips of a release in `dist`, the archive, and a function.
import { App, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Backstop, BackstopArchive, BackstopLayer } from 'backstop-cdk';

const app = new App();
const stack = new Stack(app, 'Quickstart');

const fn = new Function(stack, 'Hello', {
  runtime: Runtime.NODEJS_22_X,
  handler: 'index.handler',
  code: Code.fromInline('exports.handler = async () => { console.log("hello"); }'),
});
// For a first look: the bucket goes with the stack, unless it holds records; then `autoDeleteObjects` is for them.
const archive = new BackstopArchive(stack, 'Archive', { removalPolicy: RemovalPolicy.DESTROY });

Backstop.of(app).attachAll({
  layer: BackstopLayer.fromZips({ directory: app.node.tryGetContext('dist') ?? 'dist' }),
  primary: { url: 'https://logs.example.com/v1' },
  fallback: { archive },
});

new CfnOutput(stack, 'Function', { value: fn.functionName });
new CfnOutput(stack, 'ReplayFrom', { value: archive.replayFrom });

app.synth();
