/**
 * What a function's role needs, and no more: to write to the fallbacks and to read the primary's token. And how it gets that, whichever way the
 * role is made.
 */
import { createHash } from 'crypto';
import { ArnFormat, CfnResource, IResolvable, IResolveContext, Lazy, Reference, Stack, Stage, Token, Tokenization, Validations } from 'aws-cdk-lib';
import { CfnPolicy, CfnRole, Grant, IGrantable, IRole, Policy, PolicyDocument, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { CfnAlias } from 'aws-cdk-lib/aws-kms';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { Dependable, IConstruct } from 'constructs';
import { BackstopFallback, BackstopSink } from './fallback';
import { FunctionResource, overridesOf, ownerOf, roleOf } from './function';
import { identityOf } from './references';
import { defaultOf } from './register';

/** What a text with tokens is known to be. */
function kindOf(text: string): 'arn' | 'name' | 'alias' | 'unknown' {
  if (text.startsWith('{{resolve:')) return 'unknown';
  const literal = /(^|:)alias\//.test(text) ? 'alias' : text.startsWith('arn:') ? 'arn' : 'name';
  if (!Token.isUnresolved(text)) return literal;
  const fragments = Tokenization.reverseString(text);
  const token = fragments.length === 1 ? fragments.firstToken : undefined;
  if (token) {
    if (!Reference.isReference(token)) return 'unknown';
    if (CfnResource.isCfnResource(token.target) && token.target.cfnResourceType === CfnAlias.CFN_RESOURCE_TYPE_NAME) return 'alias';
    // `Ref` of a stream, a bucket or a key is its name; that of a parameter may be anything.
    if (token.displayName === 'Ref') return CfnResource.isCfnResource(token.target) ? 'name' : 'unknown';
    return token.displayName.endsWith('Arn') ? 'arn' : 'unknown';
  }
  return literal === 'name' && Token.isUnresolved(fragments.firstValue) ? 'unknown' : literal;
}

/** Whether it is the alias of a key, which grants nothing in a policy. */
export const isAlias = (text: string) => kindOf(text) === 'alias';

/** Whether it is a name, which a policy does not accept as a resource. */
export const isName = (text: string) => kindOf(text) === 'name';

/** The statements for a fallback; none where there is no fallback. They are those of `crates/archive/permissions.json`, which a test compares. */
export function fallbackStatements(scope: IConstruct, fallback: BackstopFallback): PolicyStatement[] {
  const stack = Stack.of(scope);
  const statements: PolicyStatement[] = [];
  const { firehoseStream: stream, s3Bucket: bucket, s3KmsKeyId: keyId, order } = fallback;
  const isUsed = (sink: BackstopSink) => order === undefined || order.includes(sink);
  if (stream && isUsed(BackstopSink.FIREHOSE)) {
    const arn = kindOf(stream) === 'name' ? stack.formatArn({ service: 'firehose', resource: 'deliverystream', resourceName: stream }) : stream;
    statements.push(new PolicyStatement({ actions: ['firehose:PutRecordBatch'], resources: [arn] }));
  }
  if (bucket && isUsed(BackstopSink.S3)) {
    const arn = kindOf(bucket) === 'arn' ? bucket
      : stack.formatArn({ service: 's3', account: '', region: '', resource: bucket, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    const prefix = (fallback.s3Prefix ?? defaultOf('BACKSTOP_S3_PREFIX')).replace(/^\/+|\/+$/g, '');
    statements.push(new PolicyStatement({ actions: ['s3:PutObject'], resources: [`${arn}/${prefix}/v1/*`] }));
    // A caller that names an alias gives its key in kmsKeyArns.
    const named = keyId === undefined || isAlias(keyId) ? []
      : [kindOf(keyId) === 'name' ? stack.formatArn({ service: 'kms', region: fallback.s3Region, resource: 'key', resourceName: keyId }) : keyId];
    const keys = [...new Set([...named, ...(fallback.kmsKeyArns ?? [])])];
    if (keys.length > 0) {
      statements.push(new PolicyStatement({
        actions: ['kms:GenerateDataKey'], resources: keys, conditions: { StringLike: { 'kms:ViaService': 's3.*' } },
      }));
    }
  }
  return statements;
}

/** The variables that name secrets, as they are in force. */
export interface SecretVariables {
  readonly secretArn?: string;
  readonly parameter?: string;
  readonly ciphertext?: string;
  readonly keyId?: string;
  /** Texts that may have references in them: the token and the headers. */
  readonly texts: (string | undefined)[];
}

/** The key of a secret, where CDK knows it. */
export interface KnownKey {
  readonly text: string;
  readonly keyArn?: string;
}

/** The text of each reference once. A token of CDK ends in a brace itself. */
function referencesIn({ secretArn, parameter, ciphertext, texts }: SecretVariables): string[] {
  const own = [['secret', secretArn], ['ssm', parameter], ['kms', ciphertext]] as const;
  const found = texts.flatMap((text) => [...(text ?? '').matchAll(/\{\{((?:secret|ssm|kms):.+?)\}\}(?!\})/g)].map(([, reference]) => reference));
  return [...new Set([...own.flatMap(([scheme, text]) => (text ? [`${scheme}:${text}`] : [])), ...found])];
}

/** The statements for what the primary's token and headers refer to, also those of `crates/archive/permissions.json`. `keys` are of secrets whose keys CDK knows. */
export function secretStatements(scope: IConstruct, variables: SecretVariables, keys: readonly KnownKey[]): PolicyStatement[] {
  const stack = Stack.of(scope);
  const { keyId } = variables;
  const statements: PolicyStatement[] = [];
  const allow = (actions: string[], resource: string, via?: string) => {
    const conditions = via === undefined ? undefined : { StringLike: { 'kms:ViaService': via } };
    statements.push(new PolicyStatement({ actions, resources: [resource], conditions }));
  };
  for (const reference of referencesIn(variables)) {
    const [scheme, text] = [reference.slice(0, reference.indexOf(':')), reference.slice(reference.indexOf(':') + 1)];
    const key = keys.find((known) => known.text === text)?.keyArn ?? keyId;
    const region = kindOf(text) === 'arn' && !Token.isUnresolved(text.split(':')[3]) ? text.split(':')[3] : undefined;
    const keyArns = !key || isAlias(key) ? [] : [kindOf(key) === 'name' ? stack.formatArn({ service: 'kms', region, resource: 'key', resourceName: key }) : key];
    if (scheme === 'secret') {
      // Its ARN ends in six characters, which a request may leave out and a policy may not.
      const arn = text.split('#')[0];
      allow(['secretsmanager:GetSecretValue'], /(-[A-Za-z0-9]{6}|\})$/.test(arn) ? arn : `${arn}-??????`);
      keyArns.forEach((keyArn) => allow(['kms:Decrypt'], keyArn, 'secretsmanager.*'));
    } else if (scheme === 'ssm') {
      allow(['ssm:GetParameter'], kindOf(text) === 'name' ? stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName: text.replace(/^\//, '') }) : text);
      keyArns.forEach((keyArn) => allow(['kms:Decrypt'], keyArn, 'ssm.*'));
    } else {
      keyArns.forEach((keyArn) => allow(['kms:Decrypt'], keyArn));
    }
  }
  // Two keys of one secret's object are one secret.
  return distinct(scope, statements);
}

/** The statement for settings in a parameter, which `BACKSTOP_CONFIG` names; none where it names a file. */
export function settingsStatements(scope: IConstruct, config: string | undefined): PolicyStatement[] {
  if (!config?.startsWith('ssm:')) return [];
  const text = config.slice('ssm:'.length).trim();
  const arn = kindOf(text) === 'name' ? Stack.of(scope).formatArn({ service: 'ssm', resource: 'parameter', resourceName: text.replace(/^\//, '') }) : text;
  return [new PolicyStatement({ actions: ['ssm:GetParameter'], resources: [arn] })];
}

/** A statement that allows, by the name that the Terraform module gives it. */
export const allow = (sid: string, actions: string[], resources: string[], conditions?: Record<string, unknown>) =>
  new PolicyStatement({ sid, actions, resources, conditions });

/** Each statement once: settings and a token may be in one parameter. */
export function distinct(scope: IConstruct, statements: PolicyStatement[]): PolicyStatement[] {
  const texts = statements.map((statement) => JSON.stringify(Stack.of(scope).resolve(statement.toStatementJson())));
  return statements.filter((_, at) => texts.indexOf(texts[at]) === at);
}

/** The statements that a caller of `backstop replay` needs. */
export function readStatements(scope: IConstruct, { s3Bucket, s3Prefix, kmsKeyArns }: BackstopFallback): PolicyStatement[] {
  const arn = Stack.of(scope).formatArn({ service: 's3', account: '', region: '', resource: s3Bucket!, arnFormat: ArnFormat.NO_RESOURCE_NAME });
  const statements = [
    new PolicyStatement({ actions: ['s3:ListBucket'], resources: [arn], conditions: { StringLike: { 's3:prefix': [s3Prefix, `${s3Prefix}/*`] } } }),
    new PolicyStatement({ actions: ['s3:GetObject'], resources: [`${arn}/${s3Prefix}/v1/*`] }),
  ];
  if (kmsKeyArns) {
    statements.push(new PolicyStatement({ actions: ['kms:Decrypt'], resources: kmsKeyArns, conditions: { StringLike: { 'kms:ViaService': 's3.*' } } }));
  }
  return statements;
}

/** Adds statements to the grantee. */
export function grantAll(grantee: IGrantable, statements: PolicyStatement[]): Grant {
  const [first, ...others] = statements.map((statement) => Grant.addToPrincipal({
    grantee,
    actions: statement.actions,
    resourceArns: statement.resources,
    conditions: statement.conditions as Record<string, Record<string, unknown>>,
  }));
  return others.reduce((sofar, grant) => sofar.combine(grant), first);
}

/** Lets a function's role write to the fallbacks. Answers whether that was possible. */
export function grantFunction(fn: FunctionResource, statements: PolicyStatement[]): boolean {
  if (statements.length === 0) return true;
  if ('Role' in overridesOf(fn)) return false;
  if (SamFunction.isCfnFunction(fn) && fn.role === undefined) return grantBySam(fn, statements);
  const role = roleOf(fn);
  // What CDK knows of the role, unless another one was put at the resource.
  const ownerRole = ownerOf(fn)?.role;
  const known = ownerRole && isSame(fn, fn.role, ownerRole.roleArn) ? ownerRole : undefined;
  if (role && isBeside(role, fn) && (!known || takesPolicies(known, fn))) {
    grantTogether(fn, role, statements);
    return true;
  }
  if (!known) return false;
  // A role that may not be changed says that it was; what was made of it is nothing to depend on.
  return statements.every((statement) => {
    const { statementAdded, policyDependable } = known.grantPrincipal.addToPrincipalPolicy(statement.copy());
    return statementAdded && policyDependable !== undefined && Dependable.of(policyDependable).dependencyRoots.length > 0;
  });
}

/** Looks after what was granted when nobody changes the function any more. Answers whether it stands. */
export function keepGrant(fn: FunctionResource, statements: PolicyStatement[]): boolean {
  return statements.length === 0 || !SamFunction.isCfnFunction(fn) || fn.role !== undefined || grantBySam(fn, statements);
}

/** Whether the role can be changed: an immutable one ignores what is attached. */
function takesPolicies(role: IRole, { stack }: FunctionResource): boolean {
  if (Role.isRole(role)) return true;
  let isTaken = false;
  const probe = new class extends Policy {
    public attachToRole(): void {
      isTaken = true;
    }
  }(stack, 'BackstopProbe');
  role.attachInlinePolicy(probe);
  stack.node.tryRemoveChild(probe.node.id);
  return isTaken;
}

/** Whether a policy of the function's stack can name the role: nested or not, it is deployed to the same place. */
const isBeside = (role: CfnRole, fn: FunctionResource) =>
  Stage.of(role) === Stage.of(fn) && role.stack.account === fn.stack.account && role.stack.region === fn.stack.region;

const isSame = (fn: FunctionResource, one: unknown, other: unknown) =>
  JSON.stringify(fn.stack.resolve(one)) === JSON.stringify(fn.stack.resolve(other));

/**
 * One policy for all roles of a stack, which may have 500 resources in all: not one for each function. It is in the
 * function's stack, as what it names may be; and is there when the role is.
 */
function grantTogether({ stack }: FunctionResource, role: CfnRole, statements: PolicyStatement[]): void {
  // A policy of a role that may not be there.
  const condition = role.stack === stack ? role.cfnOptions.condition : undefined;
  const what = [stack.node.addr, condition?.node.addr, identityOf(stack, statements.map((statement) => statement.toStatementJson()))];
  const id = `BackstopPolicy${createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 12)}`;
  const policy = stack.node.tryFindChild(id) as SharedPolicy | undefined ?? new SharedPolicy(stack, id, statements);
  policy.cfnOptions.condition = condition;
  policy.add(role);
}

/** Nothing waits for it, as a role may itself name functions: then neither could be first. */
class SharedPolicy extends CfnPolicy {
  private readonly members = new Set<CfnRole>();

  constructor(scope: Stack, id: string, statements: PolicyStatement[]) {
    super(scope, id, { policyName: id, policyDocument: new PolicyDocument({ statements }) });
    // In the order of their paths, so that the order of attaching is not seen.
    this.roles = Lazy.list({
      produce: () => [...this.members].sort((one, other) => one.node.path < other.node.path ? -1 : 1).map((role) => role.ref),
    });
    // Only then references between stacks are what they will be in the template.
    this.node.addValidation({
      validate: () => {
        acknowledgeStars(this, statements);
        return [];
      },
    });
  }

  public add(role: CfnRole): void {
    this.members.add(role);
  }
}

const OBJECTS = 'Objects have names that are not known before: the star is below a prefix that only telemetry is in.';

/** Says to cdk-nag, in its own words, why there are stars in resources of these statements. */
export function acknowledgeStars(scope: IConstruct, statements: PolicyStatement[], reason = OBJECTS): void {
  for (const resource of statements.flatMap(({ resources }) => resources)) {
    const text = flat(Stack.of(scope).resolve(resource));
    if (text.includes('*')) acknowledge(scope, `AwsSolutions-IAM5[Resource::${text}]`, reason);
  }
}

/** Says to those who check templates why something is as it is. */
export function acknowledge(scope: IConstruct, id: string, reason: string): void {
  try {
    Validations.of(scope).acknowledge({ id, reason });
  } catch {
    // Older versions of CDK take no ARN in an id: there it is for the app to acknowledge.
  }
}

/** A resolved value as cdk-nag writes it. */
function flat(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const [[kind, of]] = Object.entries(value);
  if (kind === 'Ref') return `<${of}>`;
  if (kind === 'Fn::ImportValue') return flat(of);
  if (kind === 'Fn::GetAtt') return `<${of.join('.')}>`;
  if (kind === 'Fn::Join') return of[1].map(flat).join(of[0]);
  return JSON.stringify(value);
}

// What stands for the policies of a function of SAM with Backstop's among them.
const GRANTED = new WeakSet<object>();

/** SAM makes the role itself, from a list of policies. Asked again, it checks whether the list was set again. */
function grantBySam(fn: SamFunction, statements: PolicyStatement[]): boolean {
  if ('Policies' in overridesOf(fn)) return false;
  const own = fn.policies;
  if (typeof own === 'object' && GRANTED.has(own)) return true;
  const policies: IResolvable = Lazy.uncachedAny({
    produce: (context: IResolveContext) => {
      const before = context.resolve(own);
      const list = before === undefined ? [] : Array.isArray(before) ? before : [before];
      // As SAM's class names the parts of a document.
      return [...list, { version: '2012-10-17', statement: statements.map((statement) => context.resolve(statement.toStatementJson())) }];
    },
  });
  GRANTED.add(policies);
  fn.policies = policies;
  return true;
}
