import * as fs from 'fs';
import { REGISTER } from '../src/register';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const { SOURCE, TARGET, render } = require('../scripts/register');

test('the register is the one of the reference', () => {
  expect(fs.readFileSync(TARGET, 'utf8')).toEqual(render(fs.readFileSync(SOURCE, 'utf8')));
});

test('no variable of the reference is missing', () => {
  const headings = fs.readFileSync(SOURCE, 'utf8').match(/^### `BACKSTOP_\w+`$/gm);
  expect(REGISTER.map((variable) => `### \`${variable.name}\``)).toEqual(headings);
});
