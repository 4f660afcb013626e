/**
 * The message table: every message of a session, its fields, their types and their names on Dovecot's wire.
 * Types, both codecs, the version check and docs/protocol.md derive from it, so they cannot disagree.
 *
 * `since` is the first dsync 3.x minor that has the message or field; a `native` field has no place in Dovecot's text
 * dialect (its `wire` name is used in documentation only) and a receiver must do without it.
 */
import type { FieldType, FieldValue } from './fields.ts';

/** A field as the table declares it. */
export interface Field<T extends FieldType = FieldType> {
  readonly type: T;
  /** Name in a Dovecot header line. */
  readonly wire: string;
  readonly since?: number;
  readonly native?: true;
}

/** A message as the table declares it. */
export interface MessageSpec {
  /** Item letter in Dovecot's dialect; also the documentation's short name. */
  readonly code: string;
  readonly since: number;
  readonly required: Readonly<Record<string, Field>>;
  readonly optional: Readonly<Record<string, Field>>;
}

const f = <T extends FieldType>(type: T, wire: string): { readonly type: T; readonly wire: string } => ({ type, wire });
const n = <T extends FieldType>(
  type: T,
  wire: string,
): { readonly type: T; readonly wire: string; readonly native: true } => ({
  type,
  wire,
  native: true,
});

