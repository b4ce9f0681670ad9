/**
 * Attaches to one function, at the level of its CloudFormation resource: the one code path under
 * `Backstop.attach`, the Aspect and the Mixin.
 *
 * Asking is one thing, attaching another: that is done once, after all Aspects of the function have seen it, so
 * that the order in which Aspects, mixins and code come does not matter. What stops it becomes an error at the
 * function, and then nothing is changed.
 *
 * Must not: touch handler, runtime or wrapper; add an Aspect for each function if Aspects are stabilized: CDK then starts again for each.
 */
import { Annotations, Aspects, FeatureFlags, IAspect, IResolveContext, Lazy, Stack, Stage, Token } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { ASPECT_STABILIZATION } from 'aws-cdk-lib/cx-api';
import { Construct, IConstruct } from 'constructs';
import { isImportedArchive } from './archive-base';
import { BackstopFallback, BackstopSink } from './fallback';
import { architectureOf, DEFAULT_CHILDREN, FunctionResource, globalsOf, isAtEdge, isImage, overridesOf } from './function';
import { distinct, fallbackStatements, grantFunction, keepGrant, secretStatements, settingsStatements } from './grants';
import { giveTheSame } from './layer';
import { foundIn, isIntrinsic, isSet, plan, Plan } from './plan';
import { problemsOf } from './problems';
import { identityOf, withReferences } from './references';
import { BackstopProps, fallbackOf, referencesOf, variablesOf } from './settings';
import { warningsOf } from './warnings';

/** What is wrong with settings for every function that they are for; the caller reports it once. */
export type Mistakes = Set<string>;

/** What was asked for, and how near to the function: the nearest holds, and of two the first. */
interface Request {
  readonly props: BackstopProps;
  /** By name where it is not said. */
  readonly nearness?: number;
  /** Where to put what is wrong with the settings themselves; without it the function says it. */
  readonly mistakes?: Mistakes;
}

/** Nearer than every scope: the function was named. */
const BY_NAME = Infinity;

// The child of the function's resource that stands for what is attached.
const CHILD = 'Backstop';
// By name, so that two copies of this library know of each other.
const MARK = Symbol.for('backstop-cdk.attachment');

/** Whether this is what stands for something attached. */
export function isAttachment(construct: IConstruct): construct is Attachment {
  return MARK in construct;
}

/** Asks for Backstop beside a function. */
export function attachTo(fn: FunctionResource, request: Request): void {
  attachmentOf(fn).ask(request);
  const stage = Stage.of(fn) ?? fn.node.root;
  if (!Aspects.of(stage).all.includes(SETTLE)) Aspects.of(stage).add(SETTLE, { priority: Number.MAX_SAFE_INTEGER });
}

/** Asks for it from an Aspect, which then visits what stands for it. */
export function attachFromAspect(fn: FunctionResource, request: Request): void {
  attachmentOf(fn).ask(request);
}

function attachmentOf(fn: FunctionResource): Attachment {
  const there = fn.node.tryFindChild(CHILD) as Attachment | undefined;
  if (there) return there;
  const attachment = new Attachment(fn, CHILD);
  // Asked for from another Aspect, what the stage gets comes too late; only if CDK does not start again for each.
  if (!FeatureFlags.of(fn).isEnabled(ASPECT_STABILIZATION)) Aspects.of(attachment).add(SETTLE);
  return attachment;
}

// What was reported for a stack, of functions that were asked for together.
const REPORTED = new WeakMap<Stack, Set<string>>();

/** Whether something is reported for a stack for the first time. */
function isFirst(stack: Stack, what: string): boolean {
  const reported = REPORTED.get(stack) ?? new Set();
  REPORTED.set(stack, reported);
  return reported.size < reported.add(what).size;
}

/** Visits a child after all Aspects have visited its function. */
const SETTLE: IAspect = {
  visit: (node) => { if (isAttachment(node)) node.settle(); },
};

/** Warnings that are the same for every function of a call. */
const OF_THE_SETTINGS = ['noFallback', 'plainSecret'];

