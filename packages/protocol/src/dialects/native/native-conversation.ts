import type { Body, Conversation, Received } from '../../channel.ts';
import { ProtocolError } from '../../errors.ts';
import type { Kind, Message } from '../../table.ts';
import { Inbox, type Receiving } from './inbox.ts';
import { Outbox, type Sending } from './outbox.ts';
import { creditFrame } from './wire-format.ts';

/** What a conversation needs of its session. */
export interface Owner {
  /** Why nothing can be received any more, not even what has come. */
  readonly failure: ProtocolError | null;
  /** Why nothing can be sent any more. */
  readonly closed: ProtocolError | null;
  readonly full: boolean;
  fail(error: unknown): ProtocolError;
  /** The next free number, taken as the first frame goes out: so the peer sees them ascend without a gap. */
  nextNumber(conversation: NativeConversation): number;
  write(frame: Buffer): void;
  room(): Promise<void>;
  awaiting<T>(promise: Promise<T>): Promise<T>;
  dirty(outbox: Outbox): void;
  receiving<T>(promise: Promise<T>): Promise<T>;
  /** Both sides have said their last word here. */
  over(conversation: NativeConversation): void;
  farewell(reason: string): Buffer;
}

const SESSION_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  'handshake',
  'mailboxState',
  'treeNode',
  'mailboxDelete',
  'finish',
  'listEnd',
]);
const MAILBOX_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  'mailbox',
  'attribute',
  'mailChange',
  'mailRequest',
  'mail',
  'mailboxState',
  'listEnd',
]);

/** One conversation: its two halves, and the check of what can stand in it at all. */
export class NativeConversation implements Conversation, Sending, Receiving {
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly #owner: Owner;
  readonly #kinds: ReadonlySet<Kind>;
  readonly #first: Kind;
  #number: number;
  #begun = false;
  #said = false;
  #heard = false;

  /** @param number 0 for the session, the peer's number for a mailbox that it opened, -1 for one that we open */
  constructor(owner: Owner, number: number) {
    this.#owner = owner;
    this.#number = number;
    this.#kinds = number === 0 ? SESSION_KINDS : MAILBOX_KINDS;
    this.#first = number === 0 ? 'handshake' : 'mailbox';
    this.outbox = new Outbox(this);
    this.inbox = new Inbox(this);
  }

  send(message: Message, body?: Body): Promise<void> {
    if (message.kind === 'done') {
      this.#owner.write(this.#owner.farewell(message.error ?? ''));
      return Promise.resolve();
    }
    if (!this.#kinds.has(message.kind))
      return Promise.reject(new ProtocolError('Unexpected', `${message.kind} cannot be sent here`));
    const sent = this.outbox.send(message, body);
    if (message.kind === 'mailboxState' && this.#first === 'mailbox') {
      this.#said = true;
      if (this.#heard) this.#owner.over(this);
    }
    return sent;
  }

  receive(): Promise<Received> {
    return this.inbox.receive().then(this.#check);
  }

  ready(): Received | null {
    const message = this.inbox.ready();
    return message === null ? null : this.#check(message);
  }

  readonly #check = (message: Received): Received => {
    const { kind } = message;
    if (!this.#kinds.has(kind)) throw this.fail(new ProtocolError('Unexpected', `${kind} cannot come here`));
    if ((kind === this.#first) === this.#begun) {
      throw this.fail(
        new ProtocolError('Unexpected', this.#begun ? `second ${kind}` : `${kind} before ${this.#first}`),
      );
    }
    this.#begun = true;
    // A mailbox is over when both sides have told its state; then it needs no place any more.
    if (kind === 'mailboxState' && this.#first === 'mailbox') {
      this.#heard = true;
      this.inbox.retire();
      if (this.#said) this.#owner.over(this);
    }
    return message;
  };

  number(): number {
    if (this.#number < 0) this.#number = this.#owner.nextNumber(this);
    return this.#number;
  }

  get failure(): ProtocolError | null {
    return this.#owner.failure;
  }

  get closed(): ProtocolError | null {
    return this.#owner.closed;
  }

  get full(): boolean {
    return this.#owner.full;
  }

  fail(error: unknown): ProtocolError {
    return this.#owner.fail(error);
  }

  write(frame: Buffer): void {
    this.#owner.write(frame);
  }

  room(): Promise<void> {
    return this.#owner.room();
  }

  awaiting<T>(promise: Promise<T>): Promise<T> {
    return this.#owner.awaiting(promise);
  }

  dirty(outbox: Outbox): void {
    this.#owner.dirty(outbox);
  }

  receiving<T>(promise: Promise<T>): Promise<T> {
    return this.#owner.receiving(promise);
  }

  credit(bytes: number): void {
    this.#owner.write(creditFrame(this.number(), bytes));
  }
}
