import { ProtocolError } from '../../errors.ts';
import type { Message } from '../../table.ts';

function refuse(what: string): never {
  throw new ProtocolError('BadValue', what);
}

/**
 * What no message may say because it crashes or confuses Dovecot 2.3.19 or 2.4: never sent, refused when received.
 * The order of UIDs is checked by the conversation.
 * @throws {ProtocolError} `BadValue`
 */
export function checkMessage(message: Message): void {
  switch (message.kind) {
    case 'handshake':
      if (message.lockTimeout === 0) refuse('handshake: lock timeout 0');
      if (message.since === 0n || message.until === 0n) refuse('handshake: a date filter of 0');
      return;
    case 'mailChange':
      if (message.type !== 'e' && message.guid === undefined) refuse('mailChange: a mail without a GUID field');
      return;
    case 'mailRequest':
      if (message.guid === undefined && message.uid === undefined) refuse('mailRequest: neither GUID nor UID');
      return;
    case 'attribute': {
      const forms = [message.value, message.stream, message.deleted].filter((form) => form !== undefined);
      if (forms.length !== 1) refuse('attribute: not exactly one of value, stream and deleted');
      return;
    }
    default:
  }
}
