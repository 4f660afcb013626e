/**
 * By what the two sides' mails are recognised as the same (docs/protocol.md, "Which mail is which"). The merge compares the
 * field `guid` of records; where that is not what the peer compares, records get an identity in its place before the merge,
 * and the plan gets the GUIDs back after it.
 */
import { guid128, type MailGuid, mailGuid, type MessageOf, type Uid } from '@dsync/protocol';
import type { ExpungeRecord, MailRecord } from '@dsync/storage';

import { type HeaderHash, NO_HEADERS } from './header-hash.ts';
import type { MailOperation, MailPlan, MailSide } from './mail-plan.ts';

/** `guid`: the text of GUIDs; `guid128`: their 128-bit form; `header`: hashes of headers. */
export type Identity = 'guid' | 'guid128' | 'header';

type Abilities = Pick<MessageOf<'mailbox'>, 'haveGuids' | 'haveSaveGuids' | 'haveOnlyGuid128'>;

/** What both ends conclude from the two announcements of a mailbox. */
export function identityOf(localIs: 'source' | 'destination' | 'peer', local: Abilities, remote: Abilities): Identity {
  const [from, to] = localIs === 'destination' ? [remote, local] : [local, remote];
  const isBacked = localIs !== 'peer' && from.haveGuids === true;
  if (to.haveSaveGuids !== true || (from.haveSaveGuids !== true && !isBacked)) return 'header';
  return local.haveOnlyGuid128 === true || remote.haveOnlyGuid128 === true ? 'guid128' : 'guid';
}

/** A mail of the peer's as it was announced. */
export interface AnnouncedMail {
  readonly uid: Uid;
  /** Empty: its store has none. */
  readonly guid: string;
  /** Empty or absent: not computed. */
  readonly headerHash: string | undefined;
}

/** By what mails are recognised, and what that needs. */
export interface IdentifyContext {
  readonly identity: Identity;
  /** Of the own mails, where headers count; mails without one are not to be compared with anything. */
  readonly hashes: ReadonlyMap<Uid, HeaderHash>;
  /**
   * Whether two mails without any of the hashed headers can be taken for one although they have different UIDs. A Dovecot
   * does so, and both ends have to conclude the same; between two of ours nobody does.
   */
  readonly headerlessAreOne: boolean;
  /** A new GUID, for a mail whose own store has none. */
  readonly newGuid: () => MailGuid;
}

/** Both sides with identities, and the way back. */
export interface Identified {
  readonly local: MailSide;
  readonly remote: MailSide;
  /** The plans in terms of the GUIDs that each side has, or will have. */
  restore(plan: MailPlan, side: 'local' | 'remote'): MailPlan;
}

/** @param announced where headers count: the peer's mails, in the order of `remote.mails` */
export function identify(
  local: MailSide,
  remote: MailSide,
  announced: readonly AnnouncedMail[],
  context: IdentifyContext,
): Identified {
  if (context.identity === 'guid') return { local, remote, restore: (plan) => plan };
  const names = context.identity === 'header' ? new HeaderNames(context) : GUIDS_128;
  const ofLocal = (mail: MailRecord): MailRecord => ({ ...mail, guid: names.ofLocal(mail) });
  const { lookup } = local;
  const own = new Map(local.mails.map((mail) => [mail.uid, mail]));
  const told: readonly { readonly uid: Uid; readonly guid: string }[] =
    context.identity === 'header' ? announced : remote.mails;
  const theirs = new Map(told.map((mail) => [mail.uid, mail]));
  return {
    local: {
      ...local,
      mails: local.mails.map(ofLocal),
      expunges: local.expunges.map(names.ofRecord),
      ...(lookup === undefined
        ? {}
        : {
            lookup: (uid: Uid): MailRecord | undefined => {
              const mail = lookup(uid);
              return mail === undefined ? undefined : ofLocal(mail);
            },
          }),
    },
    remote: {
      ...remote,
      mails: remote.mails.map((mail, i) => ({ ...mail, guid: names.ofRemote(mail, announced[i]) })),
      expunges: remote.expunges.map(names.ofRecord),
    },
    restore(plan, side) {
      const ofOwn = (uid: Uid): string => (own.get(uid) ?? lookup?.(uid))?.guid ?? '';
      const ofTheirs = (uid: Uid): string => theirs.get(uid)?.guid ?? '';
      const [here, there] = side === 'local' ? [ofOwn, ofTheirs] : [ofTheirs, ofOwn];
      const guids = { here, there, newGuid: context.newGuid };
      return { ...plan, operations: plan.operations.map((operation) => restored(operation, guids)) };
    },
  };
}

/** By UID; empty: unknown. `here` is the side of the plan. */
interface RealGuids {
  readonly here: (uid: Uid) => string;
  readonly there: (uid: Uid) => string;
  readonly newGuid: () => MailGuid;
}

function restored(operation: MailOperation, guids: RealGuids): MailOperation {
  switch (operation.op) {
    case 'flag':
      return operation;
    case 'save':
      return { ...operation, guid: mailGuid(guids.there(operation.remoteUid) || guids.newGuid()) };
    case 'copy':
    case 'keep':
    case 'renumber':
      return { ...operation, guid: mailGuid(guids.here(operation.from) || operation.guid) };
    case 'expunge':
      return operation.guid === null
        ? operation
        : { ...operation, guid: mailGuid(guids.here(operation.uid) || operation.guid) };
    default:
      return operation satisfies never;
  }
}

const GUIDS_128 = {
  ofLocal: (mail: MailRecord): MailGuid => mailGuid(guid128(mail.guid)),
  ofRemote: (mail: MailRecord): MailGuid => mailGuid(guid128(mail.guid)),
  ofRecord: (record: ExpungeRecord): ExpungeRecord =>
    record.guid ? { ...record, guid: guid128(record.guid) } : record,
};

class HeaderNames {
  readonly #context: IdentifyContext;
  /** From unusual forms of a hash to the usual one, of own mails. */
  readonly #usual = new Map<string, string>();

  constructor(context: IdentifyContext) {
    this.#context = context;
    for (const { usual, others } of context.hashes.values()) for (const other of others) this.#usual.set(other, usual);
  }

  ofLocal({ uid }: MailRecord): MailGuid {
    return this.#name(uid, this.#context.hashes.get(uid)?.usual);
  }

  /** Without a hash the UID is all that there is; a side that sends none takes equal UIDs for equal mails. */
  ofRemote(mail: MailRecord, announced: AnnouncedMail | undefined): MailGuid {
    const hash = announced?.headerHash;
    if (hash) return this.#name(mail.uid, this.#usual.get(hash) ?? hash);
    return this.ofLocal(mail);
  }

  /** A record names a GUID, which says nothing of a mail that is known by its headers. */
  readonly ofRecord = (record: ExpungeRecord): ExpungeRecord => ({ ...record, guid: null });

  #name(uid: Uid, hash: string | undefined): MailGuid {
    // Sorts by UID where there is nothing else.
    if (hash === undefined) return mailGuid(`uid-${String(uid).padStart(10, '0')}`);
    return mailGuid(hash === NO_HEADERS && !this.#context.headerlessAreOne ? `${hash}-${uid}` : hash);
  }
}
