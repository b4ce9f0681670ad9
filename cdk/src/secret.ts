/**
 * Secrets of the primary. The extension reads its environment and nothing else, so that a secret becomes a
 * variable; a dynamic reference keeps the value itself out of the template.
 */
import { SecretValue, Token, Tokenization } from 'aws-cdk-lib';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { IStringParameter } from 'aws-cdk-lib/aws-ssm';

/**
 * A secret to send to the primary.
 *
 * The template holds a reference, and CloudFormation puts the value into the function's environment when it
 * deploys: everyone who can read the function's configuration can read it, and a rotated secret arrives with the next
 * deployment that changes the function.
 */
export class BackstopSecret {
  /**
   * A secret of Secrets Manager.
   *
   * @param secret the secret
   * @param field the key to read if the secret is a JSON object; without it, the whole secret
   */
  public static fromSecretsManager(secret: ISecret, field?: string): BackstopSecret {
    const value: SecretValue = field === undefined ? secret.secretValue : secret.secretValueFromJson(field);
    return new BackstopSecret(value.unsafeUnwrap(), false);
  }

  /**
   * A parameter of type String in Parameter Store. CloudFormation puts no SecureString into a function's
   * environment: use Secrets Manager instead.
   */
  public static fromStringParameter(parameter: IStringParameter): BackstopSecret {
    return new BackstopSecret(parameter.stringValue, false);
  }

  /** A value that is in the template in plain text. For tests, and for headers that are not secret. */
  public static unsafePlainText(value: string): BackstopSecret {
    // A variable that is not set, as in `process.env.TOKEN!`, is an empty token, which is reported where it is used.
    return new BackstopSecret(value ?? '', true);
  }

  private constructor(private readonly value: string, private readonly plain: boolean) {}

  /**
   * The text for the environment: a reference, unless it is plain.
   * @internal
   */
  public _value(): string {
    return this.value;
  }

  /**
   * Whether the value is in the template.
   * @internal
   */
  public _isPlain(): boolean {
    return this.plain && !Token.isUnresolved(this.value);
  }

  /**
   * Whether this is a SecureString, which CloudFormation refuses here.
   * @internal
   */
  public _isSecureString(): boolean {
    return Tokenization.reverseString(this.value).tokens.some((token) =>
      JSON.stringify((token as { value?: unknown }).value ?? '').includes('{{resolve:ssm-secure:'))
      || this.value.includes('{{resolve:ssm-secure:');
  }
}
