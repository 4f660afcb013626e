/** Stories that once ended wrong. */
import type { Story } from './tell.ts';

/** The last mail in new/ is gone: what was shown to clients must not depend on how often somebody listed the folder. */
const lastNewMailGone: Story = {
  layout: 'fs',
  sameInbox: false,
  chapters: [
    {
      acts: [{ side: 'A', deed: { do: 'foreign deliver', box: 0, mail: 0 } }],
      command: 'sync',
      algorithm: 'changed',
      start: 'A',
    },
    {
      acts: [
        { side: 'A', deed: { do: 'deliver', box: 0, sort: 0, flags: 0, keywords: [] } },
        { side: 'B', deed: { do: 'foreign unlink', box: 0, mail: 0 } },
        { side: 'A', deed: { do: 'foreign unlink', box: 0, mail: 3 } },
      ],
      command: 'sync',
      algorithm: 'changed',
      start: 'A',
    },
  ],
};

/** A history that was lost has come to the same numbers again, so that nothing speaks against the state but the mails. */
const sameNumbersAgain: Story = {
  layout: 'fs',
  sameInbox: false,
  chapters: [
    {
      acts: [{ side: 'A', deed: { do: 'deliver', box: 0, sort: 0, flags: 0, keywords: [] } }],
      command: 'sync',
      algorithm: 'changed',
      start: 'A',
    },
    { acts: [], command: 'sync', algorithm: 'state', start: 'B' },
    {
      acts: [
        { side: 'B', deed: { do: 'forget', box: 0 } },
        { side: 'B', deed: { do: 'flag', box: 0, mail: 0, how: 'add', flags: 0, keywords: ['k2'] } },
        { side: 'A', deed: { do: 'deliver', box: 0, sort: 1, flags: 0, keywords: [] } },
      ],
      command: 'sync',
      algorithm: 'state',
      start: 'B',
    },
  ],
};

/** By the property that they are told to. */
export const TOLD = { twoWay: [lastNewMailGone], forgetful: [sameNumbersAgain] } as const;
