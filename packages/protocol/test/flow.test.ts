import { afterEach, describe, expect, jest, test } from '@jest/globals';

import { createPipe, openChannel, uid, type Channel, type ChannelOptions, type Conversation } from '@dsync/protocol';
import { settle } from './helpers.ts';
import { BOX, STATE } from './sample-messages.ts';

const MAIL = { kind: 'mail', guid: 'g', stream: true } as const;

async function pair(options: Partial<ChannelOptions> = {}): Promise<readonly [Channel, Channel]> {
  const [a, b] = createPipe();
  return Promise.all([
    openChannel(a, { role: 'master', handshake: { kind: 'handshake', hostname: 'm' }, ...options }),
    openChannel(b, { role: 'slave', handshake: { kind: 'handshake', hostname: 's' }, ...options }),
  ]);
}

async function accept(channel: Channel): Promise<Conversation> {
  const mailbox = await channel.acceptMailbox();
  if (mailbox === null) throw new Error('no mailbox');
  await mailbox.receive();
  return mailbox;
}

async function* endless(count: { n: number }): AsyncGenerator<Uint8Array> {
  for (;;) {
    count.n += 65_536;
    yield Buffer.alloc(65_536);
  }
}

describe('a pipe inside one process', () => {
  test('carries many mails both ways at once, each answered while others are still being written', async () => {
    const [m, s] = await pair();
    const mailbox = m.openMailbox();
    await mailbox.send(BOX);
    await m.flush();
    const theirs = await accept(s);
    await theirs.send(BOX);
    await s.flush();
    await mailbox.receive();
    const count = 1500;
    const send = async (to: Conversation): Promise<void> => {
      for (let n = 0; n < count; n++)
        await to.send({ kind: 'mail', guid: `g${n}`, stream: true }, Buffer.alloc(n % 10 === 0 ? 60_000 : 7_000, n));
      await to.send(STATE);
    };
    const receive = async (from: Conversation): Promise<string[]> => {
      const seen: string[] = [];
      for (let got = await from.receive(); got.kind === 'mail'; got = await from.receive()) seen.push(got.guid ?? '');
      return seen;
    };
    const [, , here, there] = await Promise.all([send(mailbox), send(theirs), receive(mailbox), receive(theirs)]);
    const all = Array.from({ length: count }, (_, n) => `g${n}`);
    expect(here).toEqual(all);
    expect(there).toEqual(all);
    await Promise.all([m.close(), s.close()]);
  });
});

