/** The exchange and merge of the mailbox trees, the same for both roles. */
import type { MailStore, TreeSnapshot } from '@dsync/storage';

import { type AppliedTree, applyTree } from '../tree/apply-tree.ts';
import { planFor } from '../tree/plan-for.ts';
import { guidsOf, inNamespaces, selectionFor, selectTree, selectTrees, type TreePair } from '../tree/selection.ts';
import { pathKey } from '../tree/names.ts';
import { show } from '../tree/side-tree.ts';
import { isHashed } from '../tree/stand-ins.ts';
import { inTheirSpelling } from '../tree/their-names.ts';
import type { TreeMerge } from '../tree/tree-plan.ts';
import { encodeNames, replaceCodes, withoutParents, withSeparator } from '../tree/told-names.ts';
import { type ReceivedTree, receiveTree, treeMessages } from '../tree/wire.ts';
import { deletionsToSettle, withoutRemade, yieldedNumbers, type Yielding } from '../tree/yield-numbers.ts';
import { allEnded } from './deferred.ts';
import { askForTree } from './dry-run.ts';
import { backUpNothing, isMissingSource } from './missing-source.ts';
import { peerIsOurs, type Session } from './session.ts';
import { countTree, noteAdoptions, treeContext, type TreeOutcome } from './tree-outcome.ts';

/** Exchanges the trees, merges them and carries out the own part, unless it is a dry run. */
export async function mergeTrees(session: Session): Promise<TreeOutcome> {
  const { store, rules, notes, observer } = session;
  if (session.onlyAsks) return await askForTree(session);
  const { local, remote, told, deleted } = await selectedTrees(session);
  const merge = planFor(local, told, remote, treeContext(session, remote));
  for (const operation of merge.remote) observer.treeOperation?.('remote', operation);
  warnOfNames(session, merge);
  const plan = { local: merge.local, remote: merge.remote };
  if (rules.dryRun) return { mailboxes: merge.mailboxes, counts: countTree(merge.local), plan };
  if (!peerIsOurs(session.channel))
    noteAdoptions(session, merge.mailboxes, (merged) => merged.local?.guid !== merged.guid);
  const applied = await applyTree(store, merge.local, { altChar: rules.altChar, observer });
  notes.unexpected.push(...(deleted?.unexpected ?? []), ...applied.unexpected);
  const mailboxesDeleted = applied.counts.mailboxesDeleted + (deleted?.counts.mailboxesDeleted ?? 0);
  return { mailboxes: merge.mailboxes, counts: { ...applied.counts, mailboxesDeleted }, plan };
}

/** Of mailboxes that get a name here by which nobody can tell what they are. */
function warnOfNames({ notes, observer }: Session, { local, mailboxes }: TreeMerge): void {
  const made = new Set(
    local.flatMap((o) => (o.op === 'create' ? [pathKey(o.path)] : o.op === 'rename' ? [pathKey(o.to)] : [])),
  );
  for (const { localPath, remotePath } of mailboxes) {
    if (!isHashed(localPath) || isHashed(remotePath) || !made.has(pathKey(localPath))) continue;
    const text = `mailbox ${show(remotePath, '/')} cannot have its name here, which is too long or too deep: it is ${localPath.join('')}`;
    notes.warnings.push(text);
    observer.warning?.(text);
  }
}

/** Both selected trees, what of the own one the peer goes by, and what had to be deleted here before it could be told. */
type SelectedTrees = TreePair & {
  readonly remote: ReceivedTree;
  readonly told: TreeSnapshot;
  readonly deleted?: AppliedTree;
};

/**
 * Our own kind exchanges whole trees, so that both ends select from the same pair; a Dovecot gets and sends what each
 * side has selected of its own.
 */
async function selectedTrees(session: Session): Promise<SelectedTrees> {
  const { selection } = session.rules;
  if (peerIsOurs(session.channel)) {
    const { local, remote } = selectTrees(await exchange(session, (full) => full), selection);
    return { local, remote, told: local };
  }
  if (session.channel.peer.isDovecot) return await yieldToDovecot(session);
  const { local: full, remote } = await exchange(session, (tree) => selectTree(tree, selection));
  return { local: selectTree(full, selection, guidsOf(remote)), remote, told: selectTree(full, selection) };
}

