// A gateway for the functions of a VPC: what looks like a secret is redacted at the door, and everything is archived raw.
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { BackstopArchive, BackstopGateway, BackstopGatewayPreset } from 'backstop-cdk';

const app = new App();
const stack = new Stack(app, 'Gateway', { env: { account: '111122223333', region: 'eu-west-1' } });

// What is there already. `Vpc.fromLookup` finds a network by its name.
const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
  vpcId: 'vpc-0123456789abcdef0',
  vpcCidrBlock: '10.0.0.0/16',
  availabilityZones: ['eu-west-1a', 'eu-west-1b'],
  privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
});
const certificate = Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:eu-west-1:111122223333:certificate/12345678-90ab-cdef-1234-567890abcdef');

const archive = new BackstopArchive(stack, 'Archive', { hasStream: false });
const gateway = new BackstopGateway(stack, 'Gateway', {
  cluster: Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'platform', vpc }),
  // The one that you trust: `docker buildx imagetools inspect otel/opentelemetry-collector-contrib:0.159.0` shows the digest.
  image: app.node.tryGetContext('image') ?? `otel/opentelemetry-collector-contrib@sha256:${'0'.repeat(64)}`,
  token: Secret.fromSecretNameV2(stack, 'Token', 'gateway/token'),
  primary: { url: 'https://otlp.example.com', authorization: Secret.fromSecretNameV2(stack, 'Authorization', 'gateway/authorization') },
  archive: { bucket: archive.bucket },
  loadBalancer: { certificate, allowedCidrs: [vpc.vpcCidrBlock], deletionProtection: true },
  presets: [BackstopGatewayPreset.SECURITY],
});

new CfnOutput(stack, 'Address', { value: gateway.loadBalancer.loadBalancerDnsName });

app.synth();
