/** The store's names, numbers and what is remembered of names that are gone. */
import { randomBytes } from 'node:crypto';

import { compareBytes, mailboxGuid, type MailboxGuid, type MailboxPath } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type { JournalHead, JournalName } from '../journal/journal.ts';
import { blankName } from '../journal/names.ts';
import { statusOf } from '../journal/status.ts';
import type { TreeNode, TreeSnapshot } from '../mail-store.ts';
import { isBelow, isInbox, pathKey, samePath } from '../paths.ts';
import { Box } from './box.ts';
import { ChangeLog } from './change-log.ts';
import { flush, type Context } from './context.ts';
import { scan } from './scan.ts';
import { dropLeftSyncLock } from './sync-lock.ts';
import { readSubscriptions } from './subscriptions-file.ts';
import { tidyStore } from './tidy-store.ts';
import { printUidlist } from './uidlist.ts';

/**
 * Mailboxes looked at in one go, which share the flushes and the journal's transactions of a first look; what is read
 * of them is in memory at once, so their directories may come to so many bytes together (some 50,000 mails).
 */
const AT_ONCE = 256;
const AT_ONCE_BYTES = 4_000_000;

/** @throws {StoreError} if anything cannot be read: nothing may be taken for deleted then */
export async function readTree(context: Context): Promise<TreeSnapshot> {
  const { layout, journal } = context;
  await tidyStore(context);
  const heads = journal.heads();
  const found = scan(layout, context.warn);
  const byPath = new Map([...heads.values()].map((head) => [pathKey(head.path), head]));
  if (byPath.has('INBOX') && !found.mailboxes.some(isInbox)) {
    throw new StoreError('Temporary', `INBOX has vanished from ${layout.roots.inbox}: is a file system not mounted?`);
  }
  for (const path of found.dangling) {
    const link = `${layout.print(path)} is a link that leads to no mail folder`;
    if (byPath.has(pathKey(path))) throw new StoreError('Temporary', `${link} any more: is a file system not mounted?`);
    context.warn(`${link}; it is left alone`);
  }
  // Whoever deletes a mailbox removes its folder, too.
  const unmounted = found.empty.find((path) => byPath.has(pathKey(path)));
  if (unmounted !== undefined)
    throw new StoreError(
      'Temporary',
      `${layout.places(unmounted).mail} is empty: is a file system not mounted? (If the mailbox is to be deleted, remove the folder.)`,
    );
  const { boxes, changed } = await openBoxes(context, found.mailboxes, heads, byPath);
  const log = new ChangeLog(layout.roots.index);
  await noteRenames(context, boxes, heads, log);
  await lookAtAll(boxes.filter((box) => changed.has(box) || box.head === null));
  await noteDeletions(context, boxes, heads, log);
  return snapshot(context, boxes, found.directories, log);
}

/**
 * One box for every folder, the known ones again, each with what the journal has of it; and those that have to be
 * looked at, because they are not as the journal's fingerprint says.
 */
async function openBoxes(
  context: Context,
  paths: readonly MailboxPath[],
  heads: ReadonlyMap<MailboxGuid, JournalHead>,
  byPath: ReadonlyMap<string, JournalHead>,
): Promise<{ readonly boxes: readonly Box[]; readonly changed: ReadonlySet<Box> }> {
  const changed = new Set<Box>();
  const known = new Map([...context.boxes.values()].map((box) => [pathKey(box.path), box]));
  context.boxes.clear();
  const boxes: Box[] = [];
  const guids = new Map<Box, string>();
  for (const path of paths.toSorted((a, b) => compareBytes(context.layout.print(a), context.layout.print(b)))) {
    const before = known.get(pathKey(path));
    const box = before ?? new Box(context, path);
    if (before !== undefined) changed.add(box);
    const there = byPath.get(pathKey(path));
    box.former = there ?? null;
    await dropLeftSyncLock(box.syncLock);
    if (box.isLeftLocked) changed.add(box);
    if (there !== undefined && there.fingerprint !== '' && there.fingerprint === box.folder.stamp().text)
      box.head = there;
    else {
      changed.add(box);
      const guid = box.folder.readUidlistHeader()?.guid ?? null;
      box.head = guid === null ? (there ?? null) : (heads.get(guid) ?? null);
      if (guid !== null) guids.set(box, guid);
    }
    boxes.push(box);
  }
  await separateTwins(context, boxes, guids);
  for (const box of boxes) if (box.head !== null) context.boxes.set(box.head.guid, box);
  return { boxes, changed };
}

