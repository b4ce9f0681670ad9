/**
 * Backstop beside Lambda functions. In the order in which things flow: what is wanted (`settings`), the
 * layer it needs (`layer`), the archive it may write to (`archive`), and the attaching itself.
 */
export * from './secret';
export * from './settings';
export * from './layer';
export { BackstopArchiveAttributes, IBackstopArchive } from './archive-base';
export * from './archive';
export * from './backstop';
