/** One side of a test: a store, and the users who change it between syncs. */
import { type MailboxPath, mailboxGuid, uid } from '@dsync/protocol';
import {
  createMemoryStore,
  type MailStore,
  type MemoryUser,
  type Namespace,
  openNamespacedStore,
} from '@dsync/storage';

import { bodyOf, DEFAULT_DATE, guidOf, splitFlags } from './mails.ts';
import { readSide, type SideSeen } from './read-side.ts';
import type { ScenarioState, SideConfig, UserStep } from './scenario.ts';

/** What users and administrators can do to a store, whatever its driver. */
export type User = Pick<
  MemoryUser,
  | 'place'
  | 'placeSubscription'
  | 'append'
  | 'expunge'
  | 'changeFlags'
  | 'move'
  | 'copy'
  | 'createMailbox'
  | 'createDirectory'
  | 'delete'
  | 'rename'
  | 'subscribe'
  | 'unsubscribe'
  | 'update'
  | 'setAttribute'
  | 'select'
  | 'loseHistory'
  | 'replaceMail'
  | 'snapshot'
  | 'restore'
>;

/** A clock that stands still until it is told to tick: users' actions carry its seconds. */
export class Clock {
  #now: number;

  /** @param start Unix seconds */
  constructor(start = 1_800_000_000) {
    this.#now = start;
  }

  readonly now = (): number => this.#now;
  tick(): void {
    this.#now += 2;
  }
}

/** The time of day; nobody can make it go faster. */
export class RealClock extends Clock {
  override readonly now = (): number => Date.now() / 1000;
  override tick(): void {}
}

/** One place where mail lies, and its users; a side has several where it has namespaces. */
export interface Place {
  readonly user: User;
  /** A store of one's own, to be closed by who asked for it. */
  readonly open: () => Promise<MailStore>;
  /** Where a mailbox's files are, for programs that know nothing of stores; absent where there are none. */
  readonly folder?: (path: MailboxPath) => string;
}

/** What kind of store a side has. */
export interface SideOptions {
  readonly separator: string;
  readonly layout: 'fs' | 'maildir++';
  readonly inboxDeletable: boolean;
}

/** Makes an empty place for a side's mail. */
export type MakePlace = (name: string, options: SideOptions) => Promise<Place>;

interface Rooted extends Place {
  readonly prefix: string;
  readonly separateLocation: boolean;
}

/** A side of a story, whatever keeps its mail. */
export interface StorySide {
  /** Puts the mail there that the story begins with. */
  place(state: ScenarioState): Promise<void>;
  /** Does what a user or an administrator did. */
  act(step: UserStep): Promise<void>;
  read(): Promise<SideSeen>;
}

/** Who acts on a name, and what that name is to him. */
type Locate = (name: string) => { readonly user: User; readonly path: MailboxPath };

/** A side of ours with one or more namespaces. */
export class Side implements StorySide {
  readonly separator: string;
  readonly #places: readonly Rooted[];

  private constructor(separator: string, places: readonly Rooted[]) {
    this.separator = separator;
    this.#places = places;
  }

  static async make(name: string, config: SideConfig, inboxDeletable: boolean, make: MakePlace): Promise<Side> {
    const separator = config.separator ?? '/';
    const layout = config.layout ?? 'maildir++';
    const namespaces = config.namespaces ?? [{ prefix: config.prefix ?? '', separate_location: false }];
    const places: Rooted[] = [];
    for (const [index, { prefix, separate_location }] of namespaces.entries()) {
      const place = await make(`${name}${index === 0 ? '' : index}`, { separator, layout, inboxDeletable });
      places.push({ ...place, prefix, separateLocation: separate_location });
    }
    return new Side(separator, places);
  }

