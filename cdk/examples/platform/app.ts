// A platform team publishes the layer for its organisation and keeps the archive. Every other app of the account takes both
// by name: `BackstopLayer.fromParameters('/backstop/layer')` and `BackstopArchive.fromArchiveAttributes`.
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { BackstopArchive, BackstopLayer } from 'backstop-cdk';

const app = new App();
const stack = new Stack(app, 'Platform', { env: { account: '111122223333', region: 'eu-west-1' } });

new BackstopLayer(stack, 'Layer', {
  directory: app.node.tryGetContext('dist') ?? 'dist',
  shareWith: { organizationId: 'o-abcde12345' },
  parameterPrefix: '/backstop/layer',
});

const key = new Key(stack, 'Key', { enableKeyRotation: true });
// The topic of the alarms is under the same key.
key.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'));
const archive = new BackstopArchive(stack, 'Archive', {
  streamName: 'backstop',
  encryptionKey: key,
  versioned: true,
  alarms: { actions: [new SnsAction(new Topic(stack, 'Alarms', { masterKey: key }))], directWrites: true },
  tables: { firstDay: '2026-11-01', accounts: ['111122223333', '444455556666'] },
});

new CfnOutput(stack, 'Bucket', { value: archive.bucket.bucketName });
new CfnOutput(stack, 'Stream', { value: archive.streamArn! });
new CfnOutput(stack, 'KeyArn', { value: key.keyArn });
new CfnOutput(stack, 'ReplayFrom', { value: archive.replayFrom });

app.synth();
