/** Takes messages from a conversation in which only certain kinds can come next. */
import { ProtocolError, type Conversation, type Received } from '@dsync/protocol';

type OfKind<K extends Received['kind']> = Extract<Received, { kind: K }>;

/** Narrows a message to its kind. */
export function isKind<K extends Received['kind']>(message: Received, kind: K): message is OfKind<K> {
  return message.kind === kind;
}

/** @throws {ProtocolError} `Unexpected` unless the message is of that kind */
export function expectKind<K extends Received['kind']>(message: Received, kind: K, where: string): OfKind<K> {
  if (!isKind(message, kind))
    throw new ProtocolError('Unexpected', `the peer sent ${message.kind} where ${kind} was expected (${where})`);
  return message;
}

/**
 * Takes messages of one kind until the list ends. Each is dealt with before the next one is asked for, as its body must be.
 * @throws {ProtocolError} `Unexpected` for any other kind; what `take` throws
 */
export async function receiveList<K extends Received['kind']>(
  conversation: Conversation,
  kind: K,
  where: string,
  take: (message: OfKind<K>) => Promise<void> | void,
): Promise<void> {
  for (;;) {
    // Most lists are long and their messages short: nothing is waited for that need not be.
    const message = conversation.ready() ?? (await conversation.receive());
    if (isKind(message, 'listEnd')) return;
    const work = take(expectKind(message, kind, where));
    if (work !== undefined) await work;
  }
}
