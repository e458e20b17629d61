import { BlockList, isIP } from 'node:net';

/**
 * What is not of the public internet, by the registries of special-purpose addresses:
 * https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry
 */
const SPECIAL_IPV4 = subnets('ipv4', [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carrier-grade NAT, and pods and metadata of some clouds
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local, and the metadata of most clouds
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.31.196.0', 24], // AS112
  ['192.52.193.0', 24], // AMT
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['192.175.48.0', 24], // AS112
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
]);

/** All of the internet is in here; loopback, unique local, link-local, mapped and translated IPv4 are not. */
const GLOBAL_IPV6 = subnets('ipv6', [['2000::', 3]]);

const SPECIAL_IPV6 = subnets('ipv6', [
  ['2001::', 23], // protocol assignments: Teredo, which carries IPv4, among them
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4, which carries IPv4
  ['2620:4f:8000::', 48], // AS112
  ['3fff::', 20], // documentation
]);

/** Whether an address, in any spelling that `node:net` reads, belongs to the public internet. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !SPECIAL_IPV4.check(address);
    case 6:
      return GLOBAL_IPV6.check(address, 'ipv6') && !SPECIAL_IPV6.check(address, 'ipv6');
    default:
      return false;
  }
}

function subnets(family: 'ipv4' | 'ipv6', prefixes: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, bits] of prefixes) list.addSubnet(network, bits, family);
  return list;
}
