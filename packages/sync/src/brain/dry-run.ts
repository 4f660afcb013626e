/**
 * A dry run with a peer that knows none, which is a Dovecot. It is asked as the source of a backup: then it tells its tree
 * and its mails and changes nothing of its own, whatever it is told. So it is not told ours; for each mailbox an empty one
 * is announced, nothing is asked for, and both plans are made here from its lists and ours.
 *
 *     we                            the Dovecot
 *     an empty tree                 tree
 *     mailbox, no mails             mailbox     } for each
 *     no requests, state            attributes, changes, no mails, state
 */
import type { Conversation, MessageOf, Received } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import type { MailboxStatus, TreeNode, TreeSnapshot } from '@dsync/storage';

import { identityOf } from '../mails/identity.ts';
import { planFor } from '../tree/plan-for.ts';
import { guidsOf, inNamespaces, selectionFor, selectTree } from '../tree/selection.ts';
import { isMailboxNode } from '../tree/side-tree.ts';
import type { MergedMailbox, TreeOperation } from '../tree/tree-plan.ts';
import { receiveTree, treeMessages } from '../tree/wire.ts';
import { deletionsToSettle, yieldedNumbers, type Yielding } from '../tree/yield-numbers.ts';
import { backUpNothing, isMissingSource } from './missing-source.ts';
import { expectKind, isKind } from './receive.ts';
import type { Session } from './session.ts';
import { countTree, noteAdoptions, treeContext, type TreeOutcome } from './tree-outcome.ts';

/** The plan of both trees, as the run itself would make it. Nothing is changed. */
export async function askForTree(session: Session): Promise<TreeOutcome> {
  const { store, channel, rules, observer, notes } = session;
  const remote = await receiveTree(channel.session);
  if (isMissingSource(store, rules)) await backUpNothing(store, remote);
  const full = await store.readTree();
  const selection = channel.peer.isDovecot ? selectionFor(store, rules.selection, remote) : rules.selection;
  for (const message of treeMessages(emptyTree(full.separator))) await channel.session.send(message);
  await channel.flush();

  const context = treeContext(session, remote);
  const select = (tree: TreeSnapshot): TreeSnapshot => selectTree(tree, selection, guidsOf(remote));
  const gone = channel.peer.isDovecot ? deletionsToSettle(select(full), remote, context) : [];
  const left = withoutMailboxes(full, gone);
  const yielded = channel.peer.isDovecot ? yieldedNumbers(select(left), remote, context) : [];
  for (const yielding of yielded) notes.renumbered.set(yielding.guid, yielding);
  const own = select(withNumbers(left, yielded));
  const merge = planFor(own, inNamespaces(own, selection), remote, context);
  noteAdoptions(session, merge.mailboxes, ({ local, guid }) => !channel.peer.isDovecot || local?.guid !== guid);
  const plan = { local: [...gone, ...adoptions(left, yielded), ...merge.local], remote: merge.remote };
  for (const side of ['local', 'remote'] as const)
    for (const operation of plan[side]) observer.treeOperation?.(side, operation);
  return { mailboxes: merge.mailboxes, counts: countTree(plan.local), plan };
}

/** Of an account that nobody ever used: nothing to compare with, nothing that was deleted. */
function emptyTree(separator: string): TreeSnapshot {
  return { separator, nodes: [], deletions: { mailboxes: [], directories: [], unsubscribes: [] } };
}

function withoutMailboxes(tree: TreeSnapshot, deleted: readonly TreeOperation[]): TreeSnapshot {
  if (deleted.length === 0) return tree;
  const times = new Map(deleted.flatMap((o) => (o.op === 'delete' ? [[o.guid, o.at]] : [])));
  const isGone = (node: TreeNode): boolean => isMailboxNode(node) && times.has(node.mailbox.guid);
  const mailboxes = [...tree.deletions.mailboxes, ...[...times].map(([guid, time]) => ({ guid, time }))];
  const nodes = tree.nodes.flatMap((node): TreeNode[] => {
    if (!isGone(node)) return [node];
    const { mailbox: _, ...name } = node;
    return name.subscribed ? [{ ...name, exists: false }] : [];
  });
  return { ...tree, nodes, deletions: { ...tree.deletions, mailboxes } };
}

function withNumbers(tree: TreeSnapshot, yielded: readonly Yielding[]): TreeSnapshot {
  const byGuid = new Map(yielded.map((yielding) => [yielding.from, yielding]));
  const nodes = tree.nodes.map((node) => {
    const yielding = isMailboxNode(node) ? byGuid.get(node.mailbox.guid) : undefined;
    if (node.mailbox === undefined || yielding === undefined) return node;
    return { ...node, mailbox: { ...node.mailbox, guid: yielding.guid, uidValidity: yielding.uidValidity } };
  });
  return { ...tree, nodes };
}

