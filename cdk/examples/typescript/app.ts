// One function, an archive, and Backstop beside every function of the app.
import { App, Stack } from 'aws-cdk-lib';
import { Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Backstop, BackstopArchive, BackstopLayer, BackstopSecret } from 'backstop-cdk';

const app = new App();
const stack = new Stack(app, 'Shop', { env: { account: '111122223333', region: 'eu-west-1' } });

new Function(stack, 'Orders', {
  runtime: Runtime.NODEJS_22_X,
  handler: 'index.handler',
  code: Code.fromInline('exports.handler = async () => ({ statusCode: 200 })'),
  environment: { TABLE: 'orders' },
});

Backstop.of(app).attachAll({
  layer: BackstopLayer.fromManifest('layers.json'),
  primary: {
    url: 'https://logs.example.com/v1',
    token: BackstopSecret.fromSecretsManager(Secret.fromSecretNameV2(stack, 'Token', 'backstop/token')),
  },
  fallback: { archive: new BackstopArchive(stack, 'Archive') },
  tags: { team: 'payments' },
  include: ['Shop/Orders*'],
});

app.synth();
