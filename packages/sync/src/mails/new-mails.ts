/**
 * Mails that only one side has, or both under different UIDs: which belong together and what UID each ends with.
 * Both ends compute it from the same lists and so give the same UIDs.
 */
import { compareBytes, type Uid } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import type { GoneMail } from './common-part.ts';
import { FreeUids } from './free-uids.ts';

type Side = 'local' | 'remote';

/** A mail that has its place in the order of new mails; null: that side does not have it. */
export interface Entry {
  local: MailRecord | null;
  remote: MailRecord | null;
}

/** A mail with its final UID. */
export interface Placed extends Readonly<Entry> {
  readonly uid: Uid;
}

/**
 * Both sides' new mails in one order, always the smaller head of the two lists by GUID and then by UID, with the
 * instances of one mail linked: the first unlinked of a GUID on one side with the first on the other.
 * @param sameUidFirst whether instances that even have the same UID belong together before all others; Dovecot sees that
 *   only when both come up at the same time
 */
export function linkMails(local: readonly MailRecord[], remote: readonly MailRecord[], sameUidFirst: boolean): Entry[] {
  // A first copy has nothing to link.
  if (remote.length === 0) return local.map((mail) => ({ local: mail, remote: null }));
  if (local.length === 0) return remote.map((mail) => ({ local: null, remote: mail }));
  const entries: Entry[] = [];
  const twins = sameUidFirst ? twinsByUid(local, remote) : new Map<MailRecord, MailRecord>();
  const waiting = { local: new Map<string, Entry[]>(), remote: new Map<string, Entry[]>() };
  const linked = new Set<MailRecord>();
  for (const [l, r] of inOrder(local, remote)) {
    const mail = l ?? r;
    if (mail === null || linked.has(mail)) continue;
    const twin = l !== null && r !== null ? r : twins.get(mail);
    if (twin !== undefined) {
      linked.add(twin);
      entries.push(l !== null ? { local: l, remote: twin } : { local: twin, remote: r });
      continue;
    }
    const [side, other]: [Side, Side] = l !== null ? ['local', 'remote'] : ['remote', 'local'];
    const partner = waiting[other].get(mail.guid)?.shift();
    if (partner !== undefined) partner[side] = mail;
    else wait(entries, waiting[side], { local: l, remote: r }, mail.guid);
  }
  return entries;
}

function wait(entries: Entry[], waiting: Map<string, Entry[]>, entry: Entry, guid: string): void {
  entries.push(entry);
  const list = waiting.get(guid);
  if (list === undefined) waiting.set(guid, [entry]);
  else list.push(entry);
}

/**
 * Links mails that the other side has expunged under their UID with new mails of the other side that are the same: it
 * has only moved them. What is linked is filled into its entry.
 * @param side the side that still has the gone mails
 * @returns the mails that are gone indeed
 */
export function linkMoved(gone: readonly GoneMail[], entries: readonly Entry[], side: Side): readonly GoneMail[] {
  if (gone.length === 0) return gone;
  const other: Side = side === 'local' ? 'remote' : 'local';
  const moved = new Map<string, Entry[]>();
  for (const entry of entries) {
    const mail = entry[other];
    if (mail === null || entry[side] !== null) continue;
    const list = moved.get(mail.guid);
    if (list === undefined) moved.set(mail.guid, [entry]);
    else list.push(entry);
  }
  return gone.filter(({ mail }) => {
    const entry = moved.get(mail.guid)?.shift();
    if (entry === undefined) return true;
    entry[side] = mail;
    return false;
  });
}

/**
 * Final UIDs: a mail keeps a UID that the other side has not reached yet, or that both sides have it under; every other
 * gets the next one that is free on both.
 * @throws {SyncError} `UidsExhausted` when a mail would need a UID above 0xfffffffe
 */
export function placeMails(entries: readonly Entry[], localUidNext: number, remoteUidNext: number): readonly Placed[] {
  const free = new FreeUids(Math.max(localUidNext, remoteUidNext));
  return entries.map(({ local, remote }) => {
    const kept = keptUid(local, remote, localUidNext, remoteUidNext);
    return { local, remote, uid: kept ?? free.take() };
  });
}

function keptUid(
  local: MailRecord | null,
  remote: MailRecord | null,
  localUidNext: number,
  remoteUidNext: number,
): Uid | null {
  if (local !== null && (local.uid === remote?.uid || local.uid >= remoteUidNext)) return local.uid;
  if (remote !== null && remote.uid >= localUidNext) return remote.uid;
  return null;
}

/** Always the smaller of the two heads; both where GUID and UID are equal. */
function* inOrder(
  local: readonly MailRecord[],
  remote: readonly MailRecord[],
): Generator<readonly [MailRecord | null, MailRecord | null]> {
  let i = 0;
  let j = 0;
  for (;;) {
    const l = local[i] ?? null;
    const r = remote[j] ?? null;
    if (l === null && r === null) return;
    const order = l === null ? 1 : r === null ? -1 : compareBytes(l.guid, r.guid) || l.uid - r.uid;
    yield [order <= 0 ? l : null, order >= 0 ? r : null];
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
}

/** Leads both ways between mails that have UID and GUID in common. */
function twinsByUid(local: readonly MailRecord[], remote: readonly MailRecord[]): ReadonlyMap<MailRecord, MailRecord> {
  const twins = new Map<MailRecord, MailRecord>();
  let j = 0;
  for (const l of local) {
    while ((remote[j]?.uid ?? Infinity) < l.uid) j++;
    const r = remote[j];
    if (r === undefined || r.uid !== l.uid || r.guid !== l.guid) continue;
    twins.set(l, r);
    twins.set(r, l);
  }
  return twins;
}
