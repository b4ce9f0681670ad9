/**
 * Where the extension's layer comes from: published by this app, by another one, or by the command line.
 *
 * A layer is of one region and one architecture. What a source cannot give it says in a sentence, which
 * becomes an error at the function; it never throws, so that all that is wrong is told together.
 */
import * as fs from 'fs';
import * as path from 'path';
import { Aws, CfnDeletionPolicy, CfnMapping, CfnResource, Fn, Stack, Token } from 'aws-cdk-lib';
import { Architecture, CfnLayerVersion, CfnLayerVersionPermission } from 'aws-cdk-lib/aws-lambda';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnParameter as CfnStringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct, IConstruct } from 'constructs';

/** What a source of layers answers: an ARN, or why there is none. */
export interface BackstopLayerAnswer {
  /**
   * The ARN of the layer version.
   * @default - there is none
   */
  readonly arn?: string;
  /**
   * Why there is none, in a sentence that says what to do.
   * @default - there is an ARN
   */
  readonly problem?: string;
}

/** Where the extension's layer comes from. */
export interface IBackstopLayer {
  /**
   * The layer for a function.
   *
   * @param scope the function
   * @param architecture `x86_64` or `arm64`
   */
  layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer;
}

/** Who may use a layer, beyond its own account. */
export interface BackstopLayerSharing {
  /**
   * Accounts, by their 12 digits.
   * @default - none
   */
  readonly accounts?: string[];
  /**
   * An organisation, by its id, `o-…`.
   * @default - none
   */
  readonly organizationId?: string;
  /**
   * Everybody.
   * @default false
   */
  readonly everybody?: boolean;
}

/** A release to publish. */
export interface BackstopLayerProps {
  /** The directory with `extension-x86_64.zip` and `extension-arm64.zip`, or one of the two. */
  readonly directory: string;
  /**
   * The release, which is in the layer's name.
   * @default - the release that this library is of
   */
  readonly release?: string;
  /**
   * Who may use it, beyond its own account.
   * @default - nobody
   */
  readonly shareWith?: BackstopLayerSharing;
  /**
   * Whether versions stay in AWS when they are replaced or destroyed: a function somewhere may name them.
   * @default true
   */
  readonly retain?: boolean;
  /**
   * Also write each ARN to Parameter Store, under `PREFIX/RELEASE/ARCHITECTURE`, from where other stacks and
   * apps read it by `BackstopLayer.fromParameters`.
   * @default - no parameter
   */
  readonly parameterPrefix?: string;
}

/** How to read the manifest of `backstop layer publish`. */
export interface BackstopManifestOptions {
  /**
   * The account that has published.
   * @default - the function's own, or the only one in the manifest
   */
  readonly account?: string;
}

const ARCHITECTURES = [Architecture.X86_64.name, Architecture.ARM_64.name];

/** The form of the manifest. */
const SCHEMA = 1;

/** The release that this library is of: `backstop layer publish` names layers by it. */
const RELEASE = '0.1.0';

/** The stack that is deployed: a nested one is part of it. */
function outermost(scope: IConstruct): Stack {
  let stack = Stack.of(scope);
  while (stack.nestedStackParent) stack = stack.nestedStackParent;
  return stack;
}

function keep(resource: CfnResource, retain: boolean): void {
  resource.cfnOptions.deletionPolicy = retain ? CfnDeletionPolicy.RETAIN : CfnDeletionPolicy.DELETE;
  resource.cfnOptions.updateReplacePolicy = resource.cfnOptions.deletionPolicy;
}

/** A layer version and who may use it. */
function publish(scope: Construct, architecture: string, zip: string, props: BackstopLayerProps): CfnLayerVersion {
  const retain = props.retain ?? true;
  const release = props.release ?? RELEASE;
  const asset = new Asset(scope, `Zip-${architecture}`, { path: zip });
  // With the content in its id, another content is another resource: a function's text changes with it, and so
  // its `currentVersion` is published anew.
  const id = `${architecture}-${asset.assetHash.slice(0, 8)}`;
  const version = new CfnLayerVersion(scope, id, {
    layerName: `backstop-extension-${architecture}-${release.replace(/\./g, '-')}`,
    description: `Backstop ${release}`,
    licenseInfo: 'Apache-2.0',
    compatibleArchitectures: [architecture],
    content: { s3Bucket: asset.s3BucketName, s3Key: asset.s3ObjectKey },
  });
  asset.addResourceMetadata(version, 'Content');
  keep(version, retain);

  const { accounts, organizationId, everybody } = props.shareWith ?? {};
  const grants: [string, string, string?][] = (accounts ?? []).map((account) => [`account-${account}`, account]);
  if (organizationId) grants.push([`organization-${organizationId}`, '*', organizationId]);
  if (everybody) grants.push(['everybody', '*']);
  for (const [name, principal, organization] of grants) {
    keep(new CfnLayerVersionPermission(scope, `${id}-${name}`, {
      action: 'lambda:GetLayerVersion', layerVersionArn: version.ref, principal, organizationId: organization,
    }), retain);
  }
  if (props.parameterPrefix) {
    new CfnStringParameter(scope, `Parameter-${architecture}`, {
      name: parameterName(props.parameterPrefix, release, architecture), type: 'String', value: version.ref,
    });
  }
  return version;
}

