// Writes src/register.ts from crates/config/register.json, which the extension's register writes: names, bounds
// and defaults are written down once. Run `node scripts/register.js` after a change there; a test compares.
const fs = require('fs');
const path = require('path');

const SOURCE = path.join(__dirname, '..', '..', 'crates', 'config', 'register.json');
const TARGET = path.join(__dirname, '..', 'src', 'register.ts');

/** What the library uses of a variable, in this order. */
const FIELDS = ['name', 'secret', 'kind', 'values', 'min', 'max', 'default'];

/** The text of src/register.ts. */
function render(register) {
  const quoted = (value) => (typeof value === 'string' ? `'${value}'`
    : Array.isArray(value) ? `[${value.map(quoted).join(', ')}]` : String(value));
  const rows = JSON.parse(register).variables.map((variable) => {
    const fields = FIELDS.filter((key) => key in variable).map((key) => `${key}: ${quoted(variable[key])}`);
    return `  { ${fields.join(', ')} },`;
  });
  return `// Generated from crates/config/register.json by \`node scripts/register.js\`: do not edit.

/** A variable of the extension's environment, and what it accepts. */
export interface Variable {
  readonly name: string;
  readonly secret: boolean;
  readonly kind: 'address' | 'integer' | 'oneOf' | 'pairs' | 'someOf' | 'text';
  readonly values?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** What the extension reads where the variable is not set. */
  readonly default?: string;
}

/** Every variable of this version. */
export const REGISTER: readonly Variable[] = [
${rows.join('\n')}
];

/** What the extension reads where a variable that has a default is not set. */
export const defaultOf = (name: string): string => REGISTER.find((variable) => variable.name === name)!.default!;
`;
}

module.exports = { SOURCE, TARGET, render };

if (require.main === module) {
  fs.writeFileSync(TARGET, render(fs.readFileSync(SOURCE, 'utf8')));
}
