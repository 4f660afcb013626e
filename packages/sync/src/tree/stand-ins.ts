/** Names that a store has in place of one that it cannot have. They are told by their form, so both ends see it alike. */
import type { MailboxPath } from '@dsync/protocol';
import { hashedName } from '@dsync/storage';

/** Characters that some store cannot have in a part of a name. */
const REFUSED = /[\p{Cc}./]/gu;
const HASHED = /^mailbox-[0-9a-f]{40}$/;

/** Whether this is the name of a mailbox whose own could be had in no form: one that nobody chose. */
export function isHashed(path: MailboxPath): boolean {
  return path.length === 1 && HASHED.test(path[0] ?? '');
}

/** Whether a store that was asked for `wanted` and cannot have it would have `present`. */
export function standsFor(present: MailboxPath, wanted: MailboxPath, altChar: string): boolean {
  if (isHashed(present)) return present[0] === hashedName(wanted);
  if (present.length !== wanted.length) return false;
  const parts = present.map((part, i) => [part, wanted[i] ?? ''] as const);
  return (
    parts.some(([part, real]) => part !== real) &&
    parts.every(([part, real]) => part === real || partStandsFor(part, real, altChar))
  );
}

function partStandsFor(part: string, real: string, altChar: string): boolean {
  const plain = (text: string): string => text.replace(REFUSED, altChar);
  const refused = (text: string): number => text.match(REFUSED)?.length ?? 0;
  if (plain(part) === `_${plain(real)}`) return refused(part) <= refused(real);
  return plain(part) === plain(real) && refused(part) < refused(real);
}
