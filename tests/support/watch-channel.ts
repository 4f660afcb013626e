/** A channel that lets something happen at a point of the conversation that a test chooses. */
import type { Channel, Conversation } from '@dsync/protocol';

import { memberOf } from './member-of.ts';

/** Points of a run, from the side that started it. */
export type Point =
  /** Trees are merged; no mailbox has been announced to the other side. */
  | 'first announcement'
  /** The other side has said what it wants; its first request is about to be looked at here. */
  | 'first request'
  /** The first mail is about to leave for the other side. */
  | 'first body';

/** The point that a recorded scenario names. */
export function pointOf(when: string): Point {
  if (when.includes('announcement')) return 'first announcement';
  if (when.includes('body request')) return 'first request';
  if (when.includes('mail body')) return 'first body';
  throw new Error(`no such point of a run: ${when}`);
}

/** The same channel; `action` is done once, at `point`, and the conversation waits for it. */
export function watchChannel(channel: Channel, point: Point, action: () => Promise<void>): Channel {
  let pending: Promise<void> | null = null;
  const once = (): Promise<void> => (pending ??= action());
  const watched = (conversation: Conversation): Conversation => {
    let opened = false;
    return {
      async send(message, body) {
        if (point === 'first announcement' && !opened) await once();
        opened = true;
        if (point === 'first body' && message.kind === 'mail') await once();
        await conversation.send(message, body);
      },
      async receive() {
        const message = await conversation.receive();
        if (point === 'first request' && message.kind === 'mailRequest') await once();
        return message;
      },
      ready: () => null,
    };
  };
  return new Proxy(channel, {
    get(target, key) {
      if (key === 'openMailbox') return () => watched(target.openMailbox());
      return memberOf(target, key);
    },
  });
}