/** Backstop beside one function. */
class Attachment extends Construct {
  private readonly requests: Request[] = [];
  private readonly problems: string[] = [];
  private readonly reported = new Set<string>();
  private settled = false;
  private props: BackstopProps = {};
  // Where what is wrong with the settings goes, where it is one of many that were asked for together.
  private mistakes?: Mistakes;
  private layerArn?: string;
  // By which it was decided what to attach and to grant.
  private architecture?: string;
  private role?: unknown;
  private statements: PolicyStatement[] = [];
  private isGranted = true;
  // What the owner has there, and what stands there instead.
  private readonly own: { layers?: unknown; environment?: unknown } = {};
  private readonly put: { layers?: unknown; environment?: unknown } = {};

  constructor(private readonly fn: FunctionResource, id: string) {
    super(fn, id);
    Object.defineProperty(this, MARK, { value: true });
    this.node.addValidation({ validate: () => this.conclude() });
  }

  public ask(request: Request): void {
    // An app may be synthesised twice, and then Aspects ask again.
    if (this.requests.some(({ props, nearness }) => props === request.props && nearness === request.nearness)) return;
    if (!this.settled) this.requests.push(request);
    else if (!this.isSame(request.props)) this.warn('attachedTwice', `Backstop was already attached to ${this.fn.node.path} when other settings were given: the earlier settings hold.`);
  }

  /** Attaches. */
  public settle(): void {
    if (this.settled) return;
    this.settled = true;
    const nearness = (request: Request) => request.nearness ?? BY_NAME;
    const [first, ...others] = [...this.requests].sort((one, other) => nearness(other) - nearness(one) || 0);
    this.props = first.props;
    this.mistakes = first.mistakes;
    if (isAtEdge(this.fn)) {
      const edge = 'Lambda@Edge may run the function, or one with the same role, and supports neither layers nor variables.';
      if (nearness(first) === BY_NAME) this.fail(edge);
      else this.warn('edge', `${this.refusal} ${edge}`);
      this.problems.push(edge);
      return;
    }
    try {
      if (others.some(({ props }) => !this.isSame(props))) {
        this.warn('attachedTwice', `${this.fn.node.path} gets Backstop with different settings: those given for the function itself hold, then those of the nearest scope, then the first ones.`);
      }
      this.addMistakes(problemsOf(this.props));
      this.problems.push(...this.overrideProblems());
      this.findLayer();
      // What cannot be referred to cannot be looked at further.
      const misplaced = this.placeProblems();
      if (misplaced.length > 0) {
        misplaced.forEach((problem) => this.addShared(problem));
        this.tell(this.problems);
        return;
      }
      this.take();
      const planned = this.resolved(Lazy.uncachedAny({ produce: (context) => this.plan(context) })) as Plan;
      if (planned.problems.length === 0) {
        this.replace();
        this.grant();
      }
      // For good: what was not granted must not be attached later.
      this.problems.splice(0, this.problems.length, ...planned.problems);
      this.tell(this.problems);
    } catch (error) {
      // From CDK itself, or from another library's layer.
      this.problems.push((error as Error).message);
      this.tell(this.problems);
    }
  }

  /** Before the template is written, when nobody changes the function any more: says what is left to say. */
  private conclude(): string[] {
    this.settle();
    if (this.problems.length > 0) return [];
    // An Aspect at another construct may have set them again; then that is what the function has.
    this.take();
    this.problems.push(...this.overrideProblems(), ...this.lateProblems());
    this.replace();
    this.isGranted &&= keepGrant(this.fn, this.statements);
    const { problems, warnings, inForce } = this.resolved(Lazy.uncachedAny({ produce: (context) => this.plan(context) })) as Plan;
    this.tell(problems);
    if (problems.length > 0) return [];
    const further = warningsOf({
      fn: this.fn,
      props: this.props,
      fallback: this.fallback(),
      variables: inForce,
      refused: this.isGranted ? [] : this.statements,
    });
    for (const { id, message } of [...warnings, ...further]) this.warn(id, message);
    return [];
  }

