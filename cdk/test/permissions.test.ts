/** What a role is given is what `crates/archive/permissions.json` says, as everywhere else in this repository. */
import * as fs from 'fs';
import * as path from 'path';
import { Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { ENV, functionIn, layer, stackOf } from './app';
import { Backstop, BackstopFallback, BackstopPrimary, BackstopSecret, BackstopSink } from '../src';

interface Case {
  readonly case: string;
  readonly environment: Record<string, string>;
  readonly statements: object[];
}

const FILE: { account: string; region: string; cases: Case[] } =
  JSON.parse(fs.readFileSync(path.join(__dirname, '..', '..', 'crates', 'archive', 'permissions.json'), 'utf8'));

const KEY_BEHIND = 'arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000';
const primary = { url: 'https://logs.example.com/v1' };

/** The same fallback by properties. */
function fallbackOf(environment: Record<string, string>): BackstopFallback {
  const { BACKSTOP_FALLBACK: order } = environment;
  return {
    order: order?.split(',') as BackstopSink[] | undefined,
    firehoseStream: environment.BACKSTOP_FIREHOSE_STREAM,
    s3Bucket: environment.BACKSTOP_S3_BUCKET,
    s3Prefix: environment.BACKSTOP_S3_PREFIX,
    s3Region: environment.BACKSTOP_S3_REGION,
    s3KmsKeyId: environment.BACKSTOP_S3_KMS_KEY_ID,
    // An alias is refused without the key behind it.
    kmsKeyArns: environment.BACKSTOP_S3_KMS_KEY_ID?.startsWith('alias/') ? [KEY_BEHIND] : undefined,
  };
}

/** The same token and headers by properties. */
function primaryOf(scope: Construct, environment: Record<string, string>): BackstopPrimary {
  const { BACKSTOP_PRIMARY_TOKEN_SECRET_ARN: arn, BACKSTOP_PRIMARY_TOKEN_KMS: ciphertext } = environment;
  const parameter = environment.BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER;
  const id = environment.BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID;
  const keyArn = id?.startsWith('arn:') ? id : `arn:aws:kms:eu-west-1:111122223333:key/${id}`;
  const key = id === undefined ? undefined : Key.fromKeyArn(scope, 'Key', keyArn);
  const secret = (text: string) => {
    const [secretArn, field] = text.split('#');
    const isWhole = /-[A-Za-z0-9]{6}$/.test(secretArn);
    const which = isWhole ? { secretCompleteArn: secretArn } : { secretPartialArn: secretArn };
    return BackstopSecret.readFromSecretsManager(Secret.fromSecretAttributes(scope, `Secret${text}`, { ...which, encryptionKey: key }), field);
  };
  const stored = (text: string) => BackstopSecret.readFromParameter(text.startsWith('arn:')
    ? StringParameter.fromStringParameterArn(stackOf({ ...ENV, region: text.split(':')[3] }), 'Parameter', text)
    : StringParameter.fromSecureStringParameterAttributes(scope, `Parameter${text}`, { parameterName: text }), key);
  const headers = (environment.BACKSTOP_PRIMARY_HEADERS ?? '').split(',').filter((pair) => pair !== '').map((pair): [string, BackstopSecret] => {
    const [, name, scheme, text] = /^([^=]+)=\{\{(secret|ssm):(.+)\}\}$/.exec(pair)!;
    return [name, scheme === 'secret' ? secret(text) : stored(text)];
  });
  return {
    ...primary,
    token: arn ? secret(arn) : parameter ? stored(parameter) : ciphertext ? BackstopSecret.readFromKms(ciphertext, key!) : undefined,
    headers: headers.length > 0 ? Object.fromEntries(headers) : undefined,
  };
}

/** An ARN without CloudFormation's functions, for the partition `aws`. */
function flat(value: any): string {
  if (typeof value === 'string') return value;
  if (value.Ref === 'AWS::Partition') return 'aws';
  const [glue, parts] = value['Fn::Join'];
  return parts.map(flat).join(glue);
}

function granted(props: { fallback?: BackstopFallback; settings?: Record<string, string>; environment?: Record<string, string> }) {
  const stack = stackOf();
  const { environment, fallback, settings } = props;
  Backstop.attach(functionIn(stack, 'Orders', { environment }), {
    layer, primary: settings ? primaryOf(stack, settings) : primary, fallback, transforms: { configFile: settings?.BACKSTOP_CONFIG },
  });
  const policies = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  const statements = policies.filter(([id]) => id.startsWith('BackstopPolicy')).flatMap(([, policy]) => policy.Properties.PolicyDocument.Statement);
  return statements.map((statement: any) => ({ ...statement, Resource: flat(statement.Resource) })).filter(({ Resource }) => Resource !== KEY_BEHIND);
}

test('the file is about the account and region of these tests', () => {
  expect({ account: FILE.account, region: FILE.region }).toEqual(ENV);
  expect(FILE.cases.length).toBeGreaterThan(5);
});

test.each(FILE.cases.map((each): [string, Case] => [each.case, each]))('%s: by properties, and by the function\'s own variables', (_name, { environment, statements }) => {
  expect(granted({ fallback: fallbackOf(environment), settings: environment })).toEqual(statements);
  expect(granted({ environment })).toEqual(statements);
});
