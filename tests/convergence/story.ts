/**
 * Stories: what users do on two sides between syncs, as plain data that can be generated, printed and told again. Users
 * choose by number among what is there, so that any story can be told.
 */
import { FLAG, mailboxGuid, type MailboxPath } from '@dsync/protocol';
import { type MailStore, StoreError } from '@dsync/storage';
import { fc } from '@fast-check/jest';

import { bodyOf, DEFAULT_DATE, guidOf } from '../support/mails.ts';
import type { SideSeen } from '../support/read-side.ts';
import type { Place } from '../support/side.ts';
import * as foreign from './foreign.ts';

export type SideName = 'A' | 'B';

/** What a user or another program does. Numbers choose among what is there when it is done. */
export type Deed =
  | {
      readonly do: 'deliver';
      readonly box: number;
      readonly sort: number;
      readonly flags: number;
      readonly keywords: readonly string[];
    }
  | {
      readonly do: 'flag';
      readonly box: number;
      readonly mail: number;
      readonly how: 'add' | 'remove' | 'replace';
      readonly flags: number;
      readonly keywords: readonly string[];
    }
  | { readonly do: 'expunge'; readonly box: number; readonly mail: number }
  | { readonly do: 'copy' | 'move'; readonly box: number; readonly mail: number; readonly to: number }
  | { readonly do: 'create'; readonly name: number; readonly sort: number }
  | { readonly do: 'rename'; readonly box: number; readonly name: number }
  | { readonly do: 'delete'; readonly box: number }
  | { readonly do: 'recreate'; readonly box: number; readonly sort: number }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly name: number }
  | { readonly do: 'metadata'; readonly box: number; readonly value: string | null }
  | { readonly do: 'forget'; readonly box: number }
  /** What programs do that know Maildir alone: mail arrives, is marked as read or deleted, a folder is made. */
  | { readonly do: 'foreign deliver' | 'foreign flag' | 'foreign unlink'; readonly box: number; readonly mail: number }
  | { readonly do: 'foreign folder'; readonly name: number }
  | { readonly do: 'tick' };

/** A deed on one side. */
export interface Act {
  readonly side: SideName;
  readonly deed: Deed;
}

/** Names that mailboxes get; few, so that sides meet. */
const NAMES: readonly MailboxPath[] = [['a'], ['b'], ['a', 'x'], ['b', 'y'], ['c'], ['a', 'x', 'deep'], ['INBOX']];

const box = fc.nat({ max: 5 });
const mail = fc.nat({ max: 7 });
const name = fc.nat({ max: NAMES.length - 1 });
const sort = fc.nat({ max: 255 });
const flags = fc.constantFrom(0, FLAG.seen, FLAG.flagged, FLAG.answered, FLAG.seen | FLAG.flagged, FLAG.deleted);
const KEYWORDS = ['k1', 'k2', 'K1'];

/** What may happen in a story. */
export interface DeedOptions {
  /** Sides lose their history now and then. */
  readonly forget?: boolean;
  /** Other programs work on the files. */
  readonly foreign?: boolean;
  /** Mailboxes have metadata; default true. */
  readonly metadata?: boolean;
  /** What mails are marked with; by default two keywords, one of them in two spellings. */
  readonly keywords?: readonly string[];
  /** How many deeds there are between two syncs at most. */
  readonly most?: number;
}

/** One deed of any kind that may happen. */
export const deeds = (options: DeedOptions): fc.Arbitrary<Deed> => {
  const keywords = fc.subarray([...(options.keywords ?? KEYWORDS)], { maxLength: 2 });
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), box, sort, flags, keywords }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('flag' as const),
        box,
        mail,
        how: fc.constantFrom('add', 'remove', 'replace'),
        flags,
        keywords,
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('expunge' as const), box, mail }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('copy' as const, 'move' as const), box, mail, to: box }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const), name, sort }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), box, name }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), box }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('recreate' as const), box, sort }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('subscribe' as const, 'unsubscribe' as const), name }) },
    ...(options.metadata === false
      ? []
      : [
          {
            weight: 1,
            arbitrary: fc.record({
              do: fc.constant('metadata' as const),
              box,
              value: fc.constantFrom('v1', 'v2', null),
            }),
          },
        ]),
    { weight: 2, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
    ...(options.forget === true
      ? [{ weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), box }) }]
      : []),
    ...(options.foreign === true
      ? [
          {
            weight: 6,
            arbitrary: fc.record({
              do: fc.constantFrom('foreign deliver' as const, 'foreign flag' as const, 'foreign unlink' as const),
              box,
              mail,
            }),
          },
          { weight: 1, arbitrary: fc.record({ do: fc.constant('foreign folder' as const), name }) },
        ]
      : []),
  );
};

