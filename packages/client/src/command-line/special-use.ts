/** `\\Sent` and the like in `-m` and `-x`: the mailboxes that the settings give that use (RFC 6154). */
import { UsageError, type UserNamespace } from '@dsync/settings';
import type { Selection } from '@dsync/sync';
import type { MailStore } from '@dsync/storage';

/**
 * The selection by names alone, which both sides understand. Of several mailboxes with the use of `-m` the one counts that
 * is there.
 * @throws {UsageError} if no mailbox has the use, or several that are there
 */
export async function resolveSpecialUses(
  selection: Selection,
  namespaces: readonly Pick<UserNamespace, 'prefix' | 'specialUses'>[],
  store: Pick<MailStore, 'readTree' | 'separator'>,
): Promise<Selection> {
  const { mailbox, exclude } = selection;
  if (![mailbox ?? '', ...exclude].some(isUse)) return selection;
  const named = (use: string): readonly string[] => {
    const names = namespaces.flatMap(({ prefix, specialUses }) =>
      specialUses.filter((s) => s.use.toLowerCase() === use.toLowerCase()).map((s) => prefix + s.mailbox),
    );
    if (names.length === 0)
      throw new UsageError(`no mailbox has the special use ${use} in the settings; name the mailbox itself`);
    const pattern = names.find((name) => /[*%?]/.test(name));
    if (pattern !== undefined) throw new UsageError(`the name of the mailbox for ${use} is a pattern: ${pattern}`);
    return names;
  };
  const excluded = exclude.flatMap((mask) => (isUse(mask) ? named(mask) : [mask]));
  if (mailbox === undefined || !isUse(mailbox)) return { ...selection, exclude: excluded };
  const names = named(mailbox);
  return { ...selection, mailbox: await theOne(mailbox, names, store), exclude: excluded };
}

const isUse = (text: string): boolean => text.startsWith('\\');

async function theOne(
  use: string,
  names: readonly string[],
  store: Pick<MailStore, 'readTree' | 'separator'>,
): Promise<string> {
  const [only, ...more] = names;
  if (only !== undefined && more.length === 0) return only;
  const there = new Set(
    (await store.readTree()).nodes.filter((n) => n.exists).map((n) => n.path.join(store.separator)),
  );
  const [found, ...others] = names.filter((name) => there.has(name));
  if (found === undefined || others.length > 0)
    throw new UsageError(`several mailboxes have the special use ${use}: ${names.join(', ')}; name one of them`);
  return found;
}
