/**
 * Which part of a tree a run looks at (docs/tree-merge.md, "Selection").
 *
 * Each side applies the selection to its own names. A mailbox that only one of the sides selects would look new to the
 * other one, which would make it a second time with the same GUID. So a mailbox is also in if the *other side's*
 * selected tree has its GUID:
 *
 *     local  = selectTree(localFull,  selection, selectedGuids(remoteFull, selection))
 *     remote = selectTree(remoteFull, selection, selectedGuids(localFull,  selection))
 *
 * With both full trees at hand (`selectTrees`) both ends get the same pair, and the merge stays symmetric. An end that
 * has only the selected tree of the other (a Dovecot) uses
 *
 *     local = selectTree(localFull, selection, guidsOf(remoteSelected))
 *
 * and, where it has that before it has to send its own, sends `inNamespaces(local)`: the other end then finds its mailbox
 * under another name, and renames it, rather than to miss it and to delete it in a backup. Else it sends
 * `selectTree(localFull, selection)`, and the other end, which does not know of the mailboxes that are added here, does
 * nothing about them but what its own selected names bring with them.
 */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';
import type { MailStore, TreeNode, TreeSnapshot } from '@dsync/storage';

import { SyncError } from '../errors.ts';
import type { Selection } from '../options.ts';
import { matchesListPattern, matchesMask } from './list-pattern.ts';
import { isInbox, pathKey } from './names.ts';
import { isMailboxNode } from './side-tree.ts';

/** Both sides' trees, whole or selected. */
export type TreePair = { readonly local: TreeSnapshot; readonly remote: TreeSnapshot };

/** Both selected trees from both full ones; swapping the sides swaps the result. @throws {SyncError} as `selectTree` */
export function selectTrees(full: TreePair, selection: Selection): TreePair {
  const { local, remote } = full;
  return {
    local: selectTree(local, selection, selectedGuids(remote, selection)),
    remote: selectTree(remote, selection, selectedGuids(local, selection)),
  };
}

/**
 * The selected part of a side's tree. Deletions are never filtered: they only find what the other side has selected.
 * @param remoteGuids mailboxes that the other side has selected; they are in under whatever name they have here
 * @throws {SyncError} `Usage` for `\Special` names, which are resolved before
 */
export function selectTree(
  full: TreeSnapshot,
  selection: Selection,
  remoteGuids?: ReadonlySet<MailboxGuid>,
): TreeSnapshot {
  if (selectsAll(selection)) return full;
  refuseSpecialUse(selection);
  const nodes: TreeNode[] = [];
  const left: MailboxPath[] = [];
  const directories: TreeNode[] = [];
  for (const node of full.nodes) {
    const isIn =
      isSelected(node, selection, full.separator) ||
      (isMailboxNode(node) && remoteGuids?.has(node.mailbox.guid) === true);
    if (node.exists && !isMailboxNode(node) && isIn) directories.push(node);
    else if (isIn) nodes.push(withSubscription(node, selection, full.separator));
    else {
      if (node.exists) left.push(node.path);
      const name = nameOnly(node, selection, full.separator);
      if (name) nodes.push(name);
    }
  }
  return { ...full, nodes: [...nodes, ...removable(directories, left)] };
}

/** Without what lies outside of the namespaces of the run, in which a Dovecot fails to find a place for it. */
export function inNamespaces(tree: TreeSnapshot, selection: Selection): TreeSnapshot {
  if (selection.namespaces.length === 0) return tree;
  const isIn = ({ path }: TreeNode): boolean => inNamespace(path.join(tree.separator), path, selection, tree.separator);
  return tree.nodes.every(isIn) ? tree : { ...tree, nodes: tree.nodes.filter(isIn) };
}

/** The mailboxes whose own name or GUID is selected. @throws {SyncError} as `selectTree` */
export function selectedGuids(full: TreeSnapshot, selection: Selection): ReadonlySet<MailboxGuid> {
  return guidsOf(selectTree(full, selection));
}

/** Of all mailboxes that the tree has. */
export function guidsOf(tree: TreeSnapshot): ReadonlySet<MailboxGuid> {
  return new Set(tree.nodes.filter(isMailboxNode).map((node) => node.mailbox.guid));
}

function selectsAll({ mailbox, mailboxGuid, exclude, namespaces }: Selection): boolean {
  return !mailbox && !mailboxGuid && exclude.length === 0 && namespaces.length === 0;
}