function parameterName(prefix: string, release: string, architecture: string): string {
  return `/${prefix.replace(/^\/+|\/+$/g, '')}/${release}/${architecture}`;
}

/**
 * Publishes a release in the stack that it is in, for that stack's functions. Functions of other stacks take
 * it by `fromParameters`: a reference between the stacks could not be updated while it is used.
 */
export class BackstopLayer extends Construct implements IBackstopLayer {
  /** One layer version, by its ARN and the architecture that it is for. */
  public static fromArn(arn: string, architecture: Architecture): IBackstopLayer {
    return new ListedLayers([{ arn, architecture: architecture.name }]);
  }

  /** Layer versions with the names that Backstop gives, which hold region and architecture. */
  public static fromArns(arns: string[]): IBackstopLayer {
    return new ListedLayers(arns.map((arn) => ({ arn, architecture: /:layer:backstop-extension-(x86_64|arm64)-/.exec(arn)?.[1] })));
  }

  /** What `backstop layer publish --manifest FILE` has written, as JSON or as `.tfvars.json`. */
  public static fromManifest(file: string, options: BackstopManifestOptions = {}): IBackstopLayer {
    return new ManifestLayers(file, options);
  }

  /** What a `BackstopLayer` with this `parameterPrefix` has published in the function's account and region. */
  public static fromParameters(prefix: string, release: string = RELEASE): IBackstopLayer {
    return { layerFor: (_scope, architecture) => ({ arn: `{{resolve:ssm:${parameterName(prefix, release, architecture)}}}` }) };
  }

  /**
   * Publishes a release wherever it is used: once in each stack with a function of the architecture. The
   * way for an app of several stacks, regions or stages.
   */
  public static fromZips(props: BackstopLayerProps): IBackstopLayer {
    return new ZippedLayers(props);
  }

  private readonly versions: Record<string, CfnLayerVersion> = {};

  constructor(scope: Construct, id: string, props: BackstopLayerProps) {
    super(scope, id);
    for (const architecture of ARCHITECTURES) {
      const zip = zipOf(props, architecture);
      if (fs.existsSync(zip)) this.versions[architecture] = publish(this, architecture, zip, props);
    }
    if (Object.keys(this.versions).length === 0) {
      this.node.addValidation({ validate: () => [noZip(props, 'x86_64')] });
    }
  }

  /** The layer version for an architecture, where there is one. */
  public versionFor(architecture: Architecture): CfnLayerVersion | undefined {
    return this.versions[architecture.name];
  }

  public layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer {
    if (outermost(scope) !== outermost(this)) {
      return { problem: `The layer is published by the stack ${outermost(this).stackName}, and a reference from another one could not be updated: use BackstopLayer.fromZips, or parameterPrefix and BackstopLayer.fromParameters.` };
    }
    const version = this.versions[architecture];
    return version ? { arn: version.ref } : { problem: `The layer at ${this.node.path} has no zip for ${architecture}.` };
  }
}

const zipOf = (props: BackstopLayerProps, architecture: string) => path.resolve(props.directory, `extension-${architecture}.zip`);

const noZip = (props: BackstopLayerProps, architecture: string) =>
  `There is no extension-${architecture}.zip in ${props.directory}: download the release, or build it with scripts/package.`;

/** Zips that are published in each stack that needs them. */
class ZippedLayers implements IBackstopLayer {
  constructor(private readonly props: BackstopLayerProps) {}

  public layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer {
    const zip = zipOf(this.props, architecture);
    if (!fs.existsSync(zip)) return { problem: noZip(this.props, architecture) };
    if (this.props.parameterPrefix) {
      return { problem: 'BackstopLayer.fromZips publishes in each stack, and two stacks cannot write one parameter: use parameterPrefix with new BackstopLayer.' };
    }
    const stack = outermost(scope);
    // A release once in a stack, however many functions ask for it.
    const release = this.props.release ?? RELEASE;
    const id = `BackstopLayer-${architecture}-${release}`;
    const there = stack.node.tryFindChild(id) as PublishedLayer | undefined;
    if (there && JSON.stringify(there.props) !== JSON.stringify(this.props)) {
      return { problem: `The stack ${stack.stackName} publishes the release ${release} from ${there.props.directory} already, with other settings: use one BackstopLayer.fromZips for the app.` };
    }
    const { version } = there ?? new PublishedLayer(stack, id, architecture, zip, this.props);
    return { arn: version.ref };
  }
}