describe('a reader that is slow', () => {
  test('holds back the sender of a large body after a few MiB', async () => {
    const [m, s] = await pair();
    const count = { n: 0 };
    const mailbox = m.openMailbox();
    await mailbox.send(BOX);
    const sending = mailbox.send(MAIL, endless(count));
    sending.catch(() => undefined);
    await accept(s);
    await settle();
    expect(count.n).toBeGreaterThan(256 * 1024);
    expect(count.n).toBeLessThan(3 * 1024 * 1024);
    await Promise.all([m.close(), s.close()]);
    await expect(sending).rejects.toMatchObject({ code: 'Closed' });
  });

  test('holds back the sender of many messages after a few MiB', async () => {
    const [m, s] = await pair();
    let sent = 0;
    const text = 'x'.repeat(1000);
    const sending = (async () => {
      for (;;) {
        await m.session.send({ kind: 'treeNode', path: [text], existence: 'y' });
        sent++;
      }
    })();
    sending.catch(() => undefined);
    await settle();
    expect(sent).toBeGreaterThan(500);
    expect(sent).toBeLessThan(3000);
    await s.session.receive();
    await Promise.all([m.close(), s.close()]);
    await expect(sending).rejects.toMatchObject({ code: 'Closed' });
  });

  test('does not hold back another mailbox or the session', async () => {
    const [m, s] = await pair();
    const slow = m.openMailbox();
    await slow.send(BOX);
    const stuck = slow.send(MAIL, endless({ n: 0 }));
    stuck.catch(() => undefined);
    await accept(s);
    await settle();
    const other = m.openMailbox();
    await other.send(BOX);
    const large = other.send(MAIL, Buffer.alloc(5_000_000));
    const theirs = await accept(s);
    const mail = await theirs.receive();
    let size = 0;
    if (mail.kind === 'mail' && mail.body !== undefined && !(mail.body instanceof Uint8Array)) {
      for await (const piece of mail.body) size += piece.length;
    }
    await large;
    expect(size).toBe(5_000_000);
    await m.session.send({ kind: 'listEnd' });
    await m.flush();
    expect(await s.session.receive()).toEqual({ kind: 'listEnd' });
    await Promise.all([m.close(), s.close()]);
    await expect(stuck).rejects.toMatchObject({ code: 'Closed' });
  }, 20_000);

  test('may leave a body unread and ask for the next message', async () => {
    const [m, s] = await pair();
    const mailbox = m.openMailbox();
    const sending = (async () => {
      await mailbox.send(BOX);
      await mailbox.send(MAIL, Buffer.alloc(3_000_000));
      await mailbox.send(MAIL, Buffer.alloc(3_000_000));
      await mailbox.send({ kind: 'listEnd' });
      await m.flush();
    })();
    const theirs = await accept(s);
    await theirs.receive();
    const second = await theirs.receive();
    if (second.kind === 'mail' && second.body !== undefined && !(second.body instanceof Uint8Array)) {
      for await (const piece of second.body) if (piece.length > 0) break;
    }
    expect(await theirs.receive()).toEqual({ kind: 'listEnd' });
    await sending;
    await Promise.all([m.close(), s.close()]);
  });
});

describe.each(['native', 'dovecot'] as const)('a receiver that waits, %s dialect', (dialect) => {
  test('does not keep what is sent after it from going out', async () => {
    const [m, s] = await pair({ dialect: dialect === 'dovecot' ? 'dovecot' : 'auto' });
    const waiting = m.session.receive();
    await m.session.send({ kind: 'listEnd' });
    expect(await s.session.receive()).toEqual({ kind: 'listEnd' });
    await s.session.send({ kind: 'finish' });
    await s.flush();
    expect(await waiting).toEqual({ kind: 'finish' });
    await Promise.all([m.close(), s.close()]);
  });
});

describe('bodies', () => {
  test.each([0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000])(
    'of %i bytes arrive whole, given whole or in pieces',
    async (size) => {
      const [m, s] = await pair({ compress: true });
      const bytes = Buffer.alloc(size, 'Some text. ');
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < size; at += 7001) yield bytes.subarray(at, at + 7001);
      }
      const mailbox = m.openMailbox();
      const sending = (async () => {
        await mailbox.send(BOX);
        await mailbox.send(MAIL, bytes);
        await mailbox.send(MAIL, pieces());
        await m.flush();
      })();
      const theirs = await accept(s);
      for (let i = 0; i < 2; i++) {
        const mail = await theirs.receive();
        const parts: Uint8Array[] = [];
        if (mail.kind !== 'mail' || mail.body === undefined) throw new Error('no body');
        if (mail.body instanceof Uint8Array) parts.push(mail.body);
        else for await (const piece of mail.body) parts.push(piece);
        expect(Buffer.concat(parts).equals(bytes)).toBe(true);
        expect(mail.body instanceof Uint8Array).toBe(size <= 65_536);
      }
      await sending;
      await Promise.all([m.close(), s.close()]);
    },
  );

  test('two senders in one conversation do not mix their messages', async () => {
    const [m, s] = await pair();
    const mailbox = m.openMailbox();
    await mailbox.send(BOX);
    const sending = Promise.all([
      mailbox.send(MAIL, Buffer.alloc(200_000)),
      mailbox.send({ kind: 'listEnd' }),
      mailbox.send(MAIL, Buffer.alloc(200_000)),
    ]);
    const theirs = await accept(s);
    const kinds: string[] = [];
    for (let i = 0; i < 3; i++) kinds.push((await theirs.receive()).kind);
    expect(kinds).toEqual(['mail', 'listEnd', 'mail']);
    const over = theirs.receive();
    await sending;
    await m.close();
    await expect(over).rejects.toMatchObject({ code: 'Closed' });
    await s.close();
  });

  test('a body that fails while it is read fails its sender and lets nothing follow', async () => {
    const [m, s] = await pair();
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(100_000);
      throw new Error('disk');
    }
    const mailbox = m.openMailbox();
    await mailbox.send(BOX);
    await expect(mailbox.send(MAIL, broken())).rejects.toThrow('disk');
    await expect(mailbox.send({ kind: 'listEnd' })).rejects.toMatchObject({ code: 'Closed' });
    await Promise.all([m.abort('disk'), s.close()]);
  });

  test('a body without stream, and stream without a body, are refused', async () => {
    const [m, s] = await pair();
    const mailbox = m.openMailbox();
    await mailbox.send(BOX);
    await expect(mailbox.send(MAIL)).rejects.toMatchObject({ code: 'BadValue' });
    await expect(mailbox.send({ kind: 'mail', guid: 'g' }, Buffer.from('x'))).rejects.toMatchObject({
      code: 'BadValue',
    });
    await Promise.all([m.close(), s.close()]);
  });
});

