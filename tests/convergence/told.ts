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

/** On Maildirs, two-way. */
export const TWO_WAY: readonly Story[] = [lastNewMailGone];