class PublishedLayer extends Construct {
  public readonly version: CfnLayerVersion;

  constructor(scope: Construct, id: string, architecture: string, zip: string, public readonly props: BackstopLayerProps) {
    super(scope, id);
    this.version = publish(this, architecture, zip, props);
  }
}

/** Layer versions by their ARNs. */
class ListedLayers implements IBackstopLayer {
  constructor(private readonly listed: { arn: string; architecture?: string }[]) {}

  public layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer {
    const fitting = this.listed.filter((layer) => layer.architecture === architecture);
    if (fitting.length === 0) {
      return { problem: `There is no layer for ${architecture}, which the function runs on: the extension could not start. Give the ARN of one.` };
    }
    const { region } = Stack.of(scope);
    const regionOf = (arn: string) => Token.isUnresolved(arn) ? undefined : arn.split(':')[3];
    const here = fitting.find(({ arn }) => Token.isUnresolved(region) || regionOf(arn) === undefined || regionOf(arn) === region);
    if (!here) {
      return { problem: `There is no layer in ${region}, only in ${fitting.map(({ arn }) => regionOf(arn)).join(', ')}: a function takes layers of its own region only.` };
    }
    if (Token.isUnresolved(region) && fitting.length > 1) {
      return { problem: 'The region of the stack is not known, and there are layers in several: give the stack an env, or use BackstopLayer.fromManifest.' };
    }
    return { arn: here.arn };
  }
}

type Regions = Record<string, Record<string, { arn: string }>>;

/** The command line's manifest: account by account, region by region, architecture by architecture. */
class ManifestLayers implements IBackstopLayer {
  private readonly accounts: Record<string, Regions> = {};
  private readonly problem?: string;

  constructor(private readonly file: string, private readonly options: BackstopManifestOptions) {
    const wrong = (why: string) => `The manifest ${file} ${why}: write it by \`backstop layer publish --manifest ${file}\`.`;
    try {
      const content = JSON.parse(fs.readFileSync(file, 'utf8'));
      const layers = content?.layers ?? content?.backstop_layers;
      if (typeof layers !== 'object' || layers === null || (content.schemaVersion ?? SCHEMA) !== SCHEMA) {
        this.problem = wrong(`is not one of this version of Backstop (schemaVersion ${SCHEMA})`);
      } else {
        this.accounts = layers;
      }
    } catch (error) {
      this.problem = wrong(`cannot be read (${(error as Error).message})`);
    }
  }

  public layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer {
    if (this.problem) return { problem: this.problem };
    const stack = Stack.of(scope);
    const accounts = Object.keys(this.accounts);
    const account = this.options.account ?? (accounts.includes(stack.account) ? stack.account : accounts.length === 1 ? accounts[0] : undefined);
    const regions = account === undefined ? undefined : this.accounts[account];
    if (!regions) {
      return { problem: `The manifest ${this.file} has ${accounts.length === 0 ? 'no account' : `the accounts ${accounts.join(', ')}`}: say by \`account\` which of them has published the layer for this function.` };
    }
    const arns = Object.entries(regions).filter(([, found]) => found[architecture])
      .map(([region, found]): [string, string] => [region, found[architecture].arn]);
    if (Token.isUnresolved(stack.region)) return this.mapped(stack, account!, architecture, arns);
    const here = arns.find(([region]) => region === stack.region);
    return here ? { arn: here[1] } : {
      problem: `The manifest ${this.file} has no layer for ${architecture} in ${stack.region}, only in ${arns.map(([region]) => region).join(', ') || 'no region'}: publish it there with \`backstop layer publish --regions ${stack.region}\`.`,
    };
  }

  /** Where the region is known at deployment only, CloudFormation chooses. */
  private mapped(stack: Stack, account: string, architecture: string, arns: [string, string][]): BackstopLayerAnswer {
    if (arns.length === 0) return { problem: `The manifest ${this.file} has no layer for ${architecture}.` };
    // CloudFormation takes letters and digits only in these names.
    const id = `BackstopLayers${account}${architecture.replace('_', '')}`;
    if (!stack.node.tryFindChild(id)) {
      new CfnMapping(stack, id, { mapping: Object.fromEntries(arns.map(([region, arn]) => [region, { arn }])) });
    }
    const mapping = stack.node.findChild(id) as CfnMapping;
    return { arn: Fn.findInMap(mapping.logicalId, Aws.REGION, 'arn') };
  }
}
