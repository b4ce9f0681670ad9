/** What the tests share: zips that stand in for the layers, and stacks with functions. */
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';
import { App, Environment, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Architecture, Code, Function, FunctionProps, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { BackstopLayer, BackstopProps } from '../src';

export const ENV: Environment = { account: '111122223333', region: 'eu-west-1' };

export const arnOf = (architecture: string, version = 1, region = 'eu-west-1') =>
  `arn:aws:lambda:${region}:111122223333:layer:backstop-extension-${architecture}-0-1-0:${version}`;

export const layer = BackstopLayer.fromArns([arnOf('x86_64'), arnOf('arm64')]);

/** The least that is whole. */
export const MINIMUM: BackstopProps = {
  layer, primary: { url: 'https://logs.example.com/v1' }, fallback: { s3Bucket: 'my-archive' },
};

/** A directory with stand-ins for the zips; each content makes another one. */
export function zips(content = 'one'): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'backstop-cdk-'));
  for (const architecture of ['x86_64', 'arm64']) {
    fs.writeFileSync(path.join(directory, `extension-${architecture}.zip`), `${content} ${architecture}`);
  }
  return directory;
}

/** A stack of an app of its own. */
export const stackOf = (env: Environment | undefined = ENV) => new Stack(new App(), 'Shop', { env });

/** A function. */
export const functionIn = (stack: Construct, id = 'Orders', props: Partial<FunctionProps> = {}) => new Function(stack, id, {
  runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('exports.handler = async () => 1'), architecture: Architecture.X86_64, ...props,
});

/** The only function's properties. */
export function propertiesOf(stack: Stack, type = 'AWS::Lambda::Function'): any {
  const found = Object.values(Template.fromStack(stack).findResources(type));
  expect(found).toHaveLength(1);
  return found[0].Properties;
}

export const errorsOf = (stack: Stack) => Annotations.fromStack(stack).findError('*', Match.anyValue()).map((message) => String(message.entry.data));
export const warningsOf = (stack: Stack) => Annotations.fromStack(stack).findWarning('*', Match.anyValue()).map((message) => String(message.entry.data));

/** What `MINIMUM` comes to. */
export const MERGED = {
  BACKSTOP_PRIMARY_URL: 'https://logs.example.com/v1', BACKSTOP_S3_BUCKET: 'my-archive',
};

/** What a value is at deployment, in the partition `aws` and the account and region of the stack. */
function flat(value: any, resources: Record<string, any>, { account, region }: Stack): string {
  if (typeof value === 'string') return value;
  if (value.Ref === 'AWS::Partition') return 'aws';
  if (value['Fn::Join']) {
    const [glue, parts] = value['Fn::Join'];
    return parts.map((part: any) => flat(part, resources, { account, region } as Stack)).join(glue);
  }
  const { Type, Properties } = resources[value['Fn::GetAtt']?.[0] ?? value.Ref];
  const arn = (service: string, name: string) => `arn:aws:${service}:${region}:${account}:${name}`;
  if (Type === 'AWS::SQS::Queue') return arn('sqs', Properties.QueueName);
  if (Type === 'AWS::Logs::LogGroup') return arn('logs', `log-group:${Properties.LogGroupName}:*`);
  throw new Error(`${JSON.stringify(value)} is of a kind that is not known here: ${Type}`);
}

/** The statements of the policies whose logical ids match, as the Terraform modules write them: what may be a list is one. */
export function statementsOf(stack: Stack, id: RegExp): object[] {
  const { Resources } = Template.fromStack(stack).toJSON();
  const policies = Object.entries<any>(Resources).filter(([name, { Type }]) => Type === 'AWS::IAM::Policy' && id.test(name));
  return policies.flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement).map((statement: any) => ({
    ...statement,
    Action: [statement.Action].flat(),
    Resource: [statement.Resource].flat().map((resource) => flat(resource, Resources, stack)).sort(),
  }));
}