function isSelected(node: TreeNode, selection: Selection, separator: string): boolean {
  const name = node.path.join(separator);
  const { mailbox, mailboxGuid, exclude } = selection;
  if (!inNamespace(name, node.path, selection, separator)) return false;
  if (mailbox && !matchesListPattern(name, mailbox, separator)) return false;
  if (mailboxGuid && node.mailbox?.guid !== mailboxGuid) return false;
  return !exclude.some((mask) => matchesMask(name, mask));
}

/** INBOX belongs to the namespace without a prefix, or to that with its own name, whatever the separators. */
function inNamespace(name: string, path: MailboxPath, selection: Selection, separator: string): boolean {
  const { namespaces, inboxNamespace } = selection;
  if (namespaces.length === 0) return true;
  return namespaces.some((prefix) => {
    if (prefix === '') return true;
    if (isInbox(path)) return prefix === inboxNamespace || /^INBOX.$/i.test(prefix);
    return name.startsWith(prefix) || name + separator === prefix;
  });
}

/**
 * The selection as a run with a Dovecot means it, whose tree is known: a store of ours that has no namespaces has mailboxes
 * of a namespace of the Dovecot's by name, with its own separator.
 * @throws {SyncError} `NoSuchNamespace`: a Dovecot that lacks a namespace takes the one without a prefix for it. As the
 *   destination of a backup it would delete all that is there, since nothing of it is told
 */
export function selectionFor(store: SelectedStore, given: Selection, remote: TreeSnapshot): Selection {
  if (given.namespaces.length === 0) return given;
  const { inboxNamespace, namespacePrefixes, separator } = store;
  const selection: Selection = inboxNamespace === undefined ? given : { ...given, inboxNamespace };
  const outside = remote.nodes.filter(isMailboxNode).find(({ path }) => {
    return !inNamespace(path.join(remote.separator), path, selection, remote.separator);
  });
  if (outside !== undefined) {
    const [prefix = ''] = given.namespaces;
    throw new SyncError('NoSuchNamespace', `Namespace not found on the other side: '${prefix}'`);
  }
  if (namespacePrefixes !== undefined) return selection;
  const namespaces = given.namespaces.map((prefix) => prefix.replaceAll(remote.separator, separator));
  return { ...selection, namespaces };
}

type SelectedStore = Pick<MailStore, 'inboxNamespace' | 'namespacePrefixes' | 'separator'>;

/** `-m` is about subscriptions too; `-g` and `-x` are not. */
function subscriptionSelected(node: TreeNode, selection: Selection, separator: string): boolean {
  const name = node.path.join(separator);
  return (
    inNamespace(name, node.path, selection, separator) &&
    (!selection.mailbox || matchesListPattern(name, selection.mailbox, separator))
  );
}

/** The subscription of a mailbox that is left out, as a mere name. */
function nameOnly(node: TreeNode, selection: Selection, separator: string): TreeNode | null {
  if (!subscriptionSelected(node, selection, separator)) return null;
  const { path, subscribed, subscriptionChangedAt } = node;
  if (!subscribed && subscriptionChangedAt === 0) return null;
  return { path, exists: false, renamedAt: 0, createdAt: 0, subscribed, subscriptionChangedAt };
}

/** A mailbox that is in for its GUID alone does not bring its name's subscription along. */
function withSubscription(node: TreeNode, selection: Selection, separator: string): TreeNode {
  if (subscriptionSelected(node, selection, separator)) return node;
  return { ...node, subscribed: false, subscriptionChangedAt: 0 };
}

/** Directories that hold something that is left out are left out as well: they could not be removed. */
function removable(directories: readonly TreeNode[], left: readonly MailboxPath[]): readonly TreeNode[] {
  if (directories.length === 0) return directories;
  const parents = new Set<string>();
  for (const path of left) for (let depth = 1; depth < path.length; depth++) parents.add(pathKey(path.slice(0, depth)));
  return directories.filter((node) => !parents.has(pathKey(node.path)));
}

/** Special uses are resolved where a run starts; a peer that does not do so would not select the same mailboxes itself. */
function refuseSpecialUse({ mailbox, exclude }: Selection): void {
  const special = [mailbox ?? '', ...exclude].find(isSpecialUse);
  if (special === undefined) return;
  throw new SyncError(
    'Usage',
    `${special} cannot be selected by its special use from the other side; name the mailbox`,
  );
}

/** Whether `-m` or `-x` means a special use (RFC 6154) and no name. */
export function isSpecialUse(name: string): boolean {
  return name.startsWith('\\');
}
