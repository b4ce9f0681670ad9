/**
 * Attaches to one function, at the level of its CloudFormation resource: the one code path under
 * `Backstop.attach`, the Aspect and the Mixin.
 *
 * The function's layers and environment become values that are computed when the template is written, from
 * what the function has by then: whoever adds to them later, in any order, is taken into account. What
 * stops the attaching becomes an error at the function, and then nothing of it is changed.
 *
 * Must not: touch handler, runtime or wrapper.
 */
import { Annotations, IResolveContext, Lazy, Resource, Stack, Token, Tokenization } from 'aws-cdk-lib';
import { CfnPolicy, CfnRole, Grant, IGrantable, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { IConstruct } from 'constructs';
import { plan, Plan } from './plan';
import { fallbackStatements } from './policy';
import { REGISTER } from './register';
import { BackstopProps, fallbackOf, problemsOf, variablesOf } from './settings';

/** A function as CloudFormation or SAM knows it. */
export type FunctionResource = CfnFunction | SamFunction;

// By name, so that two copies of this library know of each other.
const ATTACHMENT = Symbol.for('backstop-cdk.attachment');

/** Whether a construct is a function's resource. */
export function isFunctionResource(construct: IConstruct): construct is FunctionResource {
  return CfnFunction.isCfnFunction(construct) || SamFunction.isCfnFunction(construct);
}

/** An image as it needs to be built: layers are not laid over images. */
const imageLines = (architecture: string) =>
  `ADD extension-${architecture}.tar.gz /opt/\nRUN chmod 0755 /opt/extensions/backstop-extension`;

/** Attaches to a function; once, however often it is asked. */
export function attachTo(fn: FunctionResource, props: BackstopProps): void {
  const there = (fn as { [ATTACHMENT]?: Attachment })[ATTACHMENT];
  if (!there) {
    Object.defineProperty(fn, ATTACHMENT, { value: new Attachment(fn, props) });
  } else if (!there.isAskedFor(props)) {
    Annotations.of(fn).addWarningV2('backstop-cdk:attachedTwice', `Backstop is attached to ${fn.node.path} already, with other settings: the first ones hold.`);
  }
}

/** Backstop beside one function. */
class Attachment {
  private readonly variables: Record<string, string>;
  private readonly layerArn?: string;
  private readonly problems: string[];
  private readonly isImage: boolean;
  private ownLayers: unknown;
  private ownEnvironment: unknown;
  private layers: unknown;
  private environment: unknown;

  constructor(private readonly fn: FunctionResource, private readonly props: BackstopProps) {
    this.variables = variablesOf(props);
    this.problems = problemsOf(props);
    this.isImage = this.resolved(fn.packageType) === 'Image';

    const { architecture, problem } = this.findArchitecture();
    if (problem) this.problems.push(problem);
    if (!this.isImage && architecture) {
      const answer = props.layer?.layerFor(fn, architecture)
        ?? { problem: 'There is no layer: give one from BackstopLayer, such as BackstopLayer.fromManifest.' };
      this.layerArn = answer.arn;
      if (answer.problem) this.problems.push(answer.problem);
    }
    this.takeOver();
    if (this.problems.length === 0) this.grant();
    fn.node.addValidation({ validate: () => this.conclude(architecture) });
  }

  /** Whether other props say the same. */
  public isAskedFor(props: BackstopProps): boolean {
    const { variables } = this;
    const others = variablesOf(props);
    const same = Object.keys(others).length === Object.keys(variables).length
      && Object.entries(others).every(([name, value]) => variables[name] === value);
    return same && (this.isImage || props.layer === this.props.layer
      || JSON.stringify(this.resolved(props.layer?.layerFor(this.fn, this.findArchitecture().architecture ?? '')?.arn)) === JSON.stringify(this.resolved(this.layerArn)));
  }

  /** Puts values that are computed later in the place of the function's own, and keeps those. */
  private takeOver(): void {
    const { fn } = this;
    if (fn.layers !== this.layers || this.layers === undefined) {
      this.ownLayers = fn.layers;
      if (!this.isImage) {
        fn.layers = Lazy.uncachedList({ produce: (context: IResolveContext) => this.plan(context).layers as string[] }, { omitEmpty: true });
      }
      this.layers = fn.layers;
    }
    if (fn.environment !== this.environment || this.environment === undefined) {
      this.ownEnvironment = fn.environment;
      fn.environment = Lazy.uncachedAny({
        produce: (context: IResolveContext) => {
          const { variables } = this.plan(context);
          // An own property besides the variables would be kept; Lambda knows none.
          return Object.keys(variables).length > 0 ? { variables } : undefined;
        },
      });
      this.environment = fn.environment;
    }
  }

  /** What the function shall have. */
  private plan(context: IResolveContext): Plan {
    const environment = context.resolve(this.ownEnvironment) as { variables?: Record<string, unknown> } | undefined;
    const found = {
      layers: (context.resolve(this.ownLayers) as unknown[] | undefined) ?? [],
      variables: environment?.variables ?? {},
    };
    if (this.problems.length > 0) return { ...found, problems: this.problems, warnings: [] };
    // Resolved, so that what the user has and what is brought can be compared.
    return plan(found, { layerArn: context.resolve(this.layerArn), variables: context.resolve(this.variables) });
  }

  /** Before the template is written, when nobody changes the function any more: says what is to be said. */
  private conclude(architecture?: string): string[] {
    // An Aspect after ours may have set them anew: then that is what the function has.
    this.takeOver();
    const notes = Annotations.of(this.fn);
    const { problems, warnings } = Stack.of(this.fn).resolve(Lazy.uncachedAny({ produce: (context: IResolveContext) => this.plan(context) })) as Plan;
    for (const problem of problems) notes.addError(`Backstop is not attached to ${this.fn.node.path}. ${problem}`);
    if (problems.length > 0) return [];
    for (const { id, message } of warnings) notes.addWarningV2(`backstop-cdk:${id}`, message);
    this.warnOfEnvironment();
    if (this.isImage) {
      notes.addWarningV2('backstop-cdk:containerImage', `Lambda gives no layers to container images: ${this.fn.node.path} has Backstop's environment, and its Dockerfile needs\n${imageLines(architecture ?? 'x86_64')}`);
    }
    return [];
  }

  private warnOfEnvironment(): void {
    const notes = Annotations.of(this.fn);
    const environment = this.resolved(this.ownEnvironment) as { variables?: object } | undefined;
    for (const name of Object.keys(environment?.variables ?? {})) {
      if (name.startsWith('BACKSTOP_') && !REGISTER.some((variable) => variable.name === name)) {
        notes.addWarningV2('backstop-cdk:unknownVariable', `The function sets ${name}, which this version of Backstop does not know: it reports that in each environment, and goes on.`);
      }
    }
    const { primary } = this.props;
    const fallback = fallbackOf(this.props);
    if (!fallback.firehoseStream && !fallback.s3Bucket) {
      notes.addWarningV2('backstop-cdk:noFallback', 'There is no fallback: what the primary does not take in time waits in memory and in /tmp, and ends with the environment.');
    }
    if ([primary?.token, ...Object.values(primary?.headers ?? {})].some((secret) => secret?._isPlain())) {
      notes.addWarningV2('backstop-cdk:plainSecret', "The primary's token or a header stands in the template: whoever may read that has it.");
    }
  }

  /** The architecture, which is x86_64 where nothing is said. */
  private findArchitecture(): { architecture?: string; problem?: string } {
    const said = this.resolved(this.fn.architectures) as unknown[] | undefined;
    const architecture = said?.[0] ?? 'x86_64';
    if (architecture === 'x86_64' || architecture === 'arm64') return { architecture };
    return this.isImage ? {} : { problem: 'The architecture of the function is not known before the deployment: name it, or make a function for each.' };
  }

  /** Lets the function's role write to the fallbacks, wherever that role is. */
  private grant(): void {
    const statements = fallbackStatements(this.fn, fallbackOf(this.props));
    if (statements.length === 0) return;
    const owner = this.fn.node.scope as (IConstruct & Partial<IGrantable>) | undefined;
    if (owner && Resource.isResource(owner) && 'grantPrincipal' in owner) {
      const granted = statements.map((statement) => Grant.addToPrincipal({
        grantee: owner as unknown as IGrantable,
        actions: statement.actions,
        resourceArns: statement.resources,
        conditions: statement.conditions as Record<string, Record<string, unknown>>,
      }));
      if (granted.every((grant) => grant.success)) return;
    } else if (SamFunction.isCfnFunction(this.fn) && this.fn.role === undefined) {
      return this.grantBySam(this.fn, statements);
    } else {
      const role = this.findRole();
      if (role) {
        new CfnPolicy(this.fn.stack, `BackstopPolicy-${this.fn.node.addr}`, {
          policyName: `backstop-${this.fn.node.addr}`, policyDocument: new PolicyDocument({ statements }), roles: [role.ref],
        });
        return;
      }
    }
    Annotations.of(this.fn).addWarningV2('backstop-cdk:roleNotGranted', `The role of ${this.fn.node.path} cannot be changed from here, and it needs: ${JSON.stringify(this.resolved(statements.map((statement) => statement.toStatementJson())))}`);
  }

  /** SAM makes the role itself, from a list of policies. */
  private grantBySam(fn: SamFunction, statements: PolicyStatement[]): void {
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

  /** The role's resource, where the function names one of the same stack. */
  private findRole(): CfnRole | undefined {
    const { role } = this.fn;
    if (typeof role !== 'string' || !Token.isUnresolved(role)) return undefined;
    const [token] = Tokenization.reverseString(role).tokens;
    const target = (token as { target?: IConstruct } | undefined)?.target;
    return target && CfnRole.isCfnRole(target) && Stack.of(target) === this.fn.stack ? target : undefined;
  }

  private resolved(value: unknown): unknown {
    return Stack.of(this.fn).resolve(value);
  }
}
