/**
 * The second engine of a replay: a Distributed Map of Step Functions over the archive's prefix.
 *
 * The definition is that of the Terraform module `replay`, which a test compares.
 */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { IPrincipal, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { IBackstopArchive } from './fallback';
import { acknowledgeStars } from './grants';

/** A state machine that replays the archive's prefix. The bucket must be in the function's region and account. */
export interface BackstopDistributedMap {
  /**
   * The most invocations at the same time, 1 to 10000.
   * @default 10
   */
  readonly functions?: number;
  /**
   * Objects of one invocation, 1 to 1000.
   * @default 100
   */
  readonly batchObjects?: number;
  /**
   * Objects that may fail before the execution does, in percent.
   * @default 1
   */
  readonly toleratedFailurePercentage?: number;
}

/** A service that acts for this account, and for no other one. */
export function ofThisAccount(scope: Construct, service: string): IPrincipal {
  return new ServicePrincipal(service, { conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } } });
}

/** What the state machine needs. */
export interface ReplayMapProps {
  readonly name: string;
  readonly fn: IFunction;
  readonly archive: IBackstopArchive;
  readonly options: BackstopDistributedMap;
}

/** The state machine and its role. */
export class ReplayMap extends Construct {
  public readonly machine: CfnStateMachine;

  constructor(scope: Construct, id: string, props: ReplayMapProps) {
    super(scope, id);
    const role = new Role(this, 'Role', { assumedBy: ofThisAccount(this, 'states.amazonaws.com') });
    const statements = statementsOf(this, props);
    const policy = new Policy(this, 'Policy', { statements });
    policy.attachToRole(role);
    acknowledgeStars(policy, statements);
    this.machine = new CfnStateMachine(this, 'Machine', {
      stateMachineName: props.name, stateMachineType: 'STANDARD', roleArn: role.roleArn, definition: definitionOf(this, props),
    });
    this.machine.node.addDependency(policy);
  }
}

function statementsOf(scope: Construct, { name, fn, archive }: ReplayMapProps): PolicyStatement[] {
  const stack = Stack.of(scope);
  const { s3Bucket, s3Prefix, kmsKeyArns } = archive.fallback;
  const bucket = stack.formatArn({ service: 's3', account: '', region: '', resource: s3Bucket!, arnFormat: ArnFormat.NO_RESOURCE_NAME });
  const states = (resource: string, resourceName: string) =>
    stack.formatArn({ service: 'states', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  const allow = (actions: string[], resources: string[], conditions?: Record<string, unknown>) =>
    new PolicyStatement({ actions, resources, conditions });
  return [
    allow(['s3:ListBucket'], [bucket], { StringLike: { 's3:prefix': [`${s3Prefix}/v1/*`] } }),
    allow(['s3:PutObject', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:AbortMultipartUpload'], [`${bucket}/${s3Prefix}/replay/map-runs/*`]),
    allow(['lambda:InvokeFunction'], [fn.functionArn]),
    allow(['states:StartExecution'], [states('stateMachine', name)]),
    allow(['states:DescribeExecution', 'states:StopExecution', 'states:RedriveExecution'], [`${states('execution', name)}/*`]),
    ...(kmsKeyArns?.length ? [allow(['kms:Decrypt', 'kms:GenerateDataKey'], kmsKeyArns, { StringLike: { 'kms:ViaService': 's3.*' } })] : []),
  ];
}

function definitionOf(scope: Construct, { fn, archive, options }: ReplayMapProps): object {
  const { partition } = Stack.of(scope);
  const { s3Bucket, s3Prefix } = archive.fallback;
  return {
    Comment: 'Replays the objects below a prefix of the archive. Input: {} for all of it, or {"prefix": "…"}.',
    StartAt: 'Which',
    States: {
      Which: { Type: 'Choice', Choices: [{ Variable: '$.prefix', IsPresent: true, Next: 'Replay' }], Default: 'All' },
      All: { Type: 'Pass', Result: { prefix: `${s3Prefix}/v1/` }, Next: 'Replay' },
      Replay: {
        Type: 'Map',
        MaxConcurrency: options.functions ?? 10,
        ToleratedFailurePercentage: options.toleratedFailurePercentage ?? 1,
        ItemReader: { Resource: `arn:${partition}:states:::s3:listObjectsV2`, Parameters: { 'Bucket': s3Bucket, 'Prefix.$': '$.prefix' } },
        // An input has room for 256 KiB.
        ItemBatcher: { MaxItemsPerBatch: options.batchObjects ?? 100, MaxInputBytesPerBatch: 200000 },
        ItemProcessor: {
          // An Express Workflow ends after five minutes, its attempts and the pauses between them included.
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
          StartAt: 'Batch',
          States: {
            Batch: {
              Type: 'Task',
              Resource: `arn:${partition}:states:::lambda:invoke`,
              Parameters: { 'FunctionName': fn.functionArn, 'Payload.$': '$' },
              OutputPath: '$.Payload',
              // What is refused (Halted) or damaged (Poison) is not repeated.
              Retry: [{
                ErrorEquals: ['Left', 'Lambda.ServiceException', 'Lambda.AWSLambdaException', 'Lambda.SdkClientException', 'Lambda.TooManyRequestsException'],
                IntervalSeconds: 5,
                MaxAttempts: 5,
                BackoffRate: 2,
                JitterStrategy: 'FULL',
              }],
              End: true,
            },
          },
        },
        ResultWriter: { Resource: `arn:${partition}:states:::s3:putObject`, Parameters: { Bucket: s3Bucket, Prefix: `${s3Prefix}/replay/map-runs` } },
        End: true,
      },
    },
  };
}
