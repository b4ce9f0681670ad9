/** The ways to attach: to one function, to all that a selector chooses, as Aspect and as Mixin. */
import { Annotations, AspectPriority, Aspects, IAspect, Mixin, Stack, Stage } from 'aws-cdk-lib';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct, IConstruct } from 'constructs';
import { attachFromAspect, attachTo, isAttachment, Mistakes } from './attachment';
import { DEFAULT_CHILDREN, FunctionResource, isFunctionResource, isGenericResource } from './function';
import { BackstopProps } from './settings';

/** Settings of Backstop for functions below a construct, and a selection of them: a function must meet all conditions. */
export interface BackstopAttachAllProps extends BackstopProps {
  /**
   * Patterns of construct paths, one of which must match: `*` matches any text, as in `Shop/Payments*`. A pattern that
   * matches no function is an error.
   * @default - all
   */
  readonly include?: string[];
  /**
   * Patterns of construct paths to leave out.
   * @default - none
   */
  readonly exclude?: string[];
}

// After those that change functions, before those that only look.
const PRIORITY = AspectPriority.READONLY - 100;

// Nearer than any scope, and less so than a name: a mixin may be for a whole app.
const AT_ONCE = Number.MAX_SAFE_INTEGER;

/** Attaches Backstop to functions. */
export class Backstop {
  /**
   * Attaches to one function: of any class of `aws-cdk-lib`, a `CfnFunction`, SAM's, an alias or a version
   * of one of these, or a construct that contains one.
   *
   * @param fn the function
   * @param props the settings
   */
  public static attach(fn: IConstruct, props: BackstopProps): void {
    const found = resourceOf(fn);
    if (found) {
      attachTo(found, { props });
    } else {
      Annotations.of(fn).addError(`${notAttached(fn)} ${isGenericResource(fn) ? GENERIC : isImported(fn) ? IMPORTED : NONE}`);
    }
  }

  /** The functions below a construct: an app, a stage, a stack, or less. */
  public static of(scope: IConstruct): BackstopScope {
    return new BackstopScope(scope);
  }

  private constructor() {}
}

/** Functions below a construct. */
export class BackstopScope {
  /** @internal */
  public constructor(private readonly scope: IConstruct) {}

  /**
   * Attaches to all functions that exist when the app is synthesised, or to those that you select. Call it
   * after you create the app's stages, and before a pipeline synthesises one of them in `addStage`.
   *
   * @param props the settings, and the functions they are for
   */
  public attachAll(props: BackstopAttachAllProps): void {
    refuseSecond(arguments.length, 'attachAll');
    const { scope } = this;
    const aspect = new BackstopAspect(props);
    aspect._nearness = scope.node.scopes.length;
    const stages = () => scope.node.findAll().filter((node) => node !== scope && Stage.isStage(node));
    // A stage is synthesised for itself, before what it is in, and without the Aspects of that.
    const covered = new Set<IConstruct>([scope, ...stages()]);
    covered.forEach((root) => Aspects.of(root).add(aspect, { priority: PRIORITY }));
    // At the root, as a stage that was synthesised already is not looked at again.
    scope.node.root.node.addValidation({
      validate: () => {
        const missed = [scope, ...stages()].filter((root) => !aspect._visited.has(root));
        return missed.map((root) =>
          `attachAll has not reached ${root.node.path || 'the app'}: call it after you create all stages, and before one of them is synthesised, for example by addStage of a pipeline.`);
      },
    });
  }
}

/** Attaches to each function that it visits. */
export class BackstopAspect implements IAspect {
  /**
   * How near its scope is to functions, where that is not the construct at which it is.
   * @internal
   */
  public _nearness?: number;
  /**
   * The stages and other scopes that it has come to.
   * @internal
   */
  public readonly _visited = new Set<IConstruct>();
  private readonly selection: Selection;

  constructor(private readonly props: BackstopAttachAllProps) {
    refuseSecond(arguments.length, 'BackstopAspect');
    this.selection = new Selection(props);
  }

  public visit(node: IConstruct): void {
    this._visited.add(node);
    this.selection.watch(node);
    if (isAttachment(node)) {
      node.settle();
    } else if (isFunctionResource(node)) {
      const nearness = this._nearness ?? this.nearnessTo(node);
      if (this.selection.chooses(node)) attachFromAspect(node, { props: this.props, nearness, mistakes: this.selection.mistakes });
    } else if (isGenericResource(node) && this.selection.chooses(node)) {
      Annotations.of(node).addInfoV2('backstop-cdk:genericResource', `${notAttached(node)} ${GENERIC}`);
    } else if (isImported(node) && this.selection.chooses(node)) {
      Annotations.of(node).addWarningV2('backstop-cdk:imported', `${notAttached(node)} ${IMPORTED}`);
    }
  }

  /** How deep the nearest construct is at which it is. */
  private nearnessTo({ node }: IConstruct): number {
    return Math.max(...node.scopes.map((scope, depth) => (Aspects.of(scope).all.includes(this) ? depth + 1 : 0)));
  }
}

