/** Which metadata entries (RFC 5464) a side has to change to agree with the other. Pure. */
import { compareBytes, type Modseq } from '@dsync/protocol';
import type { Attribute } from '@dsync/storage';

import type { Mode } from '../options.ts';

/** By which rules entries are merged. */
export interface AttributeContext {
  readonly mode: Mode;
  readonly localIs: 'source' | 'destination' | 'peer';
  /** The modseq of the common state; null: there is none. */
  readonly commonModseq: Modseq | null;
}

/** Entries that the local side has to set (or, with value null, delete). */
export function planAttributes(
  local: readonly Attribute[],
  remote: readonly Attribute[],
  context: AttributeContext,
): Attribute[] {
  if (context.localIs === 'source') return [];
  const mine = new Map(local.map((a) => [keyOf(a), a]));
  const theirs = new Map(remote.map((a) => [keyOf(a), a]));
  const changes: Attribute[] = [];
  for (const [key, there] of theirs) {
    const here = mine.get(key);
    if ((here?.value ?? null) === there.value) continue;
    if (context.mode === 'backup' || remoteWins(here, there, context.commonModseq)) changes.push(there);
  }
  if (context.mode === 'backup') {
    for (const [key, here] of mine) {
      // A backup also takes away what the source does not have.
      if (here.value !== null && !theirs.has(key)) changes.push({ ...here, value: null });
    }
  }
  return changes;
}

/** What only one side has changed since the common state wins; else the later change. Where times are equal or unknown the larger modseq, then a value over none, then the larger value. */
function remoteWins(here: Attribute | undefined, there: Attribute, commonModseq: Modseq | null): boolean {
  if (here === undefined) return there.value !== null;
  if (commonModseq !== null) {
    const changedHere = here.modseq > commonModseq;
    const changedThere = there.modseq > commonModseq;
    if (changedHere !== changedThere) return changedThere;
  }
  if (here.changedAt !== there.changedAt && here.changedAt !== 0 && there.changedAt !== 0)
    return there.changedAt > here.changedAt;
  if (here.modseq !== there.modseq) return there.modseq > here.modseq;
  if (there.value === null || here.value === null) return there.value !== null;
  return compareBytes(there.value, here.value) > 0;
}

function keyOf(attribute: Attribute): string {
  return `${attribute.scope}/${attribute.key}`;
}
