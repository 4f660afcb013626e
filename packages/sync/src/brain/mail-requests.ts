/** What a plan asks of the peer. */
import type { MessageOf } from '@dsync/protocol';

import type { MailPlan } from '../mails/mail-plan.ts';

/**
 * One request for each mail that has to come.
 * @param byHeader GUIDs say nothing: mails are asked for by UID
 * @param eachByUid the peer answers each request (our own kind); a Dovecot sends by GUID, so it gets each GUID once
 */
export function* requestsOf(
  plan: MailPlan,
  { byHeader, eachByUid }: { readonly byHeader: boolean; readonly eachByUid: boolean },
): Generator<MessageOf<'mailRequest'>> {
  const once = byHeader || eachByUid ? null : new Set<string>();
  for (const operation of plan.operations) {
    if (operation.op !== 'save' || once?.has(operation.guid)) continue;
    once?.add(operation.guid);
    yield { kind: 'mailRequest', ...(byHeader ? {} : { guid: operation.guid }), uid: operation.remoteUid };
  }
}