/** Attaches to functions at once: `Mixins.of(scope).apply(new BackstopMixin(…))`, `fn.with(…)`. */
export class BackstopMixin extends Mixin {
  private readonly selection: Selection;

  constructor(private readonly props: BackstopAttachAllProps) {
    super();
    refuseSecond(arguments.length, 'BackstopMixin');
    this.selection = new Selection(props);
  }

  public supports(construct: IConstruct): boolean {
    this.selection.watch(construct);
    const found = resourceOf(construct);
    return found !== undefined && this.selection.chooses(found);
  }

  public applyTo(construct: IConstruct): void {
    const found = resourceOf(construct);
    if (found) attachTo(found, { props: this.props, nearness: AT_ONCE, mistakes: this.selection.mistakes });
  }
}

/** In JavaScript nothing else would tell of a selector that is not read. */
function refuseSecond(count: number, what: string): void {
  if (count > 1) throw new Error(`${what} takes include and exclude inside its props: put them next to layer and primary.`);
}

const notAttached = (construct: IConstruct) => `Backstop is not attached to ${construct.node.path}.`;
const IMPORTED = 'This app does not create the function: attach where it is created, or with `backstop attach`.';
const GENERIC = "It is a generic CfnResource, as CDK's own small functions are: for a function of yours use CfnFunction.";
const NONE = 'It is not a function, and its default child is not a function either: give a function.';

/** The resource of a function, however it is wrapped. */
function resourceOf(construct: IConstruct): FunctionResource | undefined {
  if (isFunctionResource(construct)) return construct;
  // An alias or a version is of a function; a SingletonFunction's is elsewhere, where its permissions are.
  const { lambda, permissionsNode } = construct as Partial<IFunction & { lambda: IFunction }>;
  if (Construct.isConstruct(lambda) && lambda as unknown !== construct) return resourceOf(lambda);
  const node = permissionsNode ?? construct.node;
  // With both CDK does not say which of them it is, but throws.
  if (DEFAULT_CHILDREN.every((id) => node.tryFindChild(id))) return undefined;
  return node.defaultChild && node.defaultChild !== construct ? resourceOf(node.defaultChild) : undefined;
}

/** Whether this is a function of which there is no resource in the app. */
function isImported(construct: IConstruct): boolean {
  const { functionArn, permissionsNode } = construct as Partial<IFunction>;
  return functionArn !== undefined && permissionsNode !== undefined && resourceOf(construct) === undefined;
}

/** What is chosen, which of the patterns have chosen something, and what is wrong for all that is chosen. */
class Selection {
  public readonly mistakes: Mistakes = new Set();
  private readonly include?: [string, RegExp][];
  private readonly exclude: [string, RegExp][];
  private readonly used = new Set<RegExp>();
  private isWatched = false;

  constructor({ include, exclude }: BackstopAttachAllProps) {
    const patterns = (texts: string[]) => texts.map((text): [string, RegExp] => [text, pattern(text)]);
    this.include = include && patterns(include);
    this.exclude = patterns(exclude ?? []);
  }

  public chooses({ node }: IConstruct): boolean {
    // Of a function and its resource below it people know the function's path.
    const paths = node.scope && DEFAULT_CHILDREN.includes(node.id) ? [node.path, node.scope.node.path] : [node.path];
    const fitting = (patterns: [string, RegExp][]) => patterns.filter(([, one]) => paths.some((path) => one.test(path)));
    const [included, excluded] = [fitting(this.include ?? []), fitting(this.exclude)];
    [...included, ...excluded].forEach(([, one]) => this.used.add(one));
    return (this.include === undefined || included.length > 0) && excluded.length === 0;
  }

  /** Reports to the app, once and at its end, mistakes in the settings and patterns that have chosen nothing. */
  public watch({ node }: IConstruct): void {
    if (this.isWatched) return;
    this.isWatched = true;
    const { root } = node;
    const unused = (patterns: [string, RegExp][]) => patterns.filter(([, one]) => !this.used.has(one)).map(([text]) => text);
    root.node.addValidation({
      validate: () => {
        for (const text of unused(this.exclude)) {
          // What is said of the app itself is shown nowhere, and its stages are written by now.
          const shown = root.node.findAll().find((one) => Stack.isStack(one) && Stage.of(one) === root) ?? root;
          Annotations.of(shown).addWarningV2('backstop-cdk:nothingExcluded', `No function has a path that matches \`${text}\` in exclude: check the path; a SingletonFunction's resource, for example, has another path.`);
        }
        const mistakes = [...this.mistakes].map((mistake) => `These settings attach Backstop to no function. ${mistake}`);
        return mistakes.concat(unused(this.include ?? []).map((text) => `No function has a path that matches \`${text}\` in include: correct it, or remove it.`));
      },
    });
  }
}

const pattern = (text: string) =>
  new RegExp(`^${text.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