  /** Finds the layer for the function's architecture. */
  private findLayer(): void {
    if (isImage(this.fn)) return;
    const architecture = this.architecture = architectureOf(this.fn);
    if (!architecture) this.problems.push('The architecture of the function is not known before deployment: name it, or create a function for each architecture.');
    if (!this.props.layer) this.addMistakes(['layer is not set: give one from BackstopLayer, such as BackstopLayer.fromManifest.']);
    // Asking for it may publish it.
    if (!architecture || !this.props.layer || this.problems.length > 0) return;
    const { arn, problem } = this.props.layer.layerFor(this.fn, architecture);
    this.layerArn = arn;
    if (problem ?? !arn) this.addShared(problem ?? 'The layer returns neither an ARN nor a problem: return one of the two from layerFor.');
  }

  /** What is wrong with the settings: of functions that were asked for together it is said once, and by nobody of them. */
  private addMistakes(mistakes: readonly string[]): void {
    this.problems.push(...mistakes);
    mistakes.forEach((mistake) => {
      if (this.mistakes?.add(mistake)) this.reported.add(mistake);
    });
  }

  /** What may be wrong for others of the stack too: of functions that were asked for together the first says it. */
  private addShared(problem: string): void {
    const { fn } = this;
    if (!this.mistakes) {
      this.problems.push(problem);
      return;
    }
    // One of CDK's own functions, such as that of a BucketDeployment, may run on an architecture that no other has.
    const { path } = (fn.node.scope && DEFAULT_CHILDREN.includes(fn.node.id) ? fn.node.scope : fn).node;
    const hint = `${problem} Other functions of this stack may have the same problem. To leave this one out, add exclude: ['${path}'].`;
    this.problems.push(hint);
    if (!isFirst(Stack.of(fn), problem)) this.reported.add(hint);
  }

  /** Looks at what is there. What was not put there is the owner's. */
  private take(): void {
    const { fn, own, put } = this;
    if (put.layers === undefined || fn.layers !== put.layers) own.layers = fn.layers;
    if (put.environment === undefined || fn.environment !== put.environment) own.environment = fn.environment;
  }

  /** Puts values there that are computed when the template is written, from what the owner has by then. */
  private replace(): void {
    const { fn, own, put } = this;
    if (!isImage(fn)) {
      fn.layers = Lazy.uncachedList({ produce: (context) => this.merged(context).layers as string[] }, { omitEmpty: true });
      put.layers = fn.layers;
    }
    // Code that adds a variable to those that are there finds the owner's.
    const { variables } = (own.environment ?? {}) as { variables?: unknown };
    fn.environment = Object.assign(Lazy.uncachedAny({ produce: (context) => this.merged(context).environment }), { variables });
    put.environment = fn.environment;
  }

  /** What the function shall have: with a problem what it has, as it stands. */
  private merged(context: IResolveContext): { layers: unknown; environment: unknown } {
    const { layers, variables, problems } = this.plan(context);
    if (problems.length > 0) return { layers: context.resolve(this.own.layers), environment: context.resolve(this.own.environment) };
    return { layers, environment: Object.keys(variables).length > 0 ? { variables } : undefined };
  }

  /** With everything resolved, so that what the function has and what is brought can be compared. */
  private plan(context: IResolveContext): Plan {
    const { fn, own } = this;
    const resolve = (value: unknown) => context.resolve(value);
    const { found, problems } = foundIn(resolve(own.layers), resolve(own.environment));
    const { Layers: layers = [], Environment: environment } = globalsOf(fn);
    if (!Array.isArray(layers)) problems.push("The template's Globals have layers that are known only at deployment: write them out.");
    const brought = { layerArn: resolve(this.layerArn), variables: context.resolve(variablesOf(this.props)) };
    return plan({
      layers: found.layers,
      variables: { ...found.variables, ...this.overriddenVariables(resolve) },
      globals: { layers: Array.isArray(layers) ? layers : [], variables: environment?.Variables ?? {} },
    }, brought, [...this.problems, ...problems]);
  }

  /** Variables that `addPropertyOverride` sets; what is deleted so is there, and undefined. */
  private overriddenVariables(resolve: (value: unknown) => unknown): Record<string, unknown> {
    const { Variables: variables } = (overridesOf(this.fn).Environment ?? {}) as { Variables?: object };
    return Object.fromEntries(Object.entries(variables ?? {}).map(([name, value]) => [name, resolve(value) ?? undefined]));
  }

