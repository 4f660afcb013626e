import { expect, test } from '@jest/globals';

import { Progress, type Screen } from '../src/report/progress.ts';

const shown = (tell: (progress: Progress) => void): string => {
  let line = '';
  const screen: Screen = { isTTY: true, columns: 200, write: (text) => (line = text.replace('\r\u001b[K', '')) };
  const progress = new Progress(screen, true, 0);
  tell(progress);
  return line;
};

test.each<[string, (observer: Progress['observer']) => void, string]>([
  [
    'a mailbox that begins',
    (o) => o.mailboxStarted?.(['Box', 'below'], 1, 4),
    '[######..................]  25 % mailbox 2 of 4: Box/below',
  ],
  [
    'mails that come',
    (o) => o.mailsReceived?.(['Box'], 5, 10, 2048),
    '[........................]   0 % mailbox 1 of 0: Box, mail 5 of 10 (2.0 KiB received)',
  ],
  [
    'mails that go',
    (o) => o.mailsSent?.(['Box'], 5, 10),
    '[........................]   0 % mailbox 1 of 0: Box, mail 5 of 10',
  ],
  [
    'names that would steer a terminal',
    (o) => o.mailboxStarted?.(['a\u001b[2Jb'], 0, 1),
    '[........................]   0 % mailbox 1 of 1: a?[2Jb',
  ],
])('%s', (_name, tell, line) => {
  expect(shown((progress) => tell(progress.observer))).toBe(line);
});
