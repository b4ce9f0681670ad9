/**
 * What a function's role needs, and no more: to write to the fallbacks. And how it gets that, wherever the
 * role is made.
 */
import { createHash } from 'crypto';
import { ArnFormat, IResolveContext, Lazy, Reference, Resource, Stack, Token, Tokenization, Validations } from 'aws-cdk-lib';
import { CfnPolicy, CfnRole, Grant, IGrantable, PolicyDocument, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { CfnFunction, IFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { IConstruct } from 'constructs';
import { BackstopFallback } from './settings';

/** A function as CloudFormation or SAM knows it. */
export type FunctionResource = CfnFunction | SamFunction;

/** The attribute of a resource that a token stands for: `Ref`, `Arn` and so on. */
const attributeOf = (text: string): string | undefined => {
  const token = Tokenization.reverseString(text).firstToken;
  return token && Reference.isReference(token) ? token.displayName : undefined;
};

// A stream's `Ref` is its name, and so is a bucket's; what a token is beyond that is not known.
const isStreamArn = (text: string) => (Token.isUnresolved(text) ? attributeOf(text) !== 'Ref' : text.startsWith('arn:'));
const isBucketArn = (text: string) => (Token.isUnresolved(text) ? attributeOf(text) === 'Arn' : false) || text.startsWith('arn:');
const isKeyArn = (text: string) => Token.isUnresolved(text) || text.startsWith('arn:');

/** The statements for a fallback; none where there is no fallback. */
export function fallbackStatements(scope: IConstruct, fallback: BackstopFallback): PolicyStatement[] {
  const stack = Stack.of(scope);
  const statements: PolicyStatement[] = [];
  const { firehoseStream: stream, s3Bucket: bucket, s3KmsKeyId: keyId } = fallback;
  if (stream) {
    const arn = isStreamArn(stream) ? stream : stack.formatArn({ service: 'firehose', resource: 'deliverystream', resourceName: stream });
    statements.push(new PolicyStatement({ actions: ['firehose:PutRecordBatch'], resources: [arn] }));
  }
  if (bucket) {
    const arn = isBucketArn(bucket) ? bucket
      : stack.formatArn({ service: 's3', account: '', region: '', resource: bucket, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    const prefix = (fallback.s3Prefix ?? 'backstop').replace(/^\/+|\/+$/g, '');
    statements.push(new PolicyStatement({ actions: ['s3:PutObject'], resources: [`${arn}/${prefix}/v1/*`] }));
    // An alias grants nothing in a policy: whoever names one gives its key in kmsKeyArns.
    const named = keyId && !/(^|:)alias\//.test(keyId) ? [isKeyArn(keyId) ? keyId : stack.formatArn({ service: 'kms', resource: 'key', resourceName: keyId })] : [];
    const keys = [...new Set([...named, ...(fallback.kmsKeyArns ?? [])])];
    if (keys.length > 0) {
      statements.push(new PolicyStatement({
        actions: ['kms:GenerateDataKey'], resources: keys, conditions: { StringLike: { 'kms:ViaService': 's3.*' } },
      }));
    }
  }
  return statements;
}

/** Adds a statement to whoever is granted. */
export function grantTo(grantee: IGrantable, statement: PolicyStatement): Grant {
  return Grant.addToPrincipal({
    grantee,
    actions: statement.actions,
    resourceArns: statement.resources,
    conditions: statement.conditions as Record<string, Record<string, unknown>>,
  });
}

/** Lets a function's role write to the fallbacks. Answers whether that was possible. */
export function grantFunction(fn: FunctionResource, statements: PolicyStatement[]): boolean {
  if (statements.length === 0) return true;
  if (SamFunction.isCfnFunction(fn) && fn.role === undefined) {
    grantBySam(fn, statements);
    return true;
  }
  const owner = ownerOf(fn);
  const role = roleOf(fn);
  // A role that is not to be changed, or is not made here, is what the owner's `role` knows.
  if (role && role.stack === fn.stack && (!owner || Role.isRole(owner.role))) {
    grantTogether(role, statements);
    return true;
  }
  return owner !== undefined && statements.map((statement) => grantTo(owner, statement)).every((grant) => grant.success);
}

/** One policy for all roles of a stack, which may have 500 resources in all: not one for each function. */
function grantTogether(role: CfnRole, statements: PolicyStatement[]): void {
  const { stack } = role;
  const document = new PolicyDocument({ statements });
  const id = `BackstopPolicy${createHash('sha256').update(JSON.stringify(stack.resolve(document))).digest('hex').slice(0, 8)}`;
  let policy = stack.node.tryFindChild(id) as CfnPolicy | undefined;
  if (!policy) {
    policy = new CfnPolicy(stack, id, { policyName: id, policyDocument: document, roles: [] });
    acknowledgeStars(policy, statements);
  }
  // Nothing waits for the policy: roles may name functions, and then neither could be first.
  if (!policy.roles!.includes(role.ref)) policy.roles = [...policy.roles!, role.ref];
}

/** Says to cdk-nag, in its own words, why there are stars in resources of these statements. */
export function acknowledgeStars(scope: IConstruct, statements: PolicyStatement[]): void {
  for (const resource of statements.flatMap(({ resources }) => resources)) {
    const text = flat(Stack.of(scope).resolve(resource));
    if (text.includes('*')) {
      Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM5[Resource::${text}]`, reason: 'Objects have names that are not known before: the star is below a prefix that only telemetry is in.' });
    }
  }
}

/** A resolved value as cdk-nag writes it. */
function flat(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const [[kind, of]] = Object.entries(value);
  if (kind === 'Ref') return `<${of}>`;
  if (kind === 'Fn::GetAtt') return `<${of.join('.')}>`;
  if (kind === 'Fn::Join') return of[1].map(flat).join(of[0]);
  return JSON.stringify(value);
}

/** SAM makes the role itself, from a list of policies. */
function grantBySam(fn: SamFunction, statements: PolicyStatement[]): void {
  const own = fn.policies;
  fn.policies = Lazy.uncachedAny({
    produce: (context: IResolveContext) => {
      const before = context.resolve(own);
      const list = before === undefined ? [] : Array.isArray(before) ? before : [before];
      // As SAM's class names the parts of a document.
      return [...list, { version: '2012-10-17', statement: statements.map((statement) => context.resolve(statement.toStatementJson())) }];
    },
  });
}

/** The construct of `aws-lambda` that the resource is of. */
function ownerOf(fn: FunctionResource): IFunction | undefined {
  const owner: unknown = fn.node.scope;
  return Resource.isResource(owner as IConstruct) && 'grantPrincipal' in (owner as object) ? owner as IFunction : undefined;
}

/** The role's resource, where the app makes it. */
function roleOf(fn: FunctionResource): CfnRole | undefined {
  if (typeof fn.role !== 'string') return undefined;
  const token = Tokenization.reverseString(fn.role).firstToken;
  const target = token && Reference.isReference(token) ? token.target : undefined;
  return target && CfnRole.isCfnRole(target) ? target : undefined;
}

/** Whether Lambda@Edge may run the function: CDK lets it assume the role. */
export function isAtEdge(fn: FunctionResource): boolean {
  const role = roleOf(fn);
  return role !== undefined && JSON.stringify(Stack.of(role).resolve(role.assumeRolePolicyDocument) ?? '').includes('edgelambda.amazonaws.com');
}