/** What happens between two runs, on either side. */
export const acts = (options: DeedOptions): fc.Arbitrary<readonly Act[]> =>
  fc.array(fc.record({ side: fc.constantFrom<SideName>('A', 'B'), deed: deeds(options) }), {
    maxLength: options.most ?? 10,
  });

/** What there is to choose from. */
export interface Shelf {
  readonly boxes: () => Promise<readonly { readonly path: MailboxPath; readonly guid: string }[]>;
  /** Nothing where there is no such mailbox. */
  readonly mailsOf: (box: string) => Promise<readonly { readonly uid: number; readonly guid: string }[]>;
}

/** What a store has to choose from. */
export const shelfOf = (store: MailStore): Shelf => ({
  boxes: async () =>
    (await store.readTree()).nodes.flatMap((n) =>
      n.mailbox === undefined ? [] : [{ path: n.path, guid: n.mailbox.guid }],
    ),
  mailsOf: async (guid) => {
    const opened = await store.openMailbox(mailboxGuid(guid));
    if (opened === null) return [];
    await using mailbox = opened;
    return (await mailbox.changes()).mails;
  },
});

/** What must be known of a story to judge how it ends. */
export class Ledger {
  #count = 0;
  /** Mails that were delivered, by GUID, with their bodies' labels. */
  readonly delivered = new Map<string, string>();
  /** GUIDs of mails that somebody expunged, or whose mailbox somebody deleted. */
  readonly killed = new Set<string>();
  readonly deletedBoxes = new Set<string>();
  /** How many instances of a mail users have made. */
  readonly instances = new Map<string, number>();

  newLabel(order: number): string {
    return `${String.fromCharCode(97 + (order % 26))}${order.toString(36)}.${++this.#count}`;
  }

  newBoxGuid(order: number): ReturnType<typeof mailboxGuid> {
    return mailboxGuid(`${(order + 1).toString(16).padStart(4, '0')}${(++this.#count).toString(16).padStart(28, '0')}`);
  }

  get count(): number {
    return this.#count;
  }

  more(guid: string): void {
    this.instances.set(guid, (this.instances.get(guid) ?? 0) + 1);
  }

  /** Before a sync: mails in mailboxes that one side deleted may go with them. */
  async beforeSync(shelf: Shelf): Promise<void> {
    for (const gone of this.deletedBoxes) for (const { guid } of await shelf.mailsOf(gone)) this.killed.add(guid);
  }

  /** What a backup's destination has more than the source goes. */
  beforeBackup(source: SideSeen, destination: SideSeen): void {
    const labels = (seen: SideSeen): readonly string[] =>
      Object.values(seen.mailboxes).flatMap(({ messages }) => messages.map((message) => message.guid));
    const stays = new Set(labels(source));
    const going = new Set(labels(destination).filter((label) => !stays.has(label)));
    for (const [guid, label] of this.delivered) if (going.has(label)) this.killed.add(guid);
  }
}

