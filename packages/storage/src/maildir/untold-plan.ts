import type { MailboxMemory } from '../journal/apply-sync.ts';
import type { CommitPlan } from './commit-plan.ts';
import type { KeywordLetters } from './keywords-file.ts';
import { noteUntold, untoldKeywords, untoldOf, type UntoldKeywords } from './untold-keywords.ts';

/**
 * Of the mailbox as it is to be after a commit.
 * @returns null if it is as before, so that nothing has to be written
 */
export function untoldAfter(
  plan: CommitPlan,
  before: KeywordLetters,
  memory: MailboxMemory,
  isRebuilt: boolean,
): UntoldKeywords | null {
  const { letters, mails, flagged, expunged } = plan;
  const arriving = new Map<string, readonly string[]>();
  for (const { at, keywords } of mails) noteUntold(arriving, letters, at, keywords);
  const changes = flagged.some(({ uid, name, keywords }) => {
    const mail = memory.mail(uid);
    const had = mail === undefined ? [] : untoldKeywords(before, mail.name, mail.keywords);
    return had.join(' ') !== untoldKeywords(letters, name, keywords).join(' ');
  });
  if (arriving.size === 0 && !changes) return null;
  if (isRebuilt) return arriving;
  const now = new Map(flagged.map((change) => [change.uid, change]));
  const gone = new Set(expunged.map(({ uid }) => uid));
  const stay = [...memory.mails()]
    .filter(({ uid }) => !gone.has(uid))
    .map((mail) => ({ ...mail, ...now.get(mail.uid) }));
  return new Map([...untoldOf(letters, stay), ...arriving]);
}
