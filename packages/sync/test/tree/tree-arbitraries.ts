/** Two stores that had the same tree once, and what users have done to each since. */
import fc from 'fast-check';
import type { MailboxPath } from '@dsync/protocol';

import { guid, StrictStore } from './strict-store.ts';

/** What a user does to a tree; what cannot be done is left out. */
export interface UserAction {
  readonly kind: 'create' | 'delete' | 'rename' | 'swap' | 'subscribe' | 'unsubscribe' | 'mkdir' | 'rmdir';
  readonly path: MailboxPath;
  readonly to: MailboxPath;
  /** Seconds since the action before. */
  readonly wait: number;
}

/** A common tree, and what has happened to it on both sides. */
export interface World {
  readonly base: readonly MailboxPath[];
  readonly a: readonly UserAction[];
  readonly b: readonly UserAction[];
  readonly sameInbox: boolean;
}

const pathsOf = (part: fc.Arbitrary<string>): fc.Arbitrary<MailboxPath> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.array(part, { minLength: 1, maxLength: 2 }).map((parts) => ['INBOX', ...parts]) },
  );
const actionsOn = (path: fc.Arbitrary<MailboxPath>): fc.Arbitrary<UserAction> =>
  fc.record({
    kind: fc.constantFrom(
      'create',
      'delete',
      'rename',
      'rename',
      'rename',
      'swap',
      'subscribe',
      'unsubscribe',
      'mkdir',
      'rmdir',
    ),
    path,
    to: path,
    wait: fc.constantFrom(0, 0, 1),
  });

/** Up to ten mailboxes, and a dozen actions on each side, with names of these parts. */
export function worldsOf(part: fc.Arbitrary<string>): fc.Arbitrary<World> {
  const path = pathsOf(part);
  const acts = fc.array(actionsOn(path), { maxLength: 12 });
  return fc.record({ base: fc.array(path, { maxLength: 10 }), a: acts, b: acts, sameInbox: fc.boolean() });
}

/** With names that every store can have. */
export const worlds: fc.Arbitrary<World> = worldsOf(fc.constantFrom('a', 'b', 'c', 'd'));

/** Both stores after their users' actions; actions that a store refuses are left out, as a user would see an error. */
export function build(
  world: World,
  options: { a?: ConstructorParameters<typeof StrictStore>[0]; b?: ConstructorParameters<typeof StrictStore>[0] },
): {
  a: StrictStore;
  b: StrictStore;
} {
  const a = new StrictStore(options.a);
  const b = new StrictStore(options.b);
  a.create(['INBOX'], guid('1a'));
  b.create(['INBOX'], world.sameInbox ? guid('1a') : guid('1b'));
  world.base.forEach((p, i) => {
    for (const store of [a, b]) attempt(() => store.create(p, guid(`ba5e${i}`)));
  });
  act(a, world.a, 'aa');
  act(b, world.b, 'bb');
  return { a, b };
}

function act(store: StrictStore, actions: readonly UserAction[], mark: string): void {
  let now = 1000;
  actions.forEach((does, i) => {
    now += does.wait;
    attempt(() => actOnce(store, does, now, `${mark}${i}`));
  });
}

function actOnce(store: StrictStore, { kind, path: at, to }: UserAction, now: number, mark: string): void {
  const there = store.guidAt(at);
  if (kind === 'create') store.create(at, guid(mark), now);
  else if (kind === 'delete' && there) store.delete(at, there, now);
  else if (kind === 'rename') store.rename(at, to, now);
  else if (kind === 'swap') swap(store, at, to, now);
  else if (kind === 'mkdir') store.createDirectory(at);
  else if (kind === 'rmdir') store.deleteDirectory(at, now);
  else if (kind === 'subscribe' || kind === 'unsubscribe') store.subscribe(at, kind === 'subscribe', now);
}

function swap(store: StrictStore, x: MailboxPath, y: MailboxPath, now: number): void {
  const [first, second] = [x.join('/'), y.join('/')];
  if (!store.guidAt(x) || !store.guidAt(y) || first.startsWith(second) || second.startsWith(first)) return;
  store.rename(x, ['swap'], now);
  store.rename(y, x, now);
  store.rename(['swap'], y, now);
}

function attempt(change: () => void): void {
  try {
    change();
  } catch {
    // What a store refuses does not happen.
  }
}