  /** What cannot be done for where things are. */
  private placeProblems(): string[] {
    const here = Stack.of(this.fn);
    const { archive } = this.props.fallback ?? {};
    const { firehoseStream } = fallbackOf(this.props);
    const account = /^arn:[^:]+:firehose:[^:]*:(\d{12}):/.exec(firehoseStream ?? '')?.[1];
    if (account && !Token.isUnresolved(here.account) && account !== here.account) {
      return ["fallback.firehoseStream is in another account, and Firehose accepts records only from its own account: give a stream in the function's account."];
    }
    const bucket = this.props.fallback?.bucket;
    const region = bucket?.env.region;
    if (region && ![region, here.region].some(Token.isUnresolved) && region !== here.region && !this.props.fallback?.s3Region) {
      return [`The bucket at ${bucket.node.path} is in ${region} and the function in ${here.region}: set fallback.s3Region to '${region}'.`];
    }
    // What is only named needs no reference between stacks.
    if (!archive || isImportedArchive(archive)) return [];
    const there = Stack.of(archive);
    if (there.account === here.account && there.region === here.region && Stage.of(there) === Stage.of(here)) return [];
    return [`The archive at ${archive.node.path} is in another account, region or stage, and CDK cannot refer to it from here: create one for this account, region and stage. To name one of the same account and region, use BackstopArchive.fromArchiveAttributes.`];
  }

  /** What `addPropertyOverride` says is written over whatever is attached. */
  private overrideProblems(): string[] {
    const overrides = overridesOf(this.fn);
    const problem = (what: string) => `Its ${what} are overridden by addPropertyOverride, which would replace what Backstop attaches: set the property of the resource instead.`;
    const problems = 'Layers' in overrides && !isImage(this.fn) ? [problem('Layers')] : [];
    if ('Environment' in overrides) {
      const isKnown = (value: unknown) => value !== undefined && value !== null && !Token.isUnresolved(value) && !isIntrinsic(value);
      const environment = overrides.Environment as { Variables?: unknown };
      if (!isKnown(environment) || ('Variables' in environment && !isKnown(environment.Variables))) problems.push(problem('variables'));
    }
    if (this.layerArn !== undefined && isImage(this.fn)) problems.push('It became a container image after Backstop was attached: define it as an image before that.');
    return problems;
  }

  /** What was decided by something that is another now, too late for a layer or a policy. */
  private lateProblems(): string[] {
    const { fn } = this;
    const problem = (what: string) =>
      `Its ${what} changed after Backstop was attached, for example by an Aspect at another construct: set it where the function is created, or in an Aspect of the app.`;
    if (this.layerArn !== undefined && architectureOf(fn) !== this.architecture) return [problem('architecture')];
    if (this.statements.length === 0 && this.neededStatements().length === 0) return [];
    if (JSON.stringify(this.resolved(roleIn(fn))) !== JSON.stringify(this.resolved(this.role))) return [problem('role')];
    const isOfToken = ({ actions }: PolicyStatement) => actions.some((action) => /^(secretsmanager:|ssm:|kms:Decrypt$)/.test(action));
    const isChanged = (isMeant: (statement: PolicyStatement) => boolean) => {
      const [granted, needed] = [this.statements, this.neededStatements()].map((statements) =>
        identityOf(fn, statements.filter(isMeant).map((statement) => statement.toStatementJson())));
      return granted !== needed;
    };
    return [
      ...(isChanged((statement) => !isOfToken(statement)) ? [problem('fallback')] : []),
      ...(isChanged(isOfToken) ? [problem('token')] : []),
    ];
  }

  /** Lets the role write to the fallbacks and read the token in the function's variables, no matter who set them. */
  private grant(): void {
    this.role = roleIn(this.fn);
    this.statements = this.neededStatements();
    this.isGranted = grantFunction(this.fn, this.statements);
  }

  private neededStatements(): PolicyStatement[] {
    const config = this.inForce()('BACKSTOP_CONFIG', variablesOf(this.props).BACKSTOP_CONFIG);
    const all = [...fallbackStatements(this.fn, this.fallback()), ...this.secretStatements(), ...settingsStatements(this.fn, config)];
    return distinct(this.fn, all);
  }

