import { describe, expect, test } from 'vitest';
import { isPublicAddress } from './public-address.ts';
import { parseWebhookUrl } from './webhook-url.ts';

describe('isPublicAddress', () => {
  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80b::200e',
  ])('%s is', (address) => expect(isPublicAddress(address)).toBe(true));

  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.100.100.200', // metadata of a cloud
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254', // metadata of most clouds
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192', // metadata of a cloud
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1', // NAT64
    '64:ff9b:1::a00:1',
    '100::1',
    '2001::1', // Teredo
    '2001:db8::1',
    '2002:7f00:1::1', // 6to4 of 127.0.0.1
    'fc00::1',
    'fd00:ec2::254', // metadata of a cloud
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    'localhost',
    '',
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));
});

describe('parseWebhookUrl', () => {
  test.each([
    { text: 'https://hooks.example.com/phaserun', want: 'https://hooks.example.com/phaserun' },
    { text: 'https://hooks.example.com:8443/a?b=c', want: 'https://hooks.example.com:8443/a?b=c' },
    { text: 'https://8.8.8.8/', want: 'https://8.8.8.8/' },
    { text: 'HTTPS://EXAMPLE.COM', want: 'https://example.com/' },
  ])('$text', ({ text, want }) => {
    expect(parseWebhookUrl(text, { allowPrivateAddresses: false })).toEqual({ ok: true, url: want });
  });

  test.each([
    { text: 'http://hooks.example.com', want: /https/ },
    { text: 'ftp://hooks.example.com', want: /https/ },
    { text: 'hooks.example.com', want: /must be a URL/ },
    { text: '', want: /must be a URL/ },
    { text: `https://example.com/${'a'.repeat(2048)}`, want: /2048/ },
    { text: `https://example.com/${'ä'.repeat(1000)}`, want: /2048/ },
    { text: 'https://user@example.com', want: /user name/ },
    { text: 'https://:secret@example.com', want: /password/ },
    { text: 'https://example.com/#part', want: /fragment/ },
    ...[
      '127.0.0.1',
      '127.1',
      '0x7f000001',
      '0x7f.1',
      '2130706433',
      '0177.0.0.1',
      '①②⑦.0.0.1',
      '0',
      '10.0.0.8:8443',
      '[::1]',
      '[::ffff:169.254.169.254]',
      '[fd00:ec2::254]',
      '169.254.169.254',
    ].map((host) => ({ text: `https://${host}/`, want: /public internet/ })),
  ])('refuses $text', ({ text, want }) => {
    const parsed = parseWebhookUrl(text, { allowPrivateAddresses: false });
    expect(parsed).toMatchObject({ ok: false, message: expect.stringMatching(want) });
  });

  test.each(['http://127.0.0.1:9000/', 'https://10.0.0.8/', 'http://receiver.default.svc/'])(
    'takes %s where private addresses are allowed',
    (text) => {
      expect(parseWebhookUrl(text, { allowPrivateAddresses: true })).toEqual({ ok: true, url: text });
    },
  );
});
