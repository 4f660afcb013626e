import { expect, test } from '@jest/globals';

import { canonicalName } from '../src/session/host-name.ts';

test.each([
  ['127.0.0.1 localhost\n127.0.1.1\tmail.example.org mail # us\n', 'mail', 'mail.example.org'],
  ['127.0.0.1 localhost\n#127.0.1.1 mail.example.org mail\n', 'mail', 'mail'],
  ['127.0.0.1 localhost mail\n10.0.0.1 mail.example.org mail\n', 'mail', 'localhost'],
  ['127.0.0.1 mail\n', 'mail', 'mail'],
  ['mail\n\n', 'mail', 'mail'],
])('in the hosts file %j the full name of %s is %s', (hosts, name, full) => {
  expect(canonicalName(hosts, name)).toBe(full);
});
