/** Answers a peer's requests for mails with their bytes. */
import type { Conversation, MessageOf, Uid } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import { inSendingOrder, type SendingOrder } from '../mails/sending-order.ts';
import type { MailboxView } from './mailbox-view.ts';

/** Sends mails out of one mailbox: only such as were offered in its list. */
export class MailExport {
  readonly #view: MailboxView;
  readonly #conversation: Conversation;
  readonly #order: SendingOrder;
  readonly #byUid: ReadonlyMap<number, MailRecord>;
  readonly #byGuid = new Map<string, MailRecord>();

  /**
   * @param order `as-asked`: the peer tells instances of one GUID apart by UID (our own kind); Dovecot wants no UID here
   * @param moves UIDs under which mails were offered, by those that they have
   */
  constructor(
    view: MailboxView,
    conversation: Conversation,
    offered: readonly MailRecord[],
    order: SendingOrder,
    moves: ReadonlyMap<Uid, Uid>,
  ) {
    this.#view = view;
    this.#conversation = conversation;
    this.#order = order;
    this.#byUid = new Map(offered.map((mail) => [moves.get(mail.uid) ?? mail.uid, mail]));
    for (const mail of offered) if (!this.#byGuid.has(mail.guid)) this.#byGuid.set(mail.guid, mail);
  }

  /**
   * Answers the requests, in an order of our own where the peer asks in that of a hash table, as a Dovecot does.
   * @param sent called after each mail, with how many have been sent
   * @throws {ProtocolError} `BadValue` for a mail that was not offered in this mailbox
   */
  async send(requests: readonly MessageOf<'mailRequest'>[], sent: (mails: number) => void): Promise<void> {
    const found = requests.map((request) => ({ request, mail: this.#find(request) }));
    const inOrder = inSendingOrder(found, this.#order, ({ mail }) => mail.uid);
    for (const [index, { request, mail }] of inOrder.entries()) {
      await this.#send(request, mail);
      sent(index + 1);
    }
  }

  async #send(request: MessageOf<'mailRequest'>, mail: MailRecord): Promise<void> {
    // Asked for by UID alone: where GUIDs cannot be shared.
    const byUid = request.guid === undefined;
    const reply: Writable<MessageOf<'mail'>> = { kind: 'mail', guid: byUid ? '' : mail.guid };
    if (byUid || this.#order === 'as-asked') reply.uid = request.uid ?? mail.uid;
    const content = await this.#view.read(mail.uid, mail.guid);
    // Vanished meanwhile: the peer leaves it out, the next run tells it why.
    if (content === null) return await this.#conversation.send(reply);
    try {
      const { received, saved, pop3Uidl, pop3Order } = content;
      reply.received = received;
      reply.stream = true;
      if (saved !== undefined) reply.saved = saved;
      if (pop3Uidl !== undefined) reply.pop3Uidl = pop3Uidl;
      if (pop3Order !== undefined) reply.pop3Order = pop3Order;
      await this.#conversation.send(reply, content.body);
    } finally {
      await content[Symbol.asyncDispose]();
    }
  }

  /** By GUID; the UID decides only between several instances. */
  #find(request: MessageOf<'mailRequest'>): MailRecord {
    const byUid = request.uid === undefined ? undefined : this.#byUid.get(request.uid);
    const mail = request.guid === undefined || byUid?.guid === request.guid ? byUid : this.#byGuid.get(request.guid);
    if (mail === undefined) {
      throw new ProtocolError(
        'BadValue',
        `the peer asked for a mail that was not offered (UID ${request.uid ?? 'none'})`,
      );
    }
    return mail;
  }
}

/** While it is being put together, which for each mail costs less than spreading parts of it. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };
