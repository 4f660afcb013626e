/**
 * The store that one side of a recorded session must have had, told from what it said: its tree, the numbers and mails of
 * its mailboxes, and the bytes that it sent. Numbers and lists are those of the recording; everything else, and all that the
 * session changes, is a store in memory.
 */
import {
  ALL_FLAGS,
  type MailboxGuid,
  mailboxGuid,
  type MailGuid,
  mailGuid,
  type MessageOf,
  type Received,
  type Uid,
  uid as checkedUid,
} from '@dsync/protocol';
import {
  createMemoryStore,
  type Attribute,
  type ExpungeRecord,
  type Mailbox,
  type MailboxChanges,
  type MailContent,
  type MailRecord,
  type MailStore,
} from '@dsync/storage';

import { memberOf } from '../support/member-of.ts';

type Mail = Extract<Received, { kind: 'mail' }>;

/** What one side said of one mailbox. */
export interface SaidOfMailbox {
  readonly numbers: MessageOf<'mailbox'>;
  readonly attributes: readonly MessageOf<'attribute'>[];
  readonly changes: readonly MessageOf<'mailChange'>[];
  readonly mails: readonly Mail[];
  readonly requests: readonly MessageOf<'mailRequest'>[];
}

/** What one side said of its tree and of each mailbox, in its own order. */
export interface Said {
  readonly nodes: readonly MessageOf<'treeNode'>[];
  readonly deletions: MessageOf<'mailboxDelete'>;
  readonly mailboxes: ReadonlyMap<MailboxGuid, SaidOfMailbox>;
}

/** Sorts a side's messages by what they are about. @param messages in the order of the session */
export function readSaid(messages: readonly Received[]): Said {
  const nodes: MessageOf<'treeNode'>[] = [];
  let deletions: MessageOf<'mailboxDelete'> = { kind: 'mailboxDelete', separator: '/' };
  const mailboxes = new Map<MailboxGuid, SaidOfMailbox>();
  let attributes: MessageOf<'attribute'>[] = [];
  let changes: MessageOf<'mailChange'>[] = [];
  let mails: Mail[] = [];
  let requests: MessageOf<'mailRequest'>[] = [];
  for (const message of messages) {
    if (message.kind === 'treeNode') nodes.push(message);
    else if (message.kind === 'mailboxDelete') deletions = message;
    else if (message.kind === 'attribute') attributes.push(message);
    else if (message.kind === 'mailChange') changes.push(message);
    else if (message.kind === 'mail') mails.push(message);
    else if (message.kind === 'mailRequest') requests.push(message);
    else if (message.kind === 'mailbox') {
      [attributes, changes, mails, requests] = [[], [], [], []];
      mailboxes.set(message.mailboxGuid, { numbers: message, attributes, changes, mails, requests });
    }
  }
  return { nodes, deletions, mailboxes };
}

/** The mails of a session, by GUID. */
export function mailsIn(messages: readonly Received[]): ReadonlyMap<string, Mail> {
  return new Map(messages.flatMap((message) => (message.kind === 'mail' ? [[message.guid, message] as const] : [])));
}

/**
 * @param bodies of mails that this session did not need
 * @param common UIDs up to which both sides were known to be equal, by mailbox: there only changes were told
 */
export async function recordedStore(
  own: Said,
  other: Said,
  common: ReadonlyMap<MailboxGuid, number>,
  bodies: ReadonlyMap<string, Mail>,
): Promise<MailStore> {
  const isDirectory = (node: MessageOf<'treeNode'>): boolean =>
    node.existence === 'y' && node.mailboxGuid === undefined;
  const store = createMemoryStore({
    separator: own.deletions.separator,
    directories: own.nodes.some(isDirectory),
    keepsMailGuids: [...own.mailboxes.values()].every(({ numbers }) => numbers.lost || numbers.haveSaveGuids === true),
  });
  const recorded = new Map<MailboxGuid, Recorded>();
  for (const node of own.nodes) {
    if (isDirectory(node)) await store.user.createDirectory(node.path);
    if (node.mailboxGuid === undefined || node.existence !== 'y') continue;
    // Who has taken the other side's GUID for a mailbox of the same name speaks of it under that one.
    const guids = [node.mailboxGuid, ...guidsAt(node.path, other)];
    const said = firstOf(guids, own.mailboxes);
    const there = firstOf(guids, other.mailboxes);
    const mailbox = said === undefined ? null : recordedMailbox(said, there, common.get(node.mailboxGuid) ?? 0, bodies);
    await store.user.place(node.path, {
      guid: node.mailboxGuid,
      uidValidity: node.uidValidity ?? 1,
      ...(node.uidNext === undefined ? {} : { uidNext: node.uidNext }),
      mails: mailbox?.placed ?? [],
    });
    if (mailbox !== null) for (const guid of guids) recorded.set(guid, mailbox);
  }
  return wrap(store, own, recorded);
}

