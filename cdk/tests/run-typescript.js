// Runs an example in TypeScript against the built library, without a compiler's set-up of its own:
// `node tests/run-typescript.js examples/typescript/app.ts`.
const fs = require('fs');
const Module = require('module');
const path = require('path');
const ts = require('typescript');

const find = Module._resolveFilename;
Module._resolveFilename = (request, ...others) => find(request === 'backstop-cdk' ? path.join(__dirname, '..') : request, ...others);
Module._extensions['.ts'] = (module, file) => {
  const { outputText } = ts.transpileModule(fs.readFileSync(file, 'utf8'), { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } });
  module._compile(outputText, file);
};

require(path.resolve(process.argv[2]));
