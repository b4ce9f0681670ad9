/**
 * Secrets of the primary: read by the function with its role, or put into its environment by CloudFormation.
 *
 * A reference is in the environment instead of the value; what it grants follows from its text, as for one that the
 * function's owner writes.
 */
import { SecretValue, Token, Tokenization } from 'aws-cdk-lib';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { IStringParameter } from 'aws-cdk-lib/aws-ssm';
import { keyBehind } from './fallback';
import { ReferenceVariable, RuntimeReference } from './runtime-reference';

const SCHEMES = { BACKSTOP_PRIMARY_TOKEN_SECRET_ARN: 'secret', BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER: 'ssm', BACKSTOP_PRIMARY_TOKEN_KMS: 'kms' };

/**
 * A secret to send to the primary.
 *
 * With a method that begins with `read`, the function reads the value with its role when it first sends: neither the
 * template nor its environment holds it, and a rotation needs no deployment. The role gets the permission.
 *
 * With one that begins with `from`, the template holds a dynamic reference, and CloudFormation puts the value into the
 * function's environment when it deploys: everyone who can read the function's configuration can read it, and a rotated
 * secret arrives with the next deployment that changes the function.
 */
export class BackstopSecret {
  /**
   * A secret of Secrets Manager that the function reads.
   *
   * @param secret the secret; one of another account must allow the function's role in its own policy
   * @param field the key to read if the secret is a JSON object; without it, the whole secret
   */
  public static readFromSecretsManager(secret: ISecret, field?: string): BackstopSecret {
    const arn = secret.secretFullArn ?? secret.secretArn;
    return BackstopSecret.reference('BACKSTOP_PRIMARY_TOKEN_SECRET_ARN', field === undefined ? arn : `${arn}#${field}`, secret.encryptionKey);
  }

  /**
   * A parameter of Parameter Store that the function reads; a SecureString, too.
   *
   * @param parameter the parameter
   * @param key the key of a SecureString, if it is one of your own
   */
  public static readFromParameter(parameter: IStringParameter, key?: IKey): BackstopSecret {
    return BackstopSecret.reference('BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER', parameter.parameterArn, key);
  }

  /**
   * A value that the function decrypts with KMS.
   *
   * @param ciphertext the value in Base64, encrypted with the encryption context `LambdaFunctionName`
   * @param key the key that encrypted it
   */
  public static readFromKms(ciphertext: string, key: IKey): BackstopSecret {
    return BackstopSecret.reference('BACKSTOP_PRIMARY_TOKEN_KMS', ciphertext, key);
  }

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
   * environment: use `readFromParameter`.
   */
  public static fromStringParameter(parameter: IStringParameter): BackstopSecret {
    return new BackstopSecret(parameter.stringValue, false);
  }

  /** A value that is in the template in plain text. For tests, and for headers that are not secret. */
  public static unsafePlainText(value: string): BackstopSecret {
    // A variable that is not set, as in `process.env.TOKEN!`, is an empty token, which is reported where it is used.
    return new BackstopSecret(value ?? '', true);
  }

  private static reference(variable: ReferenceVariable, text: string, key?: IKey): BackstopSecret {
    const value = `{{${SCHEMES[variable]}:${text}}}`;
    return new BackstopSecret(value, false, { variable, text, keyArn: keyBehind(key)?.keyArn });
  }

  private constructor(private readonly value: string, private readonly plain: boolean, private readonly reference?: RuntimeReference) {}

  /**
   * The text for the environment: a reference, unless it is plain.
   * @internal
   */
  public _value(): string {
    return this.value;
  }

  /**
   * Where the function reads it, if it does.
   * @internal
   */
  public _reference(): RuntimeReference | undefined {
    return this.reference;
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