describe('many mailboxes', () => {
  test('keep their order and end where both sides have told their state', async () => {
    const [m, s] = await pair();
    const count = 300;
    async function master(i: number): Promise<void> {
      const mailbox = m.openMailbox();
      await mailbox.send({ ...BOX, uidNext: i + 1 });
      await mailbox.receive();
      await mailbox.send({ kind: 'mailChange', type: 's', uid: uid(i + 1), guid: 'g' });
      await mailbox.send(STATE);
      await mailbox.receive();
    }
    async function slave(mailbox: Conversation, seen: number[]): Promise<void> {
      const box = await mailbox.receive();
      if (box.kind === 'mailbox') seen.push(box.uidNext);
      await mailbox.send(BOX);
      await mailbox.receive();
      await mailbox.receive();
      await mailbox.send(STATE);
    }
    const seen: number[] = [];
    const masterSide = (async () => {
      for (let i = 0; i < count; i += m.window) {
        await Promise.all(Array.from({ length: Math.min(m.window, count - i) }, (_, k) => master(i + k)));
      }
      await m.endMailboxes();
    })();
    const slaveSide = (async () => {
      const open: Promise<void>[] = [];
      for (let b = await s.acceptMailbox(); b !== null; b = await s.acceptMailbox()) open.push(slave(b, seen));
      await Promise.all(open);
    })();
    await Promise.all([masterSide, slaveSide]);
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    await Promise.all([m.close(), s.close()]);
  });

  test('the smaller window of both sides holds', async () => {
    const [a, b] = createPipe();
    const [m, s] = await Promise.all([
      openChannel(a, { role: 'master', window: 3, handshake: { kind: 'handshake', hostname: 'm' } }),
      openChannel(b, { role: 'slave', window: 40, handshake: { kind: 'handshake', hostname: 's' } }),
    ]);
    expect([m.window, s.window]).toEqual([3, 3]);
    await Promise.all([m.close(), s.close()]);
  });

  test('only features that both offer are agreed', async () => {
    const [a, b] = createPipe();
    const [m, s] = await Promise.all([
      openChannel(a, { role: 'master', features: ['one', 'two'], handshake: { kind: 'handshake', hostname: 'm' } }),
      openChannel(b, { role: 'slave', features: ['two', 'three'], handshake: { kind: 'handshake', hostname: 's' } }),
    ]);
    expect([[...m.peer.features], [...s.peer.features]]).toEqual([['two'], ['two']]);
    await Promise.all([m.close(), s.close()]);
  });
});

