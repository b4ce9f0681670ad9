/**
 * What a source of layers is to those who use it.
 */
import type { IConstruct } from 'constructs';

/** The answer of a source of layers: an ARN, or why there is none. */
export interface BackstopLayerAnswer {
  /**
   * The ARN of the layer version.
   * @default - there is none
   */
  readonly arn?: string;
  /**
   * Why there is none, in a sentence that says what to do.
   * @default - there is an ARN
   */
  readonly problem?: string;
}

/** A source of the extension's layer. */
export interface IBackstopLayer {
  /**
   * The layer for a function.
   *
   * @param scope the function
   * @param architecture `x86_64` or `arm64`
   */
  layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer;
}

/** How to read the manifest of `backstop layer publish`. */
export interface BackstopManifestOptions {
  /**
   * The account that published the layer.
   * @default - the function's own, or the only one in the manifest
   */
  readonly account?: string;
}