/** Does one deed; what cannot be done (a name that is taken …) is left undone. */
export async function perform(
  deed: Deed,
  { user, folder }: Pick<Place, 'user' | 'folder'>,
  { boxes: listBoxes, mailsOf }: Shelf,
  ledger: Ledger,
): Promise<void> {
  const boxes = await listBoxes();
  const pick = (index: number): (typeof boxes)[number] | undefined => boxes[index % Math.max(1, boxes.length)];
  const nameAt = (index: number): MailboxPath => NAMES[index % NAMES.length] ?? ['a'];
  try {
    switch (deed.do) {
      case 'deliver': {
        const target = pick(deed.box);
        if (target === undefined) return;
        const label = ledger.newLabel(deed.sort);
        const guid = guidOf(label);
        await user.append(target.path, {
          guid,
          flags: deed.flags,
          keywords: deed.keywords,
          received: DEFAULT_DATE + ledger.count,
          body: bodyOf(label),
        });
        ledger.delivered.set(guid, label);
        ledger.more(guid);
        return;
      }
      case 'flag':
      case 'expunge':
      case 'copy':
      case 'move': {
        const source = pick(deed.box);
        if (source === undefined) return;
        const mails = await mailsOf(source.guid);
        const chosen = mails[deed.mail % Math.max(1, mails.length)];
        if (chosen === undefined) return;
        if (deed.do === 'flag')
          return await user.changeFlags(source.path, chosen.uid, deed.how, deed.flags, deed.keywords);
        if (deed.do === 'expunge') {
          await user.expunge(source.path, chosen.uid);
          ledger.killed.add(chosen.guid);
          return;
        }
        const target = pick(deed.to);
        if (target === undefined) return;
        ledger.more(chosen.guid);
        if (deed.do === 'copy') await user.copy(source.path, chosen.uid, target.path);
        else if (target.guid !== source.guid) await user.move(source.path, chosen.uid, target.path);
        return;
      }
      case 'create':
        return await user.createMailbox(nameAt(deed.name), {
          guid: ledger.newBoxGuid(deed.sort),
          uidValidity: 5000 + deed.sort,
        });
      case 'rename': {
        const source = pick(deed.box);
        if (source !== undefined) await user.rename(source.path, nameAt(deed.name));
        return;
      }
      case 'delete':
      case 'recreate': {
        const target = pick(deed.box);
        if (target === undefined || isInbox(target.path)) return;
        const mails = await mailsOf(target.guid);
        await user.delete(target.path);
        ledger.deletedBoxes.add(target.guid);
        for (const { guid } of mails) ledger.killed.add(guid);
        if (deed.do === 'recreate')
          await user.createMailbox(target.path, { guid: ledger.newBoxGuid(deed.sort), uidValidity: 5000 + deed.sort });
        return;
      }
      case 'subscribe':
        return await user.subscribe(nameAt(deed.name));
      case 'unsubscribe':
        return await user.unsubscribe(nameAt(deed.name));
      case 'metadata': {
        const target = pick(deed.box);
        if (target !== undefined) await user.setAttribute(target.path, '/private/comment', deed.value);
        return;
      }
      case 'forget': {
        const target = pick(deed.box);
        if (target !== undefined) await user.loseHistory(target.path);
        return;
      }
      case 'foreign deliver': {
        const target = pick(deed.box);
        if (target === undefined || folder === undefined) return;
        const guid = foreign.deliver(folder(target.path), ledger.newLabel(deed.mail));
        ledger.delivered.set(guid, guid);
        return ledger.more(guid);
      }
      case 'foreign flag':
      case 'foreign unlink': {
        const target = pick(deed.box);
        if (target === undefined || folder === undefined) return;
        if (deed.do === 'foreign flag') return foreign.markAsRead(folder(target.path), deed.mail);
        const mails = await mailsOf(target.guid);
        if (!foreign.unlink(folder(target.path), deed.mail)) return;
        const left = new Set((await mailsOf(target.guid)).map(({ uid }) => uid));
        for (const { uid, guid } of mails) if (!left.has(uid)) ledger.killed.add(guid);
        return;
      }
      case 'foreign folder':
        if (folder !== undefined) foreign.makeFolder(folder(nameAt(deed.name)));
        return;
      case 'tick':
        return;
    }
  } catch (error) {
    if (error instanceof StoreError) return;
    throw error;
  }
}

function isInbox(path: MailboxPath): boolean {
  return path.length === 1 && path[0] === 'INBOX';
}
