/**
 * Backstop beside Lambda functions. In the order in which things flow: what is wanted (`settings`), the
 * layer it needs (`layer`), the archive it may write to (`archive`), and the attaching itself.
 */
export * from './secret';
export { BackstopFallback, BackstopSink, IBackstopArchive } from './fallback';
export * from './settings';
export * from './layer-base';
export * from './layer';
export { BackstopArchiveAttributes, BackstopTableOptions } from './archive-base';
export * from './archive-props';
export * from './archive';
export * from './monitoring';
export { BackstopDistributedMap } from './replay-map';
export * from './replay';
export {
  BackstopGatewayAggregator, BackstopGatewayAlarms, BackstopGatewayArchive, BackstopGatewayLoadBalancer, BackstopGatewayPreset,
  BackstopGatewayPresetSettings, BackstopGatewayPrimary, BackstopGatewayProps, BackstopGatewayWorkers,
} from './gateway-settings';
export * from './gateway';
export {
  BackstopControllerAlarms, BackstopControllerEvents, BackstopControllerMode, BackstopControllerProps, BackstopControllerState, BackstopWantedState,
} from './controller-settings';
export * from './controller';
export * from './backstop';
