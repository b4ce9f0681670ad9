/** A secret that the function reads, as a variable or a part of one says it. Not of the library's interface. */

/** Where the function reads a secret: the variables of a token on its own. */
export type ReferenceVariable = 'BACKSTOP_PRIMARY_TOKEN_SECRET_ARN' | 'BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER' | 'BACKSTOP_PRIMARY_TOKEN_KMS';

/** A secret that the function reads. */
export interface RuntimeReference {
  readonly variable: ReferenceVariable;
  readonly text: string;
  readonly keyArn?: string;
}
