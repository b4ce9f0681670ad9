import * as fs from 'fs';
import { defaultOf, REGISTER } from '../src/register';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const { SOURCE, TARGET, render } = require('../scripts/register');

test('the register is the one of the extension', () => {
  expect(fs.readFileSync(TARGET, 'utf8')).toEqual(render(fs.readFileSync(SOURCE, 'utf8')));
});

test('no variable of the extension is missing', () => {
  const names = [...fs.readFileSync(SOURCE, 'utf8').matchAll(/^    "name": "(BACKSTOP_\w+)",$/gm)].map((match) => match[1]);
  expect(names.length).toBeGreaterThan(20);
  expect(REGISTER.map((variable) => variable.name)).toEqual(names);
});

test('a default is the one of the extension', () => {
  expect(defaultOf('BACKSTOP_S3_PREFIX')).toBe('backstop');
});