  /** The side's store, to be closed by who asked for it. */
  async open(): Promise<MailStore> {
    const [only] = this.#places;
    if (only !== undefined && this.#places.length === 1 && only.prefix === '') return await only.open();
    const namespaces: Namespace[] = [];
    for (const [index, { prefix, separateLocation, open }] of this.#places.entries()) {
      namespaces.push({
        prefix,
        separator: this.separator,
        inbox: index === 0,
        hidden: false,
        list: true,
        separateLocation,
        store: await open(),
      });
    }
    return openNamespacedStore(namespaces);
  }

  async read(hash?: (body: Uint8Array) => string): Promise<SideSeen> {
    await using store = await this.open();
    return await readSide(store, hash);
  }

  place(state: ScenarioState): Promise<void> {
    return placeState(state, (name) => this.#at(name));
  }

  act(step: UserStep): Promise<void> {
    return actOut(step, (name) => this.#at(name));
  }

  /** The place and the path inside it that a name stands for; the longest prefix decides. */
  #at(name: string): { readonly user: User; readonly path: MailboxPath } {
    const fits = this.#places
      .filter((p) => name.startsWith(p.prefix))
      .toSorted((a, b) => b.prefix.length - a.prefix.length);
    const place = fits[0] ?? this.#places[0];
    if (place === undefined) throw new Error('a side has at least one place');
    const inner = fits.length > 0 ? name.slice(place.prefix.length) : name;
    return { user: place.user, path: inner === '' ? [] : inner.split(this.separator) };
  }
}

/** Puts the mail there that the story begins with. */
export async function placeState(state: ScenarioState, at: Locate): Promise<void> {
  for (const [name, mailbox] of Object.entries(state.mailboxes)) {
    const { user, path } = at(name);
    await user.place(path, {
      guid: mailboxGuid(mailbox.guid),
      uidValidity: mailbox.uidvalidity,
      ...(mailbox.uidnext === undefined ? {} : { uidNext: mailbox.uidnext }),
      mails: mailbox.messages.map((m) => ({
        uid: uid(m.uid),
        guid: guidOf(m.guid),
        flags: splitFlags(m.flags ?? []).flags,
        keywords: m.keywords ?? [],
        received: m.date ?? DEFAULT_DATE,
        body: bodyOf(m.guid, m.size),
        ...(m.pop3 === undefined ? {} : { pop3Uidl: m.pop3 }),
      })),
    });
  }
  for (const name of state.subscriptions) {
    const { user, path } = at(name);
    await user.placeSubscription(path);
  }
}

/** Does what a user or an administrator did. */
export async function actOut(step: UserStep, at: Locate): Promise<void> {
  const { user, path } = at(step.mailbox ?? '');
  const number = step.uid ?? 0;
  const { flags, keywords } = splitFlags([...(step.flags ?? []), ...(step.keywords ?? [])]);
  const to = (): MailboxPath => at(step.to ?? '').path;
  switch (step.op) {
    case 'append':
      await user.append(path, {
        guid: guidOf(must(step.guid)),
        flags,
        keywords,
        received: step.date ?? DEFAULT_DATE,
        body: bodyOf(must(step.guid), step.size),
      });
      return;
    case 'expunge':
      return await user.expunge(path, number);
    case 'flags_add':
      return await user.changeFlags(path, number, 'add', flags, keywords);
    case 'flags_remove':
      return await user.changeFlags(path, number, 'remove', flags, keywords);
    case 'flags_replace':
      return await user.changeFlags(path, number, 'replace', flags, keywords);
    case 'move':
      await user.move(path, number, to());
      return;
    case 'copy':
      await user.copy(path, number, to());
      return;
    case 'create':
      if (step.dir === true) return await user.createDirectory(path);
      return await user.createMailbox(path, {
        guid: mailboxGuid(must(step.guid)),
        uidValidity: step.uidvalidity ?? 1,
      });
    case 'delete':
      return await user.delete(path);
    case 'rename':
      return await user.rename(path, to());
    case 'subscribe':
      return await user.subscribe(path);
    case 'unsubscribe':
      return await user.unsubscribe(path);
    case 'update':
      return await user.update(path, {
        ...(step.guid === undefined ? {} : { guid: mailboxGuid(step.guid) }),
        ...(step.uidvalidity === undefined ? {} : { uidValidity: step.uidvalidity }),
        ...(step.uidnext === undefined ? {} : { uidNext: step.uidnext }),
        ...(step.highestmodseq === undefined ? {} : { highestModseq: BigInt(step.highestmodseq) }),
      });
    case 'attr_set':
      return await user.setAttribute(path, must(step.key), must(step.value));
    case 'attr_unset':
      return await user.setAttribute(path, must(step.key), null);
    case 'select':
      return await user.select(path);
    case 'lose_history':
      return await user.loseHistory(path);
    case 'replace_mail':
      return await user.replaceMail(path, number, guidOf(must(step.guid)), bodyOf(must(step.guid)));
    case 'snapshot':
      return await user.snapshot();
    case 'restore':
      return await user.restore();
  }
}

/** Places in memory: what users do and what stores find is the same object all the time. */
export function memoryPlaces(clock: Clock): MakePlace {
  return async (_name, { separator, layout, inboxDeletable }) => {
    const store = createMemoryStore({ separator, directories: layout === 'fs', inboxDeletable, now: clock.now });
    return { user: store.user, open: async () => store };
  };
}

function must(text: string | undefined): string {
  if (text === undefined) throw new Error('the step lacks a field');
  return text;
}