function adoptions(tree: TreeSnapshot, yielded: readonly Yielding[]): TreeOperation[] {
  return yielded
    .filter(({ from, guid }) => from !== guid)
    .flatMap(({ from, guid }) =>
      tree.nodes
        .filter((node) => node.mailbox?.guid === from)
        .map(({ path }): TreeOperation => ({ op: 'adopt-guid', path, from, to: guid, rule: 'guid-conflict' })),
    );
}

/** The conversation about one mailbox, after its announcement; if the peer does not have it, one with nobody. */
export async function askForMailbox(
  session: Session,
  ours: MessageOf<'mailbox'>,
  { remote }: MergedMailbox,
): Promise<{ readonly conversation: Conversation; readonly theirs: MessageOf<'mailbox'> }> {
  if (remote === undefined) {
    const theirs = question({ guid: ours.mailboxGuid, uidValidity: ours.uidValidity }, false);
    return { conversation: new Nobody(theirs), theirs };
  }
  const asked = await ask(session, remote, false);
  if (asked.theirs.lost || identityOf(session.rules.localIs, ours, asked.theirs) !== 'header') return asked;
  // Without GUIDs of its own it has to tell what mails are recognised by in the run.
  await passOver(asked.conversation, asked.theirs);
  return await ask(session, remote, true);
}

async function ask(
  { channel }: Session,
  remote: MailboxStatus,
  byHeader: boolean,
): Promise<{ readonly conversation: Conversation; readonly theirs: MessageOf<'mailbox'> }> {
  const conversation = channel.openMailbox();
  await conversation.send(question(remote, byHeader));
  const theirs = expectKind(await conversation.receive(), 'mailbox', 'answer to a question');
  if (theirs.mailboxGuid !== remote.guid)
    throw new ProtocolError('Unexpected', 'the peer answered with another mailbox');
  return { conversation, theirs };
}

/** An empty mailbox with the peer's own numbers, so that there is nothing about which the two could differ. */
function question(
  { guid, uidValidity }: Pick<MailboxStatus, 'guid' | 'uidValidity'>,
  byHeader: boolean,
): MessageOf<'mailbox'> {
  return {
    kind: 'mailbox',
    mailboxGuid: guid,
    uidValidity,
    uidNext: 1,
    // For a mailbox without mails nobody computes hashes.
    messages: byHeader ? 1 : 0,
    firstRecentUid: 1,
    highestModseq: 1n,
    highestPrivateModseq: 0n,
    cacheFields: '',
    haveGuids: true,
    ...(byHeader ? {} : { haveSaveGuids: true }),
  };
}

/** Lets the peer tell what it has to tell of a mailbox. */
async function passOver(conversation: Conversation, theirs: MessageOf<'mailbox'>): Promise<void> {
  const list = async (): Promise<void> => {
    for (let m = await conversation.receive(); !isKind(m, 'listEnd'); m = await conversation.receive())
      if ('body' in m && m.body !== undefined && !(m.body instanceof Uint8Array)) for await (const _ of m.body);
  };
  await list();
  await list();
  await conversation.send({ kind: 'listEnd' });
  await list();
  await conversation.send(nothingKnown(theirs));
  expectKind(await conversation.receive(), 'mailboxState', 'end of a mailbox');
}

function nothingKnown({ mailboxGuid, uidValidity }: MessageOf<'mailbox'>): MessageOf<'mailboxState'> {
  return {
    kind: 'mailboxState',
    mailboxGuid,
    lastUidValidity: uidValidity,
    lastCommonUid: 0,
    lastCommonModseq: 0n,
    lastCommonPrivateModseq: 0n,
  };
}

/** Says of a mailbox that the peer does not have what it would say of an empty one. */
class Nobody implements Conversation {
  readonly #left: Received[];

  constructor(mailbox: MessageOf<'mailbox'>) {
    const end = { kind: 'listEnd' } as const;
    this.#left = [end, end, end, nothingKnown(mailbox)];
  }

  send(): Promise<void> {
    return Promise.resolve();
  }

  ready(): null {
    return null;
  }

  receive(): Promise<Received> {
    const next = this.#left.shift();
    return next === undefined ? Promise.reject(new ProtocolError('Closed', 'nobody is there')) : Promise.resolve(next);
  }
}
