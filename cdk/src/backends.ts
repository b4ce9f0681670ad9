/**
 * A backend by its name: the address, the format and the headers that it stands for, and what is wrong with it.
 *
 * Pure. The facts are the extension's own, and the words are those of the installer. Must not: quote the value of an
 * option, which may be a token in the wrong place.
 */
import { Token } from 'aws-cdk-lib';
import { BackendFacts, FACTS } from './backends.generated';

/** What a backend stands for. */
export interface ResolvedBackend {
  readonly url: string;
  readonly format: string;
  readonly headers: [string, string][];
  /** The header of the token, where it is not the format's own. */
  readonly tokenHeader?: string;
  readonly tokenPrefix: string;
  readonly needsToken: boolean;
}

/** A backend with its options put in, or everything that is wrong with them. */
export function resolveBackend(name: string, given: { [option: string]: string }): { backend?: ResolvedBackend; problems: string[] } {
  const facts = own(FACTS.backends, name);
  if (!facts) {
    const meant = nearest(name, Object.keys(FACTS.backends));
    return {
      problems: [meant ? `there is no backend "${name}": did you mean ${meant}?`
        : `there is no backend of this name: use ${Object.keys(FACTS.backends).join(', ')}`],
    };
  }
  const problems = Object.keys(given).filter((option) => !own(facts.options, option)).map((option) => unknown(name, facts, option));
  const texts: { [option: string]: string } = {};
  for (const [option, { required, default: initial, words, pattern, advice, meaning }] of Object.entries(facts.options)) {
    const text = own(given, option) ?? initial ?? undefined;
    if (text === undefined) {
      if (required) problems.push(`the backend ${name} needs the option ${option}: ${meaning}`);
      continue;
    }
    const isOfWords = Object.keys(words).length > 0;
    const isValid = isOfWords ? own(words, text) !== undefined : Token.isUnresolved(text) || new RegExp(pattern).test(text);
    if (!isValid) problems.push(`the option ${option} of the backend ${name} is not valid: ${advice}`);
    texts[option] = own(words, text) ?? text;
  }
  if (problems.length > 0) return { problems };
  const filled = (template: string) => template.replace(/\{(\w+)\}/g, (_, option) => texts[option]);
  const isGiven = (template: string) => [...template.matchAll(/\{(\w+)\}/g)].every(([, option]) => option in texts);
  return {
    problems,
    backend: {
      url: filled(facts.url),
      format: facts.format,
      headers: Object.entries(facts.headers).filter(([, value]) => isGiven(value)).map(([header, value]) => [header, filled(value)]),
      tokenHeader: facts.token_header ?? undefined,
      tokenPrefix: filled(facts.token_prefix),
      needsToken: facts.needs_token,
    },
  };
}

/** What is wrong with the options of a format; what is known later is not judged. */
export function formatOptionProblems(format: string, given: { [option: string]: string }): string[] {
  const facts = own(FACTS.formats, format);
  if (!facts) return [];
  const known = Object.keys(facts.options);
  const others = Object.keys(given).some((option) => !known.includes(option));
  const problems = !others ? [] : [known.length === 0 ? `the format ${format} has no options: remove them`
    : `the format ${format} has only the options ${known.join(', ')}: remove the others`];
  for (const [option, value] of Object.entries(given)) {
    const pattern = own(facts.options, option);
    if (pattern !== undefined && !Token.isUnresolved(value) && !new RegExp(pattern).test(value)) {
      problems.push(`the option ${option} of the format ${format} is not valid: docs/configuration.md lists what it accepts`);
    }
  }
  return problems;
}

/** The header that a token is sent in, in lower case. */
export function headerOfToken(format: string): string {
  return own(FACTS.formats, format)?.token_header ?? 'authorization';
}

function unknown(name: string, facts: BackendFacts, option: string): string {
  const known = Object.keys(facts.options);
  const meant = nearest(option, known);
  return meant ? `the backend ${name} has no option "${option}": did you mean ${meant}?`
    : `the backend ${name} has only the options ${known.join(', ')}: remove the others`;
}

/** Without what every object has. */
function own<T>(values: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.prototype.hasOwnProperty.call(values, name) ? values[name] : undefined;
}

/** The name that shares the most pairs of letters with a text, if it shares two of five: as the installer counts. */
function nearest(text: string, names: string[]): string | undefined {
  const pairs = (word: string) => [...new Set([...word.toLowerCase()].slice(1).map((letter, at) => word.toLowerCase()[at] + letter))];
  // A token is longer than any name.
  if (text.length > 24) return undefined;
  const shares = names.map((name) => {
    const [mine, others] = [pairs(text), pairs(name)];
    const shared = mine.filter((pair) => others.includes(pair)).length;
    return { name, share: shared > 0 && 5 * shared >= mine.length + others.length ? shared / (mine.length + others.length) : 0 };
  });
  const best = Math.max(0, ...shares.map(({ share }) => share));
  return shares.find(({ share }) => share > 0 && share === best)?.name;
}