describe('the end of a session', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('what was sent before a close still arrives', async () => {
    const [m, s] = await pair();
    for (let i = 0; i < 1000; i++) await s.session.send({ kind: 'listEnd' });
    await s.session.send({ kind: 'finish', changed: true });
    await s.close();
    for (let i = 0; i < 1000; i++) expect(await m.session.receive()).toEqual({ kind: 'listEnd' });
    expect(await m.session.receive()).toEqual({ kind: 'finish', changed: true });
    await expect(m.session.receive()).rejects.toMatchObject({ code: 'Closed' });
    await expect(m.session.send({ kind: 'listEnd' })).rejects.toMatchObject({ code: 'Closed' });
    await m.close();
  });

  test('a close fails what waits on our side, in every conversation', async () => {
    const [m, s] = await pair();
    const mailbox = m.openMailbox();
    const waiting = [m.session.receive(), mailbox.receive()];
    await m.close();
    for (const w of waiting) await expect(w).rejects.toMatchObject({ code: 'Closed' });
    await expect(s.acceptMailbox()).rejects.toMatchObject({ code: 'Closed' });
    await expect(m.openMailbox().receive()).rejects.toMatchObject({ code: 'Closed' });
    await s.close();
  });

  test('a lost carrier is told with its reason', async () => {
    const [a, b] = createPipe();
    const [m] = await Promise.all([
      openChannel(a, { role: 'master', handshake: { kind: 'handshake', hostname: 'm' } }),
      openChannel(b, { role: 'slave', handshake: { kind: 'handshake', hostname: 's' } }),
    ]);
    const waiting = m.session.receive();
    a.destroy(new Error('cable cut'));
    await expect(waiting).rejects.toMatchObject({ code: 'Closed', message: 'connection lost: cable cut' });
    await m.abort('never throws');
    b.destroy();
  });

  test('silence while something is awaited is a stall; silence while nothing is awaited is not', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const [m, s] = await pair({ stallTimeoutMs: 600_000 });
    await jest.advanceTimersByTimeAsync(3_600_000);
    const waiting = m.session.receive();
    await jest.advanceTimersByTimeAsync(599_000);
    await s.session.send({ kind: 'listEnd' });
    await s.flush();
    await settle();
    expect(await waiting).toEqual({ kind: 'listEnd' });
    const next = m.session.receive();
    next.catch(() => undefined);
    await jest.advanceTimersByTimeAsync(601_000);
    await expect(next).rejects.toMatchObject({
      code: 'Stalled',
      retry: true,
      message: 'I/O has stalled, no activity for 600 seconds',
    });
    await Promise.all([m.close(), s.close()]);
  });

  test('a time that no timer can be set for is no time at all: the longest one holds', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const timer = jest.spyOn(globalThis, 'setTimeout');
    const [m, s] = await pair({ stallTimeoutMs: 3_000_000_000 });
    const waiting = m.session.receive();
    await jest.advanceTimersByTimeAsync(3_600_000);
    await s.session.send({ kind: 'listEnd' });
    await s.flush();
    await settle();
    expect(await waiting).toEqual({ kind: 'listEnd' });
    expect(Math.max(...timer.mock.calls.map(([, ms = 0]) => ms))).toBe(2_147_483_647);
    await Promise.all([m.close(), s.close()]);
  });

  test('every byte is counted and can be logged', async () => {
    const [a, b] = createPipe();
    const log = { in: 0, out: 0 };
    const rawlog = {
      in: (bytes: Uint8Array) => void (log.in += bytes.length),
      out: (bytes: Uint8Array) => void (log.out += bytes.length),
    };
    const [m, s] = await Promise.all([
      openChannel(a, { role: 'master', handshake: { kind: 'handshake', hostname: 'm' }, rawlog }),
      openChannel(b, { role: 'slave', handshake: { kind: 'handshake', hostname: 's' } }),
    ]);
    await m.session.send({ kind: 'listEnd' });
    await m.flush();
    await s.session.receive();
    expect(log).toEqual({ in: m.bytesIn, out: m.bytesOut });
    expect([m.bytesIn, m.bytesOut]).toEqual([s.bytesOut, s.bytesIn]);
    await Promise.all([m.close(), s.close()]);
  });
});