/**
 * Two folders with one GUID (one was copied): the name that sorts first gets a new one at once, as in Dovecot.
 * @param guids as their uidlists have them, of those that the journal does not know as they are
 */
async function separateTwins(context: Context, boxes: readonly Box[], guids: ReadonlyMap<Box, string>): Promise<void> {
  const seen = new Map<string, Box>();
  for (const box of boxes) {
    const guid = box.head?.guid ?? guids.get(box);
    if (guid === undefined) continue;
    const twin = seen.get(guid);
    seen.set(guid, box);
    if (twin !== undefined) await giveNewGuid(context, twin, guid);
  }
}

async function giveNewGuid(context: Context, box: Box, former: string): Promise<void> {
  await using _lock = await box.lockUidlist();
  const uidlist = box.folder.readUidlist();
  if (uidlist === null || uidlist.guid !== former) return;
  const guid = mailboxGuid(randomBytes(16).toString('hex'));
  context.warn(`${box.print} has the GUID ${former} of another mailbox too, it gets ${guid}`);
  box.folder.replaceUidlist(printUidlist({ ...uidlist, guid }), box.folder.ownership());
  await flush(context, [box.folder.uidlistFile, box.folder.places.control]);
  box.head = null;
}

async function noteRenames(
  context: Context,
  boxes: readonly Box[],
  heads: ReadonlyMap<MailboxGuid, JournalHead>,
  log: ChangeLog,
): Promise<void> {
  const { journal, layout } = context;
  const names = new Map(journal.names().map((name) => [pathKey(name.path), name]));
  const renamed: JournalName[] = [];
  for (const { head, path } of boxes) {
    const before = head === null ? undefined : heads.get(head.guid);
    if (before === undefined || samePath(before.path, path)) continue;
    const renamedAt = log.time('renamed', layout.hash(path)) || Math.floor(context.now());
    renamed.push({ ...(names.get(pathKey(path)) ?? blankName(path)), renamedAt, removedAt: 0 });
  }
  if (renamed.length > 0) await journal.writeNames(renamed);
}

async function lookAtAll(boxes: readonly Box[]): Promise<void> {
  for (let begin = 0; begin < boxes.length;) {
    let end = begin;
    for (let bytes = 0; end < boxes.length && end - begin < AT_ONCE; end++) {
      bytes += boxes[end]?.folder.directoryBytes() ?? 0;
      if (end > begin && bytes > AT_ONCE_BYTES) break;
    }
    // Every one to its end, so that nothing goes on behind the back of who is told of a failure.
    const looks = await Promise.allSettled(boxes.slice(begin, end).map(lookAt));
    for (const look of looks) if (look.status === 'rejected') throw look.reason;
    begin = end;
  }
}

function lookAt(box: Box): Promise<void> {
  return box.mutex.run(async () => {
    if (box.isLeftLocked) await box.tidyUp();
    else await box.look();
    await box.settle();
    box.forget();
  });
}

