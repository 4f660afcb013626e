/** Answers a peer's requests for mails with their bytes. */
import type { Conversation, MessageOf } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import type { MailboxView } from './mailbox-view.ts';

export class MailExport {
  readonly #view: MailboxView;
  readonly #conversation: Conversation;
  readonly #answersByUid: boolean;
  readonly #byUid: ReadonlyMap<number, MailRecord>;
  readonly #byGuid = new Map<string, MailRecord>();

  /** @param answersByUid the peer tells instances of one GUID apart by UID (our own kind); Dovecot wants no UID here */
  constructor(view: MailboxView, conversation: Conversation, offered: readonly MailRecord[], answersByUid: boolean) {
    this.#view = view;
    this.#conversation = conversation;
    this.#answersByUid = answersByUid;
    this.#byUid = new Map(offered.map((mail) => [mail.uid, mail]));
    for (const mail of offered) if (!this.#byGuid.has(mail.guid)) this.#byGuid.set(mail.guid, mail);
  }

  /**
   * Answers the requests: our own kind's in their order, which is that of the UIDs that the mails are to get there; a
   * Dovecot's in UID order, since it asks in that of a hash table, but its mbox files keep mails as they come.
   * @param sent called after each mail, with how many have been sent
   * @throws {ProtocolError} `BadValue` for a mail that was not offered in this mailbox
   */
  async send(requests: readonly MessageOf<'mailRequest'>[], sent: (mails: number) => void): Promise<void> {
    const found = requests.map((request) => ({ request, mail: this.#find(request) }));
    if (!this.#answersByUid) found.sort((a, b) => a.mail.uid - b.mail.uid);
    for (const [index, { request, mail }] of found.entries()) {
      await this.#send(request, mail);
      sent(index + 1);
    }
  }

  async #send(request: MessageOf<'mailRequest'>, mail: MailRecord): Promise<void> {
    // Asked for by UID alone: where GUIDs cannot be shared.
    const reply =
      request.guid === undefined
        ? ({ kind: 'mail', guid: '', uid: mail.uid } as const)
        : ({ kind: 'mail', guid: mail.guid, ...(this.#answersByUid ? { uid: mail.uid } : {}) } as const);
    await using content = await this.#view.read(mail.uid, mail.guid);
    // Vanished meanwhile: the peer leaves it out, the next run tells it why.
    if (content === null) return await this.#conversation.send(reply);
    await this.#conversation.send(
      {
        ...reply,
        received: content.received,
        stream: true,
        ...(content.saved === undefined ? {} : { saved: content.saved }),
        ...(content.pop3Uidl === undefined ? {} : { pop3Uidl: content.pop3Uidl }),
        ...(content.pop3Order === undefined ? {} : { pop3Order: content.pop3Order }),
      },
      content.body,
    );
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