function guidsAt(path: readonly string[], { nodes }: Said): MailboxGuid[] {
  const name = path.join('\0');
  return nodes.flatMap((node) => (node.mailboxGuid && node.path.join('\0') === name ? [node.mailboxGuid] : []));
}

function firstOf(
  guids: readonly MailboxGuid[],
  mailboxes: ReadonlyMap<MailboxGuid, SaidOfMailbox>,
): SaidOfMailbox | undefined {
  return guids.map((guid) => mailboxes.get(guid)).find((said) => said !== undefined);
}

interface Recorded {
  readonly said: SaidOfMailbox;
  readonly listed: MailboxChanges;
  /** Listed or not. */
  readonly all: readonly MailRecord[];
  readonly placed: readonly (MailRecord & { readonly received: number; readonly body: Uint8Array })[];
  readonly bytes: ReadonlyMap<string, Mail>;
}

function recordedMailbox(
  said: SaidOfMailbox,
  there: SaidOfMailbox | undefined,
  commonUid: number,
  bodies: ReadonlyMap<string, Mail>,
): Recorded {
  const listed = listOf(said.changes);
  const known = new Map<number, MailRecord>(listed.mails.map((mail) => [mail.uid, mail]));
  const gone = new Set<number>(listed.expunges.map(({ uid }) => uid));
  const { messages, uidNext } = said.numbers;
  // With a state nobody tells of unchanged mails, and a destination tells of none; those that the other side lists and this
  // side does not ask for were here as the other had them before.
  const untold = said.changes.length === 0 ? uidNext - 1 : commonUid;
  const asked = new Set(said.requests.map(({ guid }) => guid));
  const theirs = listOf(there?.changes ?? []);
  for (const mail of theirs.mails) {
    if (mail.uid > untold || known.has(mail.uid) || gone.has(mail.uid) || asked.has(mail.guid)) continue;
    if (known.size >= messages) break;
    const flags = (mail.flags & ~mail.addedFlags) | mail.removedFlags;
    const keywords = mail.keywords.filter((keyword) => !mail.addedKeywords.includes(keyword));
    known.set(mail.uid, { ...unchanged(mail.uid, mail.guid), flags, keywords });
  }
  for (let uid = 1; uid <= untold && known.size < messages; uid++)
    if (!known.has(uid) && !gone.has(uid))
      known.set(uid, unchanged(checkedUid(uid), unknownGuid(uid, theirs.expunges)));
  const all = [...known.values()].toSorted((a, b) => a.uid - b.uid);
  const bytes = new Map([...bodies, ...said.mails.map((mail) => [mail.guid, mail] as const)]);
  const placed = all.map((mail) => ({
    ...mail,
    received: bytes.get(mail.guid)?.received ?? 0,
    body: wholeBody(bytes.get(mail.guid)),
  }));
  return { said, listed, all, placed, bytes };
}

/** The other side may have told of its expunge. */
function unknownGuid(uid: number, expunges: readonly ExpungeRecord[]): MailGuid {
  return mailGuid(expunges.find((record) => record.uid === uid)?.guid ?? `unknown-${uid}`);
}

function unchanged(uid: Uid, guid: MailGuid): MailRecord {
  const nothing = { addedFlags: 0, removedFlags: 0, addedKeywords: [], removedKeywords: [] };
  return { uid, guid, modseq: 1n, flags: 0, keywords: [], ...nothing };
}

function listOf(changes: readonly MessageOf<'mailChange'>[]): { mails: MailRecord[]; expunges: ExpungeRecord[] } {
  const mails: MailRecord[] = [];
  const expunges: ExpungeRecord[] = [];
  for (const change of changes) {
    const { uid, guid, modseq = 0n } = change;
    if (change.type === 'e') {
      expunges.push({ uid, guid: guid ?? null, modseq });
      continue;
    }
    const words = change.keywordChanges ?? [];
    const named = (signs: string): string[] =>
      words.filter((word) => signs.includes(word.charAt(0))).map((word) => word.slice(1));
    mails.push({
      uid,
      guid: mailGuid(guid ?? ''),
      modseq,
      flags: (change.finalFlags ?? 0) & ALL_FLAGS,
      addedFlags: change.addFlags ?? 0,
      removedFlags: change.removeFlags ?? 0,
      keywords: named('=&+').toSorted(),
      addedKeywords: named('&+'),
      removedKeywords: named('-'),
    });
  }
  return { mails, expunges };
}