/** The table. Native records hold the fields in this order, so a new one goes to the end (docs/protocol.md). */
export const MESSAGES = {
  /** First message of each side. The slave sends hostname alone; flags are written from the slave's point of view. */
  handshake: {
    code: 'H',
    since: 0,
    required: { hostname: f('text', 'hostname') },
    optional: {
      namespacePrefixes: f('lines', 'sync_ns_prefix'),
      mailbox: f('text', 'sync_box'),
      mailboxGuid: f('text', 'sync_box_guid'),
      algorithm: f('algorithm', 'sync_type'),
      debug: f('flag', 'debug'),
      allNamespaces: f('flag', 'sync_visible_namespaces'),
      excludeMailboxes: f('textList', 'exclude_mailboxes'),
      sendMailRequests: f('flag', 'send_mail_requests'),
      backupSend: f('flag', 'backup_send'),
      backupReceive: f('flag', 'backup_recv'),
      lockTimeout: f('u32', 'lock_timeout'),
      noMailSync: f('flag', 'no_mail_sync'),
      noBackupOverwrite: f('flag', 'no_backup_overwrite'),
      purgeRemote: f('flag', 'purge_remote'),
      noNotify: f('flag', 'no_notify'),
      since: f('u64', 'sync_since_timestamp'),
      maxSize: f('u64', 'sync_max_size'),
      flagFilter: f('text', 'sync_flags'),
      until: f('u64', 'sync_until_timestamp'),
      virtualAllMailbox: f('text', 'virtual_all_box'),
      emptyHeaderWorkaround: f('flag', 'empty_hdr_workaround'),
      commitInterval: f('u32', 'import_commit_msgs_interval'),
      hashedHeaders: f('textList', 'hashed_headers'),
      altChar: f('text', 'alt_char'),
      /** Both sides send their lists, nobody changes anything. */
      dryRun: n('flag', 'dry_run'),
      /** The slave writes without waiting for the disk (`--fsync off`). */
      noFsync: n('flag', 'no_fsync'),
    },
  },

  /** A mailbox's saved state: master → slave before the trees with `-s`; both ways at the end of each mailbox. */
  mailboxState: {
    code: 'S',
    since: 0,
    required: {
      mailboxGuid: f('mailboxGuid', 'mailbox_guid'),
      lastUidValidity: f('u32', 'last_uidvalidity'),
      lastCommonUid: f('u32', 'last_common_uid'),
      lastCommonModseq: f('u64', 'last_common_modseq'),
      lastCommonPrivateModseq: f('u64', 'last_common_pvt_modseq'),
    },
    optional: {
      messages: f('u32', 'last_messages_count'),
      changesDuringSync: f('flag', 'changes_during_sync'),
      /** What the sender did to its own mailbox: saved, copied, flagged, expunged, renumbered. */
      applied: n('u32List', 'applied'),
      /** With a common state: that of the sender's mailbox after its changes, if nobody else makes any. */
      digest: n('text', 'digest'),
    },
  },

  /** One name of the mailbox tree. */
  treeNode: {
    code: 'N',
    since: 0,
    required: { path: f('path', 'name'), existence: f('existence', 'existence') },
    optional: {
      mailboxGuid: f('mailboxGuid', 'mailbox_guid'),
      uidValidity: f('u32', 'uid_validity'),
      uidNext: f('u32', 'uid_next'),
      /** Unix seconds; absent when unknown. */
      renamedAt: f('seconds', 'last_renamed_or_created'),
      subscribed: f('flag', 'subscribed'),
      subscriptionChangedAt: f('seconds', 'last_subscription_change'),
      createdAt: n('seconds', 'created'),
      messages: n('u32', 'messages_count'),
      highestModseq: n('u64', 'highest_modseq'),
      firstRecentUid: n('u32', 'first_recent_uid'),
      /** Digest over the mailbox's contents (storage/digest.ts): equal digests, equal contents. */
      digest: n('text', 'digest'),
    },
  },

  /** Deletions that the sender remembers; exactly one, after the tree's nodes. */
  mailboxDelete: {
    code: 'D',
    since: 0,
    required: { separator: f('text', 'hierarchy_sep') },
    optional: {
      escapeChar: f('text', 'escape_char'),
      /** By mailbox GUID. */
      mailboxes: f('timedHashes', 'mailboxes'),
      /** By the first 16 bytes of SHA-1 of the full name in the sender's spelling. */
      directories: f('timedHashes', 'dirs'),
      unsubscribes: f('timedHashes', 'unsubscribes'),
    },
  },

  /** Opens (master) and answers (slave) one mailbox: the sender's present numbers. */
  mailbox: {
    code: 'B',
    since: 0,
    required: {
      mailboxGuid: f('mailboxGuid', 'mailbox_guid'),
      uidValidity: f('u32', 'uid_validity'),
      uidNext: f('u32', 'uid_next'),
      messages: f('u32', 'messages_count'),
      firstRecentUid: f('u32', 'first_recent_uid'),
      highestModseq: f('u64', 'highest_modseq'),
      highestPrivateModseq: f('u64', 'highest_pvt_modseq'),
    },
    optional: {
      lost: f('flag', 'mailbox_lost'),
      ignore: f('flag', 'mailbox_ignore'),
      cacheFields: f('text', 'cache_fields'),
      haveGuids: f('flag', 'have_guids'),
      haveSaveGuids: f('flag', 'have_save_guids'),
      haveOnlyGuid128: f('flag', 'have_only_guid128'),
      digest: n('text', 'digest'),
      /** Hashes of stretches of UIDs; what both sides have alike they leave out of their lists. */
      stretches: n('textList', 'stretches'),
    },
  },

  /** One entry of a mailbox's metadata; exactly one of value, stream, deleted. */
  attribute: {
    code: 'A',
    since: 1,
    required: { type: f('attributeType', 'type'), key: f('text', 'key') },
    optional: {
      value: f('text', 'value'),
      stream: f('flag', 'stream'),
      deleted: f('flag', 'deleted'),
      lastChange: f('seconds', 'last_change'),
      modseq: f('u64', 'modseq'),
    },
  },

  /** One mail that exists (save), changed (flags) or was expunged, in strictly ascending UID order. */
  mailChange: {
    code: 'C',
    since: 0,
    required: { type: f('changeType', 'type'), uid: f('uid', 'uid') },
    optional: {
      guid: f('text', 'guid'),
      headerHash: f('text', 'hdr_hash'),
      modseq: f('u64', 'modseq'),
      privateModseq: f('u64', 'pvt_modseq'),
      addFlags: f('hex8', 'add_flags'),
      removeFlags: f('hex8', 'remove_flags'),
      finalFlags: f('hex8', 'final_flags'),
      keywordsReset: f('flag', 'keywords_reset'),
      /** Sign and name: `+` added, `-` removed, `=` present now, `&` added and present now. */
      keywordChanges: f('textList', 'keyword_changes'),
      /** Unix seconds; sent while a date filter is on. */
      received: f('hex64', 'received_timestamp'),
      /** Bytes with CRLF line ends; sent while a size filter is on. */
      virtualSize: f('hex64', 'virtual_size'),
    },
  },

  /** Asks for one mail's body. */
  mailRequest: {
    code: 'R',
    since: 0,
    required: {},
    optional: { guid: f('text', 'guid'), uid: f('uid', 'uid') },
  },

  /** One mail; its bytes follow when `stream` is set, otherwise it has vanished meanwhile. */
  mail: {
    code: 'M',
    since: 0,
    required: { guid: f('text', 'guid') },
    optional: {
      uid: f('uid', 'uid'),
      pop3Uidl: f('text', 'pop3_uidl'),
      pop3Order: f('u32', 'pop3_order'),
      received: f('seconds', 'received_date'),
      saved: f('seconds', 'saved_date'),
      stream: f('flag', 'stream'),
    },
  },

  /** The slave's last word. */
  finish: {
    code: 'F',
    since: 3,
    required: {},
    optional: {
      error: f('text', 'error'),
      /** Dovecot's number of the kind of error: 5 no permission, 6 over quota, 7 not found, … */
      mailError: f('u32', 'mail_error'),
      requireFullResync: f('flag', 'require_full_resync'),
      /** Something changed meanwhile: run again (exit status 2). */
      changed: n('flag', 'changed'),
      warnings: n('textList', 'warnings'),
      /** What the sender did to its own tree: created, renamed, deleted, subscriptions. */
      appliedToTree: n('u32List', 'applied_to_tree'),
    },
  },

  /** Ends the list that is under way; which one that is follows from the order of the lists (docs/protocol.md). */
  listEnd: { code: '.', since: 0, required: {}, optional: {} },

  /** "I am going away." In the native dialect it can carry the reason, one line. */
  done: { code: 'X', since: 0, required: {}, optional: { error: n('text', 'error') } },
} as const satisfies Record<string, MessageSpec>;

/** The name of a kind of message. */
export type Kind = keyof typeof MESSAGES;

type Values<F extends Readonly<Record<string, Field>>> = { readonly [K in keyof F]: FieldValue<F[K]['type']> };

/** The fields of one kind of message. An absent optional field is left out, never `undefined`. */
export type Fields<K extends Kind> = Values<(typeof MESSAGES)[K]['required']> &
  Partial<Values<(typeof MESSAGES)[K]['optional']>>;

/** A message of one kind, as it is in memory. */
export type MessageOf<K extends Kind> = { readonly kind: K } & Fields<K>;

export type Message = { [K in Kind]: MessageOf<K> }[Kind];
