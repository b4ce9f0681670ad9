/** Layers that are published already: by their ARNs, or from the command line's manifest. */
import { createHash } from 'crypto';
import * as fs from 'fs';
import { Aws, CfnMapping, Stack, Token } from 'aws-cdk-lib';
import { IConstruct } from 'constructs';
import type { BackstopLayerAnswer, BackstopManifestOptions, IBackstopLayer } from './layer-base';

/** The form of the manifest. */
const SCHEMA = 1;

/** Lambda's form of a layer version's ARN, with its region and its name. */
const VERSION_ARN = /^arn:[^:]+:lambda:([^:]+):\d{12}:layer:([^:]+):\d+$/;

/** The architecture that the name says, if it is Backstop's. */
const architectureIn = (name: string) => /^backstop-extension-(x86_64|arm64)-/.exec(name)?.[1];

/** Layer versions by their ARNs; an architecture that is not said is in the name. */
export class ListedLayers implements IBackstopLayer {
  constructor(private readonly listed: { arn: string; architecture?: string }[]) {}

  public layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer {
    const fitting: { arn: string; region?: string }[] = [];
    for (const { arn, architecture: said } of this.listed) {
      const [, region, name] = Token.isUnresolved(arn) ? [] : VERSION_ARN.exec(arn) ?? [];
      if (!Token.isUnresolved(arn) && region === undefined) {
        return { problem: `"${arn}" is not the ARN of a layer version: write arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION.` };
      }
      const named = name === undefined ? undefined : architectureIn(name);
      if (said !== undefined && named !== undefined && said !== named) return { problem: `The layer ${arn} is for ${named} by its name, but is given for ${said}: correct one of the two.` };
      if ((said ?? named) === undefined) return { problem: `The name of the layer ${arn} does not say which architecture it is for: use BackstopLayer.fromArn.` };
      if ((said ?? named) === architecture) fitting.push({ arn, region });
    }
    if (fitting.length === 0) {
      return { problem: `There is no layer for ${architecture}, which the function runs on, so the extension could not start: give the ARN of one.` };
    }
    const { region } = Stack.of(scope);
    const here = fitting.find((layer) => Token.isUnresolved(region) || layer.region === undefined || layer.region === region);
    if (!here) {
      return { problem: `There is no layer in ${region}, only in ${fitting.map((layer) => layer.region).join(', ')}: a function takes only layers of its own region. Publish the layer there.` };
    }
    if (Token.isUnresolved(region) && fitting.length > 1) {
      return { problem: 'The region of the stack is not known, and there are layers in several regions: give the stack an env, or use BackstopLayer.fromManifest.' };
    }
    return { arn: here.arn };
  }
}

type Regions = Record<string, Record<string, { arn: string }>>;

/** Where in a manifest there is something else than ARNs of the region that they stand under. */
function oddEntry(layers: object): string | undefined {
  const entries = (value: unknown): [string, unknown][] => (typeof value === 'object' && value !== null ? Object.entries(value) : [['', undefined]]);
  for (const [account, regions] of entries(layers)) {
    for (const [region, architectures] of entries(regions)) {
      for (const [architecture, entry] of entries(architectures)) {
        const arn = (entry as { arn?: unknown } | null | undefined)?.arn;
        if (typeof arn !== 'string' || VERSION_ARN.exec(arn)?.[1] !== region) return [account, region, architecture].filter(Boolean).join('.');
      }
    }
  }
  return undefined;
}

/** The command line's manifest: account by account, region by region, architecture by architecture. */
export class ManifestLayers implements IBackstopLayer {
  private readonly accounts: Record<string, Regions> = {};
  private readonly problem?: string;

  constructor(private readonly file: string, private readonly options: BackstopManifestOptions) {
    const wrong = (why: string) => `The manifest ${file} ${why}: write it with \`backstop layer publish --manifest ${file}\`.`;
    try {
      const content = JSON.parse(fs.readFileSync(file, 'utf8'));
      const layers = content?.layers ?? content?.backstop_layers;
      if (typeof layers !== 'object' || layers === null || (content.schemaVersion ?? SCHEMA) !== SCHEMA) {
        this.problem = wrong(`is not a manifest of this version of Backstop (schemaVersion ${SCHEMA})`);
      } else {
        const odd = oddEntry(layers);
        if (odd) this.problem = wrong(`has no ARN of a layer version of that region at ${odd}`);
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
      return { problem: `The manifest ${this.file} has ${accounts.length === 0 ? 'no account' : `the accounts ${accounts.join(', ')}`}: set \`account\` to the one that published the layer for this function.` };
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
    if (arns.length === 0) return { problem: `The manifest ${this.file} has no layer for ${architecture}: publish one with \`backstop layer publish\`.` };
    const regions = Object.fromEntries(arns.map(([region, arn]) => [region, { arn }]));
    // With the content in its id, another content is another text of the function, and another `currentVersion`.
    const hash = createHash('sha256').update(JSON.stringify([account, architecture, regions])).digest('hex').slice(0, 12);
    const id = `BackstopLayers${hash}`;
    const mapping = stack.node.tryFindChild(id) as CfnMapping | undefined ?? new CfnMapping(stack, id, { mapping: regions, lazy: true });
    return { arn: mapping.findInMap(Aws.REGION, 'arn') };
  }
}
