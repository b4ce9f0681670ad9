/** Values with references in them, before references between stacks are resolved: until then none must be written out. */
import { DefaultTokenResolver, IPostProcessor, IResolvable, IResolveContext, Reference, Stack, StringConcat, Token, Tokenization } from 'aws-cdk-lib';
import { IConstruct } from 'constructs';

/** Texts and what stands between them, as one text again. */
class TokenConcat extends StringConcat {
  public join(left: any, right: any): any {
    return [left, right].map((part) => (part === undefined ? '' : Token.asString(part))).join('');
  }
}

class ReferenceResolver extends DefaultTokenResolver {
  constructor(private readonly become: (reference: Reference) => string, concat: StringConcat) {
    super(concat);
  }

  public resolveToken(token: IResolvable, context: IResolveContext, postProcessor: IPostProcessor): any {
    if (Reference.isReference(token)) return this.become(token);
    try {
      return super.resolveToken(token, context, postProcessor);
    } catch {
      // JSON as text takes nothing in it but what a template has.
      return Stack.of(context.scope).resolve(token);
    }
  }
}

const resolved = (scope: IConstruct, value: unknown, resolver: ReferenceResolver) =>
  Tokenization.resolve(value, { scope, resolver, preparing: false });

/**
 * A text that is the same for the same value, and for no other: references to resources of the same name in different
 * stacks look the same otherwise.
 */
export function identityOf(scope: IConstruct, value: unknown): string {
  const identity = ({ target, displayName }: Reference) => `${target.node.addr}.${displayName}`;
  return JSON.stringify(resolved(scope, value, new ReferenceResolver(identity, new StringConcat())));
}

/** The value with its references as tokens still, by which one knows what they refer to. */
export function withReferences(scope: IConstruct, value: unknown): unknown {
  return resolved(scope, value, new ReferenceResolver((reference) => reference.toString(), new TokenConcat()));
}
