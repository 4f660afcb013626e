/** Stories that once ended wrong, by the format of the Dovecot's mail. */
import type { Story } from '../../convergence/tell.ts';
import type { Format } from './world.ts';

/** Our user puts a mailbox below a directory that only our side has (`rename b a/x`), and the Dovecot starts the run. */
const renamedBelowADirectory: Story = {
  layout: 'fs',
  sameInbox: true,
  chapters: [
    {
      acts: [{ side: 'B', deed: { do: 'create', name: 1, sort: 0 } }],
      command: 'sync',
      algorithm: 'changed',
      start: 'B',
    },
    {
      acts: [{ side: 'A', deed: { do: 'rename', box: 1, name: 2 } }],
      command: 'sync',
      algorithm: 'changed',
      start: 'B',
    },
  ],
};

/** A Dovecot's Maildir has no directories, and ours is none of LAYOUT=fs then. */
export const TOLD: Readonly<Record<Format, readonly Story[]>> = {
  Maildir: [],
  sdbox: [renamedBelowADirectory],
  mdbox: [renamedBelowADirectory],
};
