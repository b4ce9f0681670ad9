// Writes src/register.ts from docs/configuration.md, which is itself generated from the extension's register:
// names and bounds are written down once. `node scripts/register.js` after a change there; a test compares.
const fs = require('fs');
const path = require('path');

const SOURCE = path.join(__dirname, '..', '..', 'docs', 'configuration.md');
const TARGET = path.join(__dirname, '..', 'src', 'register.ts');

/** What is written in code marks in a text. */
const marked = (text) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]);

/** The kind of a variable, from its line of values. */
function kindOf(values) {
  const now = values.replace(/\(in a later version: [^)]*\)/, '');
  if (now.startsWith('one of ')) return { kind: 'oneOf', values: marked(now) };
  if (now.startsWith('some of ')) return { kind: 'someOf', values: marked(now) };
  const bounds = /^`(\d+)` to `(\d+)`/.exec(now);
  if (bounds) return { kind: 'integer', min: Number(bounds[1]), max: Number(bounds[2]) };
  if (now.startsWith('an address')) return { kind: 'address' };
  if (now.startsWith('`key=value')) return { kind: 'pairs' };
  if (now.startsWith('text')) return { kind: 'text' };
  throw new Error(`no kind is known for values such as: ${values}`);
}

/** Every variable of the reference. */
function variables(reference) {
  const [, listed] = /\n## Variables\n([\s\S]*?)\n## /.exec(reference);
  return listed.split('\n### ').slice(1).map((part) => {
    const name = marked(part)[0];
    const values = /\n- Values: (.*)/.exec(part)[1];
    return { name, secret: values.includes('*secret*'), ...kindOf(values) };
  });
}

/** The text of src/register.ts. */
function render(reference) {
  const quoted = (value) => (typeof value === 'string' ? `'${value}'`
    : Array.isArray(value) ? `[${value.map(quoted).join(', ')}]` : String(value));
  const rows = variables(reference).map((variable) => {
    const fields = Object.entries(variable).map(([key, value]) => `${key}: ${quoted(value)}`);
    return `  { ${fields.join(', ')} },`;
  });
  return `// Generated from docs/configuration.md by \`node scripts/register.js\`: do not edit.

/** A variable of the extension's environment, and what it accepts. */
export interface Variable {
  readonly name: string;
  readonly secret: boolean;
  readonly kind: 'address' | 'integer' | 'oneOf' | 'pairs' | 'someOf' | 'text';
  readonly values?: readonly string[];
  readonly min?: number;
  readonly max?: number;
}

/** Every variable of this version. */
export const REGISTER: readonly Variable[] = [
${rows.join('\n')}
];
`;
}

module.exports = { SOURCE, TARGET, render };

if (require.main === module) {
  fs.writeFileSync(TARGET, render(fs.readFileSync(SOURCE, 'utf8')));
}
