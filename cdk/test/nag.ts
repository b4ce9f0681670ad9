/** What cdk-nag says; a file of its own, as loading it takes time. */
import { App, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { ENV } from './app';

/** What cdk-nag's AwsSolutions says of a stack; the empty text is nothing. */
export function verdictOn(build: (stack: Stack) => void): string {
  const app = new App();
  const stack = new Stack(app, 'Shop', { env: ENV });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  build(stack);
  try {
    app.synth();
    return '';
  } catch (error) {
    return String(error);
  }
}
