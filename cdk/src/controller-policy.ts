/**
 * What the function of a controller may do. The mode takes away: in `report` its role cannot write a function.
 *
 * The statements are those of permissions.json of the Terraform module `controller`, which a test compares.
 */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { IQueue } from 'aws-cdk-lib/aws-sqs';
import { IConstruct } from 'constructs';
import { BackstopControllerMode, BackstopControllerProps, environmentKeysOf, modeOf, prefixOf, readKeysOf, stateKeyOf } from './controller-settings';
import { keyBehind } from './fallback';
import { allow } from './grants';

/** The statements for the function's role. */
export function controllerStatements(scope: IConstruct, props: BackstopControllerProps, log: ILogGroup, queue: IQueue): PolicyStatement[] {
  const stack = Stack.of(scope);
  const lambda = (resource: string, resourceName: string, account?: string) =>
    stack.formatArn({ service: 'lambda', region: '*', account, resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  const functions = lambda('function', '*');
  const { state, wanted, switchParameter, queueKey, secrets = [], assumeRoleArns = [] } = props;
  const below = `${prefixOf(props)}/*`;
  const parameters = [wanted._parameter(), switchParameter].flatMap((parameter) => parameter?.parameterArn ?? []);
  const [isWriting, stateKey] = [modeOf(props) !== BackstopControllerMode.REPORT, stateKeyOf(props)];
  const arnsOf = (...keys: (IKey | undefined)[]) => keys.flatMap((key) => key?.keyArn ?? []);
  const optional = (sid: string, actions: string[], resources: string[], via?: string) =>
    (resources.length > 0 ? [allow(sid, actions, [...new Set(resources)], via === undefined ? undefined : { StringLike: { 'kms:ViaService': [via] } })] : []);
  return [
    allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], [log.logGroupArn]),
    // Without ListTags, GetFunction answers without tags: nobody knows then whose the function is.
    allow('ReadFunctions', ['lambda:GetFunction', 'lambda:ListTags', 'lambda:ListAliases', 'lambda:GetFunctionCodeSigningConfig'], [functions]),
    // None of these names a resource.
    allow('ReadAccount', [
      'lambda:ListFunctions', 'lambda:ListCodeSigningConfigs', 'lambda:ListFunctionsByCodeSigningConfig', 'tag:GetResources', 'account:ListRegions',
    ], ['*']),
    allow('ReadLayers', ['lambda:GetLayerVersion'], [lambda('layer', '*:*', '*')]),
    // A read of a key that is missing has no prefix: with IfExists it is answered with 404, and not with 403.
    allow('ListState', ['s3:ListBucket'], [state.bucket.bucketArn], { StringLikeIfExists: { 's3:prefix': [below] } }),
    allow('State', ['s3:GetObject', 's3:PutObject'], [state.bucket.arnForObjects(below)]),
    allow('Events', ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], [queue.queueArn]),
    ...optional('WriteFunctions', ['lambda:UpdateFunctionConfiguration'], isWriting ? [functions] : []),
    ...optional('ReadWanted', ['s3:GetObject'], wanted._objectArns()),
    ...optional('ReadParameters', ['ssm:GetParameter'], parameters),
    // An ARN ends in six characters, which a name may leave out and a policy may not.
    ...optional('ReadSecrets', ['secretsmanager:GetSecretValue'], secrets.map((secret) => secret.secretFullArn ?? `${secret.secretArn}-??????`)),
    ...optional('EncryptState', ['kms:Decrypt', 'kms:GenerateDataKey'], arnsOf(stateKey)),
    ...optional('Decrypt', ['kms:Decrypt'], arnsOf(...readKeysOf(props))),
    // Lambda uses the permissions of the caller that sets variables under a key of the customer's to make a grant on the key:
    // https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
    ...optional('EncryptEnvironments', ['kms:CreateGrant', 'kms:Encrypt'], isWriting ? arnsOf(...environmentKeysOf(props)) : [], 'lambda.*'),
    // Lambda receives messages for the function with its role.
    ...optional('DecryptEvents', ['kms:Decrypt'], arnsOf(keyBehind(queueKey)), 'sqs.*'),
    ...optional('OtherAccounts', ['sts:AssumeRole'], assumeRoleArns),
  ];
}
