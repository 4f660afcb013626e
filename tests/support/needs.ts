/** What a test needs from the machine; a test whose need is not met is skipped and named at the end of the run. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { describe } from '@jest/globals';

import { peersCache, sharedFolder } from './places.ts';

export { sharedFolder };

/** Something that not every machine has. */
export interface Need {
  /** What is missing, and the command that brings it. */
  readonly text: string;
  readonly met: () => boolean;
}

const onPath = (program: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'].some((folder) =>
    existsSync(join(folder, program)),
  );

const program = (name: string, packages: string): Need => ({
  text: `${name}: apt-get install ${packages}`,
  met: () => onPath(name),
});

/** All that tests ask for. */
export const NEEDS = {
  root: { text: 'root: sudo npm test', met: () => process.getuid?.() === 0 },
  dovecot23: program('dovecot', 'dovecot-core dovecot-imapd'),
  dovecot24: {
    text: 'Dovecot 2.4: sudo npm run test:peers',
    met: () => existsSync(join(peersCache, 'trixie/usr/sbin/dovecot')),
  },
  sshd: program('sshd', 'openssh-server'),
  ssh: program('ssh', 'openssh-client'),
  rsync: program('rsync', 'rsync'),
  mbsync: program('mbsync', 'isync'),
  corpus: {
    text: 'the sample mail: DSYNC_SHARED=FOLDER npm test',
    met: () => existsSync(join(sharedFolder, 'corpus')),
  },
  captures: {
    text: 'the recorded sessions: DSYNC_SHARED=FOLDER npm test',
    met: () => existsSync(join(sharedFolder, 'vectors/dovecot-2.3.19')),
  },
  vectors: {
    text: 'the recorded scenarios: DSYNC_SHARED=FOLDER npm test',
    met: () => existsSync(join(sharedFolder, 'vectors/scenarios.json')),
  },
} as const satisfies Record<string, Need>;

/** `describe` if everything that is needed is there; else the same block, skipped, with the first missing need in its title. */
export const describeWith = (needs: readonly (keyof typeof NEEDS)[], title: string, block: () => void): void => {
  const missing = needs.map((name) => NEEDS[name]).find((need) => !need.met());
  if (missing === undefined)
    describe(title, () => {
      block();
    });
  else
    // oxlint-disable-next-line jest/no-disabled-tests -- named at the end of the run, and a failure in CI
    describe.skip(`${title} [needs ${missing.text}]`, () => {
      block();
    });
};
