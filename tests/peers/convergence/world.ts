/** A random story between a Maildir of ours (side A) and an account of a real Dovecot (side B). */
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { mailboxGuid } from '@dsync/protocol';
import type { SyncReport } from '@dsync/sync';

import { type Act, Ledger, perform, type Shelf, shelfOf, type SideName } from '../../convergence/story.ts';
import type { Chapter, Story } from '../../convergence/tell.ts';
import { printConfig } from '../../scenarios/serve.ts';
import { maildirPlaces, temporaryFolder, type TemporaryFolder } from '../../support/maildir-side.ts';
import { guidOf } from '../../support/mails.ts';
import { readSide, type SideSeen } from '../../support/read-side.ts';
import { Clock, type Place } from '../../support/side.ts';
import { DoveadmFailure } from '../rig/doveadm-commands.ts';
import { DOVEADM_PASSWORD, type DovecotVersion } from '../rig/dovecot-config.ts';
import { type Dovecot, startDovecot, troubles } from '../rig/dovecot.ts';
import { dovecotStarts, type MixedRun, weStart } from '../scenarios/mixed-run.ts';
import { digestOf, dovecotShelf, ImapUser, seeDovecot, subjectOf } from './dovecot-place.ts';

/** How the Dovecot keeps its mail. */
export type Format = 'Maildir' | 'sdbox' | 'mdbox';

/** One Dovecot for many stories. */
export const startFor = (version: DovecotVersion, format: Format): Promise<Dovecot> => {
  const driver = format.toLowerCase();
  const settings =
    version === '2.3'
      ? [`mail_location = ${driver}:~/${format}`]
      : // By default 2.4 makes mailboxes of directories.
        [`mail_driver = ${driver}`, `mail_path = ~/${format}`, 'mailbox_list_drop_noselect = no'];
  const extra = [...settings, 'doveadm_port = 0', 'mail_fsync = never'].join('\n');
  return startDovecot({ version, users: [], extra });
};

/** How a run ended, whichever program started it. */
export interface Ended {
  readonly exit: number;
  readonly state: string | null;
  readonly error: unknown;
  /** Of our client's runs. */
  readonly report?: SyncReport | null;
}

/** Users' acts lie in the past of the runs, which have the time of day. */
const PAST_SECONDS = 10_000;

/** Our users' mails have short subjects; another program's mail is called by the name of its file. */
const idOf = (subject: string): string => (subject.length <= 16 ? guidOf(subject) : subject);

let users = 0;

/** A story on its way: acts, runs and looks at both sides. Disposing of it ends connections and removes our side. */
export class MixedTale implements AsyncDisposable {
  readonly ledger = new Ledger();
  readonly #dovecot: Dovecot;
  readonly #layout: Story['layout'];
  readonly #clock: Clock;
  readonly #folder: TemporaryFolder;
  readonly #user: string;
  readonly #theirs: ImapUser;
  readonly #ours: Place;
  readonly #states = new Map<SideName, string>();

  private constructor(
    dovecot: Dovecot,
    layout: Story['layout'],
    user: string,
    theirs: ImapUser,
    place: { clock: Clock; folder: TemporaryFolder; ours: Place },
  ) {
    this.#dovecot = dovecot;
    this.#layout = layout;
    this.#user = user;
    this.#theirs = theirs;
    this.#clock = place.clock;
    this.#folder = place.folder;
    this.#ours = place.ours;
  }

