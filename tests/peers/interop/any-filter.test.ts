/**
 * Made-up stories: users at both ends get, flag and expunge mail, and runs with whatever filter follow each other, two-way and one-way,
 * started by either end. No mail is lost that nobody expunged, and none doubled; runs without a filter then make both ends equal.
 */
import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';

import { troubles } from '../rig/dovecot.ts';
import type { JudgedMail } from '../rig/judge.ts';
import { judge, mail, withImap } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(240_000);

/** Stories for each version; more are for a search by hand. */
const STORIES = Number(process.env['DSYNC_RUNS'] ?? 3);

const SIDES = ['theirs', 'ours'] as const;
type Side = (typeof SIDES)[number];

/** What comes, or what happens to a mail that is there. */
const ARRIVALS = ['old', 'large', 'flagged', 'key', 'plain'] as const;
const DEEDS = ['expunge', 'flag', 'unflag'] as const;
type What = (typeof ARRIVALS)[number] | (typeof DEEDS)[number];

interface Act {
  readonly side: Side;
  readonly what: What;
  readonly nth: number;
}

const FILTERS = [
  ['-t', '2020-01-01'],
  ['-I', '10k'],
  ['-O', '\\Flagged'],
  ['-O', '-\\Flagged'],
  ['-O', 'Key'],
] as const;

const act: fc.Arbitrary<Act> = fc.record({
  side: fc.constantFrom(...SIDES),
  what: fc.constantFrom(...ARRIVALS, ...DEEDS),
  nth: fc.nat({ max: 30 }),
});
const filter = fc.constantFrom(...FILTERS, ...FILTERS, []);
const mode = fc.constantFrom<readonly string[]>([], [], [], ['-1'], ['-1', '-R']);
const round = fc.record({
  acts: fc.array(act, { minLength: 2, maxLength: 6 }),
  options: fc.tuple(mode, filter).map((parts) => parts.flat()),
  dovecotIs: fc.constantFrom('server' as const, 'client' as const),
});
const story = fc.array(round, { minLength: 4, maxLength: 6 });

withEachVersion(stories);

function stories(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
    async (started) => {
      // A Maildir in which mails have got new UIDs or another UIDVALIDITY tells so to its next reader.
      const said = troubles(await started.dovecot.log()).filter((line) => !/Warning: /.test(line));
      expect(said).toEqual([]);
    },
  );

  const seed = fc.readConfigureGlobal()?.seed ?? Date.now() % 1_000_000;
  const made = fc.sample(story, { numRuns: STORIES, seed });
  describe(`seed ${seed}`, () => {
    test.each(made.map((rounds, index) => ({ index, rounds })))('story $index', async ({ index, rounds }) => {
      const name = `f${index}`;
      await ends.addUser(name);
      const world = new World(ends, name);
      for (const { acts, options, dovecotIs } of rounds) {
        for (const one of acts) await world.act(one);
        // A one-way run to a Dovecot leaves a mailbox alone that it could lose mails of.
        await world.run({ version, carrier: 'command', dovecotIs }, options, options.includes('-1') ? [0, 2] : [0]);
      }
      // A mail that comes late gets a new UID; the other end moves its own there in the next run.
      for (let again = 0; again < 2; again++)
        await world.run({ version, carrier: 'tcp', dovecotIs: 'server' }, [], [0]);
      const [theirs, own] = [await world.mails('theirs'), await world.mails('ours')];
      expect({ mails: own, log: world.log }).toEqual({ mails: theirs, log: world.log });
      expect(theirs.map(({ sha256 }) => sha256)).toEqual(expect.arrayContaining([...world.alive.keys()]));
    });
  });
}

/** One INBOX at both ends, and what must be in it. */
class World {
  /** Mails that nobody has expunged, by their bytes. */
  readonly alive = new Map<string, string>();
  readonly log: string[] = [];
  readonly #ends: Ends;
  readonly #name: string;
  #arrived = 0;

  constructor(ends: Ends, name: string) {
    this.#ends = ends;
    this.#name = name;
  }

  async mails(side: Side): Promise<readonly JudgedMail[]> {
    return (await judge(this.#ends, this.#nameOf(side))).mailboxes['INBOX']?.mails ?? [];
  }

  async act({ side, what, nth }: Act): Promise<void> {
    const before = await this.mails(side);
    const one = before[nth % Math.max(before.length, 1)];
    const isDeed = what === 'expunge' || what === 'flag' || what === 'unflag';
    if (isDeed && one === undefined) return;
    const label = isDeed ? this.#labelOf(one?.sha256) : `${what}${++this.#arrived}`;
    this.log.push(`${side}: ${what} ${label}`);
    await withImap(this.#ends, this.#nameOf(side), async (imap) => {
      if (!isDeed) {
        const flags = what === 'flagged' ? ' (\\Flagged)' : what === 'key' ? ' (Key)' : '';
        const date = what === 'old' ? ' " 5-Jan-2001 10:00:00 +0000"' : '';
        await imap.command(
          `APPEND INBOX${flags}${date}`,
          mail(`${label}${what === 'large' ? 'x'.repeat(20_000) : ''}`),
        );
        return;
      }
      await imap.command('SELECT INBOX');
      const change =
        what === 'expunge' ? '+FLAGS.SILENT (\\Deleted)' : `${what === 'flag' ? '+' : '-'}FLAGS.SILENT (\\Flagged)`;
      await imap.command(`UID STORE ${one?.uid} ${change}`);
      if (what === 'expunge') await imap.command('EXPUNGE');
      await imap.command('UNSELECT');
    });
    if (what === 'expunge') this.alive.delete(one?.sha256 ?? '');
    if (isDeed) return;
    const known = new Set(before.map(({ sha256 }) => sha256));
    for (const { sha256 } of await this.mails(side)) if (!known.has(sha256)) this.alive.set(sha256, label);
  }

  async run(pairing: Pairing, options: readonly string[], statuses: readonly number[]): Promise<void> {
    const { code, stderr } = await this.#ends.sync(pairing, this.#name, ['sync', ...options]);
    this.log.push(`sync ${options.join(' ')} (the Dovecot is the ${pairing.dovecotIs}): ${code} ${stderr}`);
    const held = new Map<Side, readonly string[]>();
    for (const side of SIDES) {
      const mails = await this.mails(side);
      this.log.push(`${side}: ${mails.map(({ uid, sha256 }) => `${uid}=${this.#labelOf(sha256)}`).join(' ')}`);
      held.set(
        side,
        mails.map(({ sha256 }) => sha256),
      );
    }
    const all = new Set([...held.values()].flat());
    const lost = [...this.alive].filter(([sha256]) => !all.has(sha256)).map(([, label]) => label);
    const doubled = [...held.values()].flatMap((list) => list.filter((sha256, i) => list.indexOf(sha256) !== i));
    expectWell({ lost, doubled: doubled.map((x) => this.#labelOf(x)), code, log: this.log }, statuses);
  }

  #labelOf(sha256: string | undefined): string {
    return this.alive.get(sha256 ?? '') ?? 'expunged';
  }

  #nameOf(side: Side): string {
    return side === 'ours' ? ours(this.#name) : this.#name;
  }
}

interface Ended {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly code: number | null;
  /** Is shown when something is wrong. */
  readonly log: readonly string[];
}

function expectWell({ lost, doubled, code, log }: Ended, statuses: readonly number[]): void {
  expect({ lost, doubled, log }).toEqual({ lost: [], doubled: [], log });
  expect({ statuses, code, log }).toEqual({ statuses: expect.arrayContaining([code]), code, log });
}
