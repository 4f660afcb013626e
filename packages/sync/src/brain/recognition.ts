/** By what one conversation recognises mails: the headers of own mails are read where GUIDs cannot be shared. */
import { randomBytes } from 'node:crypto';

import { type Body, mailGuid, type Uid } from '@dsync/protocol';
import type { MailboxChanges, MailRecord } from '@dsync/storage';

import { headerEnd, type HeaderHash, headerHash, hashVersion } from '../mails/header-hash.ts';
import { identify, type Identified, type Identity } from '../mails/identity.ts';
import type { MailSide } from '../mails/mail-plan.ts';
import type { ChangeCollector } from './mail-messages.ts';
import type { MailboxView } from './mailbox-view.ts';
import { peerIsOurs, type Session } from './session.ts';

/** A header is looked at up to here; no real one is longer. */
const MAX_HEADER = 8 * 1024 * 1024;

/** The identity of mails in one conversation, and the header hashes that it needs. */
export class Recognition {
  readonly #session: Session;
  readonly #view: MailboxView;
  readonly #identity: Identity;
  readonly #hashes = new Map<Uid, HeaderHash>();

  constructor(session: Session, view: MailboxView, identity: Identity) {
    this.#session = session;
    this.#view = view;
    this.#identity = identity;
  }

  /** Mails are recognised by their headers, and asked for by UID. */
  get byHeader(): boolean {
    return this.#identity === 'header';
  }

  /** Of own mails, to be told to the peer; null where GUIDs count. */
  get hashes(): ReadonlyMap<Uid, HeaderHash> | null {
    return this.byHeader ? this.#hashes : null;
  }

  /**
   * Reads what is needed of own mails.
   * @returns the changes without mails that have vanished meanwhile
   */
  async prepare(changes: MailboxChanges, theirMessages: number): Promise<MailboxChanges> {
    // Where the other side has no mail there is nothing to recognise.
    if (!this.byHeader || theirMessages === 0) return changes;
    await this.#read(changes.mails);
    return { ...changes, mails: changes.mails.filter(({ uid }) => this.#hashes.has(uid)) };
  }

  /** Both sides as the merge is to compare them. */
  async identify(local: MailSide, remote: MailSide, theirs: ChangeCollector): Promise<Identified> {
    const { lookup } = local;
    if (this.byHeader && lookup !== undefined)
      await this.#read(theirs.mails.map(({ uid }) => lookup(uid)).filter((mail) => mail !== undefined));
    return identify(local, remote, theirs.announced, {
      identity: this.#identity,
      hashes: this.#hashes,
      headerlessAreOne: !peerIsOurs(this.#session.channel),
      newGuid: () => mailGuid(randomBytes(16).toString('hex')),
    });
  }

  async #read(mails: readonly MailRecord[]): Promise<void> {
    const { rules, channel } = this.#session;
    const version = hashVersion(channel.peer.minor);
    for (const { uid, guid } of mails) {
      if (this.#hashes.has(uid)) continue;
      await using content = await this.#view.read(uid, guid);
      if (content !== null)
        this.#hashes.set(uid, headerHash(await headerOf(content.body), rules.hashedHeaders, version));
    }
  }
}

/** The beginning of a mail, with its whole header. */
async function headerOf(body: Body): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  let header: Uint8Array = Buffer.alloc(0);
  for await (const chunk of body) {
    header = Buffer.concat([header, chunk]);
    if (headerEnd(header) >= 0 || header.length >= MAX_HEADER) break;
  }
  return header;
}
