/** A token that the function reads: what is in its environment, and what its role may. */
import { Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { functionIn, MINIMUM, propertiesOf, stackOf, warningsOf } from './app';
import { Backstop, BackstopSecret } from '../src';

const url = 'https://logs.example.com/v1';

/** The statements for secrets and keys. */
const statementsOf = (stack: ReturnType<typeof stackOf>) => Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'))
  .flatMap((policy) => policy.Properties.PolicyDocument.Statement as { Action: string }[])
  .filter(({ Action }) => /^(secretsmanager|ssm|kms):/.test(Action));

test('a secret of this stack, with a key of its own', () => {
  const stack = stackOf();
  const secret = new Secret(stack, 'Token', { encryptionKey: new Key(stack, 'Key') });
  Backstop.attach(functionIn(stack), { ...MINIMUM, primary: { url, token: BackstopSecret.readFromSecretsManager(secret, 'api') } });
  const variables = propertiesOf(stack).Environment.Variables;
  const [{ Ref: token }] = variables.BACKSTOP_PRIMARY_TOKEN_SECRET_ARN['Fn::Join'][1];
  expect(variables.BACKSTOP_PRIMARY_TOKEN_SECRET_ARN).toEqual({ 'Fn::Join': ['', [{ Ref: token }, '#api']] });
  const key = variables.BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID;
  expect(variables.BACKSTOP_PRIMARY_TOKEN).toBeUndefined();
  expect(statementsOf(stack)).toEqual([
    { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: { Ref: token } },
    { Effect: 'Allow', Action: 'kms:Decrypt', Resource: key, Condition: { StringLike: { 'kms:ViaService': 'secretsmanager.*' } } },
  ]);
  expect(warningsOf(stack)).toEqual([]);
});

test('a parameter in the header of a backend', () => {
  const stack = stackOf();
  const token = BackstopSecret.readFromParameter(StringParameter.fromSecureStringParameterAttributes(stack, 'Token', { parameterName: '/team/token' }));
  Backstop.attach(functionIn(stack), { ...MINIMUM, primary: { backend: 'honeycomb', backendOptions: { region: 'eu' }, token } });
  const variables = propertiesOf(stack).Environment.Variables;
  expect(JSON.stringify(variables.BACKSTOP_PRIMARY_HEADERS)).toMatch(/x-honeycomb-team=\{\{ssm:arn:.*:parameter\/team\/token\}\}/);
  expect(Object.keys(variables).filter((name) => name.includes('TOKEN'))).toEqual([]);
  expect(statementsOf(stack)).toHaveLength(1);
  expect(warningsOf(stack)).toEqual([]);
});

test('a secret of this stack after the user name of a backend', () => {
  const stack = stackOf();
  const token = BackstopSecret.readFromSecretsManager(new Secret(stack, 'Token'));
  Backstop.attach(functionIn(stack), { ...MINIMUM, primary: { backend: 'grafana-cloud', backendOptions: { zone: 'prod-eu-west-0', instance: '123' }, token } });
  const { BACKSTOP_PRIMARY_TOKEN: { 'Fn::Join': [, [before, { Ref: secret }, after]] } } = propertiesOf(stack).Environment.Variables;
  expect([before, after]).toEqual(['123:{{secret:', '}}']);
  expect(statementsOf(stack)).toEqual([{ Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: { Ref: secret } }]);
});

test('nothing is granted for what is not read', () => {
  const stack = stackOf();
  const environment = { BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER: '/team/token' };
  Backstop.attach(functionIn(stack, 'Orders', { environment }), { ...MINIMUM, primary: undefined });
  expect(statementsOf(stack)).toEqual([]);
});
