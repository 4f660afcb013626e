/** What this side says in the conversation about one mailbox, as far as it may at each moment (mailbox-conversation.ts). */
import { requestsOf } from './mail-requests.ts';
import { attributeMessages } from './attribute-messages.ts';
import type { Deferred } from './deferred.ts';
import { ownStateOf, type Exchange } from './exchange.ts';
import { MailExport } from './mail-export.ts';
import { expectApart } from './met-before.ts';
import { peerIsOurs } from './session.ts';
import { listMessages, mustHearFirst } from './told-list.ts';

/** Sends lists, requests, mails and the end, each as soon as what it depends on has come. */
export async function sendTrack(exchange: Exchange): Promise<void> {
  const { session, talk, part, events } = exchange;
  if (part.sendsLists) await sendLists(exchange);
  if (part.receivesMails || session.onlyAsks) await sendRequests(exchange);
  if (part.sendsMails) await sendMails(exchange);
  events.sent.resolve();
  const counts = await flushAndWait(exchange, events.applied);
  await talk.conversation.send(ownStateOf(exchange, counts));
  await session.channel.flush();
}

async function sendLists(exchange: Exchange): Promise<void> {
  const { session, talk, facts, attributes, recognition, part, events, found } = exchange;
  const { conversation, mayBeOlder } = talk;
  const { isDovecot } = session.channel.peer;
  for (const message of attributeMessages(attributes, isDovecot)) await conversation.send(message);
  await endList(exchange);
  if (!part.receivesLists) await expectApart(session, talk.ours.mailboxGuid, found.apart);
  // The peer never waits for a list before it has sent its own.
  // What the peer has already may be told it all the same.
  const hides = found.changes !== talk.changes;
  const waits = part.receivesLists && (hides || mustHearFirst(session, talk));
  if (mayBeOlder || waits) await flushAndWait(exchange, events.planned);
  const own = found.list ?? { changes: found.changes, facts, hashes: recognition.hashes };
  for (const message of listMessages(session, talk, own)) await conversation.send(message);
  await endList(exchange);
}

async function sendRequests(exchange: Exchange): Promise<void> {
  const { session, talk, recognition, part, events } = exchange;
  const plan = await flushAndWait(exchange, events.planned);
  const how = { byHeader: recognition.byHeader, eachByUid: peerIsOurs(session.channel) };
  if (part.receivesMails) for (const request of requestsOf(plan, how)) await talk.conversation.send(request);
  await endList(exchange);
}

async function sendMails(exchange: Exchange): Promise<void> {
  const { session, talk, events, found } = exchange;
  const requests = await flushAndWait(exchange, events.requested);
  const { observer, sending, channel } = session;
  const order = peerIsOurs(channel) ? 'as-asked' : talk.theirs.haveSaveGuids === true ? 'in-blocks' : 'by-uid';
  const mails = new MailExport(talk.view, talk.conversation, found.changes.mails, order, found.moves);
  await sending.run(() => mails.send(requests, (done) => observer.mailsSent?.(talk.view.path, done, requests.length)));
  await endList(exchange);
}

function endList({ talk }: Exchange): Promise<void> {
  return talk.conversation.send({ kind: 'listEnd' });
}

/** What the receive track waits for may be the answer to what is still queued here. */
async function flushAndWait<T>({ session }: Exchange, waiting: Deferred<T>): Promise<T> {
  await session.channel.flush();
  return await waiting.promise;
}