/** What the journal knows and the disk has no more, under any name, was deleted by somebody. INBOX never is. */
async function noteDeletions(
  context: Context,
  boxes: readonly Box[],
  heads: ReadonlyMap<MailboxGuid, JournalHead>,
  log: ChangeLog,
): Promise<void> {
  const { journal } = context;
  const now = journal.heads();
  const alive = new Set(boxes.map((box) => box.guid));
  const paths = new Set(boxes.map((box) => pathKey(box.path)));
  for (const [guid, { path }] of heads) {
    if (alive.has(guid) || !now.has(guid) || isInbox(path)) continue;
    const at = log.time('mailbox-deleted', guid) || Math.floor(context.now());
    await journal.dropMailbox(guid, at);
    const name = journal.names().find((other) => samePath(other.path, path)) ?? blankName(path);
    const gone = !paths.has(pathKey(path)) && !boxes.some((box) => isBelow(box.path, path));
    await journal.writeNames([{ ...name, createdAt: 0, renamedAt: 0, removedAt: gone ? at : 0 }]);
  }
}

function snapshot(
  context: Context,
  boxes: readonly Box[],
  directories: readonly MailboxPath[],
  log: ChangeLog,
): TreeSnapshot {
  const { layout, journal } = context;
  const names = new Map(journal.names().map((name) => [pathKey(name.path), name]));
  const subscribed = new Map(readSubscriptions(context).paths.map((path) => [pathKey(path), path]));
  const node = (path: MailboxPath, facts: Pick<TreeNode, 'exists' | 'mailbox'>): TreeNode => {
    const name = names.get(pathKey(path));
    const hash = layout.hash(path);
    const isSubscribed = subscribed.has(pathKey(path));
    return {
      path,
      ...facts,
      renamedAt: Math.max(name?.renamedAt ?? 0, log.time('renamed', hash)),
      createdAt: name?.createdAt ?? 0,
      subscribed: isSubscribed,
      subscriptionChangedAt: Math.max(
        name?.subscribed === isSubscribed ? name.subscriptionChangedAt : 0,
        log.time(isSubscribed ? 'subscribed' : 'unsubscribed', hash),
      ),
    };
  };
  const nodes = new Map<string, TreeNode>();
  for (const path of directories) nodes.set(pathKey(path), node(path, { exists: true }));
  for (const { path, head } of boxes)
    if (head !== null) nodes.set(pathKey(path), node(path, { exists: true, mailbox: statusOf(head) }));
  // A line of the file that can be no mailbox's name stays there; there is nothing to tell of it.
  for (const [key, path] of subscribed)
    if (!nodes.has(key) && layout.allows(path)) nodes.set(key, node(path, { exists: false }));
  return {
    separator: layout.separator,
    nodes: [...nodes.values()].toSorted((a, b) => compareBytes(pathKey(a.path), pathKey(b.path))),
    deletions: deletions(context, nodes, log),
  };
}

function deletions(context: Context, nodes: ReadonlyMap<string, TreeNode>, log: ChangeLog): TreeSnapshot['deletions'] {
  const { layout, journal } = context;
  const mailboxes = new Map<string, number>([...log.all('mailbox-deleted'), ...journal.deletedMailboxes()]);
  const directories = new Map(log.all('directory-deleted'));
  const unsubscribes = new Map(log.all('unsubscribed'));
  for (const { path, removedAt, subscribed, subscriptionChangedAt } of journal.names()) {
    const hash = layout.hash(path);
    if (removedAt > 0) directories.set(hash, Math.max(removedAt, directories.get(hash) ?? 0));
    if (!subscribed && subscriptionChangedAt > 0)
      unsubscribes.set(hash, Math.max(subscriptionChangedAt, unsubscribes.get(hash) ?? 0));
  }
  for (const { path, exists, mailbox } of nodes.values()) {
    if (mailbox !== undefined) mailboxes.delete(mailbox.guid);
    if (exists)
      for (let length = 1; length <= path.length; length++) directories.delete(layout.hash(path.slice(0, length)));
    unsubscribes.delete(layout.hash(path));
  }
  return {
    mailboxes: [...mailboxes].flatMap(([guid, time]) => (/^0*$/.test(guid) ? [] : [{ guid: mailboxGuid(guid), time }])),
    directories: [...directories].map(([hash, time]) => ({ hash, time })),
    unsubscribes: [...unsubscribes].map(([hash, time]) => ({ hash, time })),
  };
}
