// The project's set-up: `npx projen` writes package.json, .jsii's settings, lint and test settings from
// here. Versions are exact, so that what was tested is what is used.
const { awscdk, javascript } = require('projen');

const project = new awscdk.AwsCdkConstructLibrary({
  name: 'backstop-cdk',
  description: 'Puts Backstop beside Lambda functions: their telemetry, when the backend is slow or down',
  author: 'The Backstop authors',
  authorAddress: 'https://github.com/backstop-telemetry',
  authorOrganization: true,
  repositoryUrl: 'https://github.com/backstop-telemetry/backstop.git',
  packageManager: javascript.NodePackageManager.NPM,
  defaultReleaseBranch: 'main',
  license: 'Apache-2.0',
  stability: 'experimental',
  keywords: ['aws', 'cdk', 'lambda', 'telemetry', 'logs', 'observability'],

  // The least that is promised, which the synthesis in Python uses; the tests here use the pinned ones below.
  cdkVersion: '2.263.0',
  constructsVersion: '10.5.0',
  peerDependencyOptions: { pinnedDevDependency: false },
  jsiiVersion: '5.9.54',
  typescriptVersion: '5.9.3',
  minNodeVersion: '20.0.0',
  projenVersion: '0.103.25',
  devDeps: [
    '@aws-cdk/aws-lambda-python-alpha@2.269.0-alpha.0',
    'aws-cdk@2.1148.1',
    'aws-cdk-lib@2.276.0',
    'cdk-nag@3.0.2',
    'fast-check@4.10.2',
    'jsii-pacmak@1.140.0',
  ],

  publishToPypi: { distName: 'backstop-cdk', module: 'backstop_cdk' },
  publishToMaven: {
    javaPackage: 'dev.backstop_telemetry.cdk',
    mavenGroupId: 'dev.backstop-telemetry',
    mavenArtifactId: 'backstop-cdk',
  },
  publishToGo: { moduleName: 'github.com/backstop-telemetry/backstop-cdk-go', packageName: 'backstopcdk' },
  // Not `Backstop.Cdk`: in C# the class `Backstop` would be hidden by the namespace's first part.
  publishToNuget: { dotNetNamespace: 'BackstopTelemetry.Cdk', packageId: 'BackstopTelemetry.Cdk' },

  // The repository has its own continuous integration and release, and one licence for everything.
  github: false,
  release: false,
  depsUpgrade: false,
  pullRequestTemplate: false,
  gitpod: false,
  licensed: true,
  buildWorkflow: false,
  sampleCode: false,
  // Types are checked by the compiler; the tests need not do it once more, file by file.
  tsconfigDev: { compilerOptions: { isolatedModules: true } },
});

// 1.13.0 came out without the binaries for half of its platforms, and a lock file cannot name those.
project.package.addField('overrides', { 'unrs-resolver': '1.12.2' });
// The workspace's, which a test holds it to: it is in the packages' names and in the layers'.
project.package.addVersion('0.1.0');

// The examples are tests too, of this library and no other.
project.jest.addModuleNameMappers({ '^backstop-cdk$': '<rootDir>/src' });

// What only whoever works on the library needs.
project.npmignore.exclude('/scripts/', '/tests/');

// The gateway's configuration is in the package, and in the repository once: in gateway/collector.
project.preCompileTask.exec('scripts/assets');
project.gitignore.exclude('/gateway/');

// A lock file without the host that this machine installs from.
project.npmrc.addConfig('omit-lockfile-registry-resolved', 'true');

project.synth();
