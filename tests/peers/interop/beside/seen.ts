/** What came of the runs in one pair of accounts, in parts that can be compared one by one. */
import { labelOf } from '../../../support/mails.ts';
import type { Account, Accounts } from './pairs.ts';

/** A part as short words for a person, and all of it. */
interface Part {
  readonly words: string;
  readonly all: unknown;
}

/** Parts by name that two pairs have not in common, in words. */
export type Differences = Readonly<Record<string, readonly [here: string, twoDovecots: string]>>;

const GONE: Part = { words: 'none', all: null };

/** By mailbox `GUID/UIDVALIDITY: UID=MAIL[FLAGS] … next=UIDNEXT`, without the zeros that a GUID begins with. */
const partsOf = ({ mailboxes, subscriptions }: Account): Map<string, Part> => {
  const parts = new Map<string, Part>([['subscriptions', { words: subscriptions.join(' '), all: subscriptions }]]);
  for (const [name, mailbox] of Object.entries(mailboxes)) {
    const mails = mailbox.mails.map((mail) => {
      const flags = mail.flags.length === 0 ? '' : `[${mail.flags.join(' ')}]`;
      return `${mail.uid}=${labelOf(mail.guid)}${flags}`;
    });
    const words = [`${mailbox.guid.replace(/^0+/, '')}/${mailbox.uidValidity}:`, ...mails, `next=${mailbox.uidNext}`];
    parts.set(name, { words: words.join(' '), all: mailbox });
  }
  return parts;
};

const isSame = (a: Part | undefined, b: Part | undefined): boolean => JSON.stringify(a?.all) === JSON.stringify(b?.all);

/** Collects what each run has changed. */
export class Seen {
  /** `RUN: exit` and, where it is not as after the run before, `RUN: SIDE MAILBOX`. */
  readonly parts = new Map<string, Part>();
  #now: ReadonlyMap<string, Part> = new Map();

  add(run: string, exit: string, accounts: Accounts): void {
    this.parts.set(`${run}: exit`, { words: exit, all: exit });
    const now = new Map<string, Part>();
    for (const [side, account] of Object.entries(accounts))
      for (const [name, part] of partsOf(account)) now.set(`${side} ${name}`, part);
    for (const name of new Set([...this.#now.keys(), ...now.keys()]))
      if (!isSame(now.get(name), this.#now.get(name))) this.parts.set(`${run}: ${name}`, now.get(name) ?? GONE);
    this.#now = now;
  }

  /** Names of what a run has changed. */
  changedBy(run: string): string[] {
    const names = [...this.parts.keys()].filter((key) => key.startsWith(`${run}: `));
    return names.map((key) => key.slice(run.length + 2)).filter((name) => name !== 'exit');
  }
}

/** What one pair has otherwise than the other. */
export const differencesOf = (here: Seen, twoDovecots: Seen): Differences => {
  const found: Record<string, readonly [string, string]> = {};
  for (const key of new Set([...here.parts.keys(), ...twoDovecots.parts.keys()])) {
    const [a, b] = [here.parts.get(key), twoDovecots.parts.get(key)];
    if (isSame(a, b)) continue;
    // The first run tells of everything that is there.
    const nothing = key.startsWith('1: ') ? 'none' : 'as before';
    const words = [a?.words ?? nothing, b?.words ?? nothing] as const;
    // What words leave out, dates and bodies, is shown where nothing else differs.
    found[key] = words[0] === words[1] ? [JSON.stringify(a?.all), JSON.stringify(b?.all)] : words;
  }
  return found;
};