/**
 * A Dovecot tells its tree without waiting for ours. So conflicts about GUIDs and UIDVALIDITYs are settled here before it
 * can see any: 2.3 with Maildir takes the peer's GUID in every conflict, whatever the peer does, and the mailboxes would
 * never meet.
 */
async function yieldToDovecot(session: Session): Promise<SelectedTrees> {
  const { store, channel, rules } = session;
  const isMissing = isMissingSource(store, rules);
  const early = isMissing || session.locker === 'they' ? null : await store.readTree();
  const remote = await receiveTree(channel.session);
  if (isMissing) await backUpNothing(store, remote);
  const selection = selectionFor(store, rules.selection, remote);
  const known = (tree: TreeSnapshot): TreeSnapshot => withoutRemade(tree, remote, treeContext(session, remote));
  const full = known(early ?? (await store.readTree()));
  const select = (tree: TreeSnapshot): TreeSnapshot => selectTree(tree, selection, guidsOf(remote));
  const gone = deletionsToSettle(select(full), remote, treeContext(session, remote));
  const deleted = await applyTree(store, gone, { altChar: rules.altChar, observer: session.observer });
  const left = gone.length > 0 ? known(await store.readTree()) : full;
  const yielded = yieldedNumbers(select(left), remote, treeContext(session, remote));
  for (const yielding of yielded) {
    await take(store, yielding);
    session.notes.renumbered.set(yielding.guid, yielding);
  }
  const settled = yielded.length > 0 ? known(await store.readTree()) : left;
  const local = select(settled);
  const told = inNamespaces(local, selection);
  for (const message of treeMessages(toldTree(session, told, remote))) await channel.session.send(message);
  await channel.flush();
  return { local, remote, told, deleted };
}

/** The own tree with names that arrive as they are meant, and without what a Dovecot stumbles over. */
function toldTree(session: Session, own: TreeSnapshot, remote: ReceivedTree): TreeSnapshot {
  const { channel, rules } = session;
  const { escapeChar } = remote;
  const { codesInNames } = channel.peer;
  const spelled = inTheirSpelling(own, remote, treeContext(session, remote));
  const tree = withoutParents(withSeparator(spelled, remote, rules.altChar));
  if (escapeChar === undefined || codesInNames === 'kept') return tree;
  return codesInNames === 'decoded' ? encodeNames(tree, escapeChar) : replaceCodes(tree, escapeChar, rules.altChar);
}

/** A mailbox that is gone meanwhile has no numbers any more. */
async function take(store: MailStore, { from, guid, uidValidity }: Yielding): Promise<void> {
  await using mailbox = await store.openMailbox(from);
  if (mailbox === null) return;
  await using transaction = await mailbox.begin();
  transaction.update({ guid, uidValidity });
  await transaction.commit();
}

/**
 * Sends and receives at once: two trees larger than the carrier's buffers would otherwise block each other. Only where
 * the other end has to wait for the user lock first, its tree tells that it has it; and where nothing is here to be backed up.
 * @param sent what of the own tree the other end gets
 * @returns both trees, the own one whole
 */
async function exchange(session: Session, sent: (full: TreeSnapshot) => TreeSnapshot): Promise<TreePair> {
  const { channel, store } = session;
  const send = async (local: TreeSnapshot): Promise<void> => {
    for (const message of treeMessages(sent(local))) await channel.session.send(message);
    await channel.flush();
  };
  const isMissing = isMissingSource(store, session.rules);
  // A peer that waits for our lock waits for our tree.
  if (isMissing && session.locker === 'we') await backUpNothing(store, null);
  if (isMissing || session.locker === 'they') {
    const remote = await receiveTree(channel.session);
    if (isMissing) await backUpNothing(store, remote);
    const local = await store.readTree();
    await send(local);
    return { local, remote };
  }
  const local = await store.readTree();
  let remote: TreeSnapshot | null = null;
  const receive = async (): Promise<void> => {
    remote = await receiveTree(channel.session);
  };
  await allEnded([send(local), receive()], (reason) => session.failure.note(reason));
  return { local, remote: remote ?? local };
}