function wholeBody(mail: Mail | undefined): Uint8Array {
  if (mail?.body === undefined) return Buffer.from('Subject: not in the recording\r\n\r\n');
  if (!(mail.body instanceof Uint8Array)) throw new Error('the recording has a mail that is too large');
  return mail.body;
}

/** Until the session changes a mailbox, it is as recorded. */
function wrap(store: MailStore, own: Said, recorded: ReadonlyMap<MailboxGuid, Recorded>): MailStore {
  return new Proxy(store, {
    get(target, key) {
      if (key === 'openMailbox')
        return async (guid: MailboxGuid): Promise<Mailbox | null> => {
          const mailbox = await target.openMailbox(guid);
          const facts = recorded.get(guid);
          return mailbox === null || facts === undefined ? mailbox : wrapMailbox(mailbox, facts);
        };
      if (key === 'readTree') return () => recordedTree(target, own);
      // Every mailbox was looked at before, so that a missing mail is an expunged one, as for the recorded side.
      if (key === 'recall')
        return () => new Map([...own.mailboxes.keys()].map((guid) => [guid, { highestModseq: null, heldBack: null }]));
      return memberOf(target, key);
    },
  });
}

/** The memory's tree with the times that were told of it. */
async function recordedTree(store: MailStore, own: Said): ReturnType<MailStore['readTree']> {
  const tree = await store.readTree();
  const told = new Map(own.nodes.map((node) => [node.path.join('\0'), node]));
  const nodes = tree.nodes.map((node) => {
    const said = told.get(node.path.join('\0'));
    return said === undefined ? node : { ...node, ...timesOf(said) };
  });
  const names = new Set(nodes.map(({ path }) => path.join('\0')));
  for (const said of own.nodes)
    if (!names.has(said.path.join('\0')) && said.subscribed)
      nodes.push({ path: said.path, exists: false, createdAt: 0, ...timesOf(said) });
  const { mailboxes = [], directories = [], unsubscribes = [] } = own.deletions;
  const gone = mailboxes.map(({ hash, time }) => ({ guid: mailboxGuid(hash), time }));
  return { ...tree, nodes, deletions: { mailboxes: gone, directories, unsubscribes } };
}

function timesOf(said: MessageOf<'treeNode'>): {
  readonly renamedAt: number;
  readonly subscribed: boolean;
  readonly subscriptionChangedAt: number;
} {
  return {
    renamedAt: said.renamedAt ?? 0,
    subscribed: said.subscribed === true,
    subscriptionChangedAt: said.subscriptionChangedAt ?? 0,
  };
}

function wrapMailbox(mailbox: Mailbox, { said, listed, all, bytes }: Recorded): Mailbox {
  const { uidValidity, uidNext, messages, firstRecentUid, highestModseq } = said.numbers;
  return new Proxy(mailbox, {
    get(target, key) {
      if (key === 'status')
        return async () => ({
          ...(await target.status()),
          uidValidity,
          uidNext,
          messages,
          firstRecentUid,
          highestModseq,
        });
      if (key === 'changes')
        return async (since?: object): Promise<MailboxChanges> =>
          since === undefined ? { mails: all, expunges: listed.expunges } : listed;
      if (key === 'facts')
        return async () => {
          const facts = new Map(await target.facts());
          for (const { uid, received, virtualSize } of said.changes)
            if (received !== undefined || virtualSize !== undefined)
              facts.set(uid, { received: Number(received ?? 0n), virtualSize: Number(virtualSize ?? 0n) });
          return facts;
        };
      if (key === 'attributes') return async () => said.attributes.map(attributeOf);
      if (key === 'read')
        return async (uid: Uid, guid: MailGuid): Promise<MailContent | null> => {
          const content = await target.read(uid, guid);
          const sent = bytes.get(guid);
          if (content === null || sent === undefined) return content;
          const { saved, pop3Uidl } = sent;
          return {
            ...content,
            body: content.body,
            received: sent.received ?? 0,
            ...(saved === undefined ? {} : { saved }),
            ...(pop3Uidl === undefined ? {} : { pop3Uidl }),
            [Symbol.asyncDispose]: () => content[Symbol.asyncDispose](),
          };
        };
      return memberOf(target, key);
    },
  });
}

function attributeOf(message: MessageOf<'attribute'>): Attribute {
  return {
    scope: message.type === 'p' ? 'private' : 'shared',
    key: message.key,
    value: message.deleted ? null : (message.value ?? ''),
    changedAt: message.lastChange ?? 0,
    modseq: message.modseq ?? 0n,
  };
}