  /** For the token and the headers, with what the function says itself; without a primary nothing is read. */
  private secretStatements(): PolicyStatement[] {
    const own = this.inForce();
    const wanted = variablesOf(this.props);
    const text = (name: string) => own(name, wanted[name]);
    if (text('BACKSTOP_PRIMARY_URL') === undefined) return [];
    const keys = referencesOf(this.props).map((reference) => withReferences(this.fn, { ...reference }) as typeof reference);
    return secretStatements(this.fn, {
      secretArn: text('BACKSTOP_PRIMARY_TOKEN_SECRET_ARN'),
      parameter: text('BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER'),
      ciphertext: text('BACKSTOP_PRIMARY_TOKEN_KMS'),
      keyId: text('BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID'),
      texts: [text('BACKSTOP_PRIMARY_TOKEN'), text('BACKSTOP_PRIMARY_HEADERS')],
    }, keys);
  }

  /** What a variable is: what the function says itself, or what is wanted. */
  private inForce(): (name: string, other?: string) => string | undefined {
    const resolve = (value: unknown) => withReferences(this.fn, value);
    const environment = resolve(this.own.environment) as { variables?: object } | undefined;
    const variables: Record<string, unknown> = {
      ...globalsOf(this.fn).Environment?.Variables, ...environment?.variables, ...this.overriddenVariables(resolve),
    };
    return (name, other) => {
      // A token is looked into: that of an alias holds its name.
      const value = name in variables ? variables[name] : resolve(other);
      return isSet(value) ? Token.asString(value) : undefined;
    };
  }

  /** The fallback, with what the function says itself. */
  private fallback(): BackstopFallback {
    const own = this.inForce();
    const fallback = fallbackOf(this.props);
    const order = own('BACKSTOP_FALLBACK', fallback.order?.join(','));
    return {
      ...fallback,
      // Of an order that only the deployment knows, each fallback may be used.
      order: order === undefined || Token.isUnresolved(order) ? undefined : order.split(',').map((name) => name.trim() as BackstopSink),
      firehoseStream: own('BACKSTOP_FIREHOSE_STREAM', fallback.firehoseStream),
      s3Bucket: own('BACKSTOP_S3_BUCKET', fallback.s3Bucket),
      s3Prefix: own('BACKSTOP_S3_PREFIX', fallback.s3Prefix),
      s3Region: own('BACKSTOP_S3_REGION', fallback.s3Region),
      s3KmsKeyId: own('BACKSTOP_S3_KMS_KEY_ID', fallback.s3KmsKeyId),
    };
  }

  private get refusal(): string {
    return `Backstop is not attached to ${this.fn.node.path}.`;
  }

  /** Says each problem once. */
  private tell(problems: readonly string[]): void {
    problems.filter((problem) => !this.reported.has(problem)).forEach((problem) => this.fail(problem));
  }

  private fail(problem: string): void {
    this.reported.add(problem);
    Annotations.of(this.fn).addError(`${this.refusal} ${problem}`);
  }

  private warn(id: string, message: string): void {
    // What comes of the settings and not of the function: the stack says it once.
    const isShared = this.mistakes !== undefined && OF_THE_SETTINGS.includes(id);
    if (isShared && !isFirst(Stack.of(this.fn), id)) return;
    Annotations.of(isShared ? Stack.of(this.fn) : this.fn).addWarningV2(`backstop-cdk:${id}`, message);
  }

  /** Whether other settings come to the same. */
  private isSame(props: BackstopProps): boolean {
    if (props === this.props) return true;
    const architecture = architectureOf(this.fn);
    const isSameLayer = isImage(this.fn) || architecture === undefined || giveTheSame(props.layer, this.props.layer, this.fn, architecture);
    const [other, chosen] = [props, this.props].map((one) => identityOf(this.fn, Object.entries(variablesOf(one)).sort()));
    return isSameLayer && other === chosen;
  }

  private resolved(value: unknown): unknown {
    return Stack.of(this.fn).resolve(value);
  }
}

/** What says the role: the property, or what overrides it. */
const roleIn = (fn: FunctionResource): unknown => ('Role' in overridesOf(fn) ? overridesOf(fn).Role : fn.role);
