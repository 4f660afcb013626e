/** What is said in Dovecot's text, as conversations: the text itself has one stream for all of them. */
import type { Body, Conversation, Received } from '../../channel.ts';
import { ProtocolError } from '../../errors.ts';
import type { Message, MessageOf } from '../../table.ts';
import { oneLine } from '../../text.ts';

/** What a conversation needs of its session. */
export interface Owner {
  /** dsync 3.x minor of the peer. */
  readonly minor: number;
  /** True if the peer has nothing to say at its end. */
  readonly finished: boolean;
  send(message: Message, body: Body | undefined): Promise<void>;
  /** The next message that `wants` takes; what it does not take stays first for others. */
  next(wants: (message: Received) => boolean): Promise<Received>;
  /** Whether the sender of A, C and M lists in this direction exists: a destination has none. */
  lists(direction: 'ours' | 'theirs'): boolean;
  /** Ends the session. */
  fail(error: unknown): ProtocolError;
}

/** States, trees, finish. Once the trees are told, only a finish is for the session. */
export class SessionConversation implements Conversation {
  readonly #owner: Owner;
  #treeTold = false;
  #greeted = false;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  send(message: Message, body?: Body): Promise<void> {
    return this.#owner.send(message, body);
  }

  /** Text is taken apart as it is asked for. */
  ready(): null {
    return null;
  }

  async receive(): Promise<Received> {
    if (this.#treeTold && this.#owner.finished) return { kind: 'finish' };
    const message = await this.#owner.next((m) => !this.#treeTold || m.kind === 'finish');
    if ((message.kind === 'handshake') === this.#greeted) {
      throw this.#owner.fail(
        new ProtocolError(
          'Unexpected',
          `${message.kind} where ${this.#greeted ? 'it cannot be' : 'the handshake should be'}`,
        ),
      );
    }
    this.#greeted = true;
    switch (message.kind) {
      case 'mailboxDelete':
        this.#treeTold = true;
        return message;
      case 'handshake':
      case 'mailboxState':
      case 'treeNode':
      case 'finish':
      case 'listEnd':
        return message;
      default:
        throw this.#owner.fail(new ProtocolError('Unexpected', `${message.kind} cannot come here`));
    }
  }
}

/** One mailbox. Hides from its users that peers before dsync 3.1 have no list of attributes. */
export class MailboxConversation implements Conversation {
  readonly #owner: Owner;
  #first: MessageOf<'mailbox'> | null;
  #begun = false;
  #guid: string | null = null;
  #lastUid = 0;
  #skipSent: boolean;
  #inventRead: boolean;

  /** @param first what opened it, received already; null: ours is to come first */
  constructor(owner: Owner, first: MessageOf<'mailbox'> | null) {
    this.#owner = owner;
    this.#first = first;
    this.#guid = first?.mailboxGuid ?? null;
    this.#skipSent = owner.minor < 1 && owner.lists('ours');
    this.#inventRead = owner.minor < 1 && owner.lists('theirs');
  }

  send(message: Message, body?: Body): Promise<void> {
    if (message.kind === 'mailbox') this.#guid ??= message.mailboxGuid;
    if (this.#skipSent && (message.kind === 'attribute' || message.kind === 'listEnd')) {
      this.#skipSent = message.kind === 'attribute';
      return Promise.resolve();
    }
    return this.#owner.send(message, body);
  }

  async receive(): Promise<Received> {
    if (this.#first !== null) {
      const first = this.#first;
      this.#first = null;
      this.#begun = true;
      return first;
    }
    if (this.#begun && this.#inventRead) {
      this.#inventRead = false;
      return { kind: 'listEnd' };
    }
    const message = await this.#owner.next(() => true);
    const wrong = this.#wrong(message);
    if (wrong !== null) throw this.#owner.fail(wrong);
    this.#begun = true;
    return message;
  }

  ready(): null {
    return null;
  }

  /** What makes a message impossible here, where a Dovecot would stop or crash. */
  #wrong(message: Received): ProtocolError | null {
    switch (message.kind) {
      case 'finish':
        return new ProtocolError(
          'PeerFailed',
          `the other side failed: ${oneLine(message.error ?? 'it ended in the middle of a mailbox')}`,
        );
      case 'mailbox':
      case 'mailboxState':
        if ((message.kind === 'mailbox') === this.#begun)
          return new ProtocolError('Unexpected', `${message.kind} cannot come here`);
        if (this.#guid !== null && message.mailboxGuid !== this.#guid)
          return new ProtocolError('Unexpected', `${message.kind} of another mailbox`);
        return null;
      case 'mailChange':
        if (message.uid <= this.#lastUid)
          return new ProtocolError('BadValue', `mailChange: UID ${message.uid} after ${this.#lastUid}`);
        this.#lastUid = message.uid;
        return this.#early(message);
      case 'attribute':
      case 'mailRequest':
      case 'mail':
      case 'listEnd':
        return this.#early(message);
      default:
        return new ProtocolError('Unexpected', `${message.kind} cannot come here`);
    }
  }

  #early(message: Received): ProtocolError | null {
    return this.#begun ? null : new ProtocolError('Unexpected', `${message.kind} before the mailbox`);
  }
}