  static async begin(dovecot: Dovecot, format: Format, { sameInbox }: Story): Promise<MixedTale> {
    users += 1;
    // As that format has it: what a layout cannot have, a directory without a mailbox, a Dovecot makes a mailbox of.
    const layout = format === 'Maildir' ? 'maildir++' : 'fs';
    const user = `tale${users}`;
    const home = dovecot.home(user);
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, dovecot.mailUid, dovecot.mailGid);
    const theirs = new ImapUser(dovecot.imapPort, {
      user,
      home,
      mailUid: dovecot.mailUid,
      doveadmPort: dovecot.doveadmPort,
      separator: '/',
      layout: 'maildir++',
      namespaces: [{ prefix: '', folder: format }],
    });
    const clock = new Clock(Math.floor(Date.now() / 1000) - PAST_SECONDS);
    const folder = temporaryFolder('tale');
    const ours = await maildirPlaces(folder.path, clock, { likeDovecot: true })('A', {
      separator: '/',
      layout,
      inboxDeletable: false,
    });
    const inbox = { guid: mailboxGuid('a1'.padStart(32, '0')), uidValidity: 1001 };
    await ours.user.place(['INBOX'], { ...inbox, mails: [] });
    // A Dovecot makes one for whoever opens it first.
    await theirs.commands.run('mailbox status', 'guid', 'INBOX');
    if (sameInbox) await theirs.update(['INBOX'], inbox);
    await theirs.commands.forget();
    return new MixedTale(dovecot, layout, user, theirs, { clock, folder, ours });
  }

  /** Users' part of a chapter. */
  async act(acts: readonly Act[]): Promise<void> {
    for (const { side, deed } of acts) {
      if (deed.do === 'tick') this.#tick();
      else if (side === 'A') await this.#withOurs((shelf) => perform(deed, this.#ours, shelf, this.ledger));
      else await this.#ifPossible(() => perform(deed, { user: this.#theirs }, this.#theirShelf(), this.ledger));
    }
    this.#tick();
    await this.#theirs.commands.forget();
  }

  async run(start: SideName, command: Chapter['command'], algorithm: Chapter['algorithm']): Promise<Ended> {
    const [word, ...rest] = command.split(' ');
    const words = [
      ...rest,
      ...(algorithm === 'full' ? ['-f'] : []),
      ...(algorithm === 'state' ? ['-s', this.#states.get(start) ?? ''] : []),
    ];
    await this.#beforeRun();
    const request: MixedRun = {
      dovecot: this.#dovecot,
      user: this.#user,
      command: word === 'backup' ? 'backup' : 'sync',
      words,
    };
    const ended = start === 'A' ? await this.#weStart(request) : await this.#dovecotStarts(request);
    if (ended.state !== null) this.#states.set(start, ended.state);
    return ended;
  }

  async see(): Promise<Readonly<Record<SideName, SideSeen>>> {
    await using store = await this.#ours.open();
    const A = await readSide(store, (body) => digestOf(Buffer.from(body).toString('utf8')));
    const B = await seeDovecot(this.#theirs.commands);
    await this.#theirs.commands.forget();
    return { A, B };
  }

  /** What the Dovecot has complained of. */
  async troubles(): Promise<string[]> {
    return troubles(await this.#dovecot.log()).filter((line) => line.includes(`(${this.#user})`));
  }

  async #weStart(request: MixedRun): Promise<Ended> {
    await using store = await this.#ours.open();
    return await weStart(request, store);
  }

  #dovecotStarts(request: MixedRun): Promise<Ended> {
    const layout = this.#layout;
    const configuration = printConfig(this.#folder.path, 'A', layout === 'fs' ? { layout } : {}, DOVEADM_PASSWORD, []);
    return dovecotStarts(request, { file: join(this.#folder.path, 'A.conf'), configuration });
  }

  async #beforeRun(): Promise<void> {
    await this.#withOurs((shelf) => this.ledger.beforeSync(shelf));
    await this.ledger.beforeSync(this.#theirShelf());
    await this.#theirs.commands.forget();
  }

  async #withOurs(work: (shelf: Shelf) => Promise<void>): Promise<void> {
    await using store = await this.#ours.open();
    const { boxes } = shelfOf(store);
    const named: Shelf['mailsOf'] = async (guid) => {
      const path = (await boxes()).find((box) => box.guid === guid)?.path;
      if (path === undefined) return [];
      const { mailboxes } = await readSide(store, (body) => subjectOf(Buffer.from(body).toString('utf8')));
      const mails = mailboxes[path.join('/')]?.messages ?? [];
      return mails.map(({ uid, body = '' }) => ({ uid, guid: idOf(body) }));
    };
    await work({ boxes, mailsOf: named });
  }

  #theirShelf(): Shelf {
    return dovecotShelf(this.#theirs.commands, idOf);
  }

  /** What a Dovecot does not do is left undone. */
  async #ifPossible(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof DoveadmFailure) && !(error instanceof Error && error.message.startsWith('IMAP: ')))
        throw error;
    }
  }

  #tick(): void {
    this.#theirs.setBack(this.#clock.now());
    this.#clock.tick();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#theirs[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
