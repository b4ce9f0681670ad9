// An archive and what replays it without anybody: the probe, the queue, and the alarms. `replay-function-arm64.zip` is of
// the release.
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { BackstopArchive, BackstopReplay, BackstopSecret } from 'backstop-cdk';

const app = new App();
const stack = new Stack(app, 'Replay');

const archive = new BackstopArchive(stack, 'Archive');
const token = StringParameter.fromSecureStringParameterAttributes(stack, 'Token', { parameterName: '/backstop/token' });

const replay = new BackstopReplay(stack, 'Replay', {
  code: Code.fromAsset(app.node.tryGetContext('package') ?? 'replay-function-arm64.zip'),
  archive,
  primary: { url: 'https://logs.example.com/v1', token: BackstopSecret.readFromParameter(token) },
  functions: 4,
  rate: '5000',
  schedule: { maxObjects: 50_000 },
  alarms: { stopAtDeadLetters: 100 },
  distributedMap: {},
});

new CfnOutput(stack, 'Queue', { value: replay.queue.queueUrl });
new CfnOutput(stack, 'ReplayFrom', { value: archive.replayFrom });

app.synth();
